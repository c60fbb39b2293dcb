"""Area averaging: block means where the sizes divide, the mean and every moment's bounds where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tomobench.datasets.resample import area_average, overlap_matrix


def test_overlap_of_thirds():
    """Three pixels to two: each output is one pixel and half of the middle one, over 1½."""
    np.testing.assert_allclose(overlap_matrix(3, 2), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])


@given(st.integers(1, 40), st.integers(1, 40))
def test_rows_sum_to_one_and_columns_share_alike(inputs, outputs):
    """Each output is a mean; each input gives as much as any other."""
    matrix = overlap_matrix(inputs, outputs)
    assert matrix.shape == (outputs, inputs)
    assert matrix.min() >= 0
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    np.testing.assert_allclose(matrix.sum(axis=0), outputs / inputs)


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_whole_factors_are_block_means(factor):
    """24 × 48 to a whole fraction: the mean of each block."""
    image = np.random.default_rng(0).random((24, 48))
    rows, columns = 24 // factor, 48 // factor
    expected = image.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(area_average(image, rows, columns), expected, rtol=1e-6)


def test_finer_grid_repeats_pixels():
    """Twice as fine is every pixel four times, and coarsening again gives the image back."""
    image = np.random.default_rng(1).random((5, 5)).astype(np.float32)
    fine = area_average(image, 10, 10)
    np.testing.assert_allclose(fine, np.kron(image, np.ones((2, 2))), rtol=1e-6)
    np.testing.assert_allclose(area_average(fine, 5, 5), image, rtol=1e-6)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_mean_is_kept(rows, columns, new_rows, new_columns):
    """The mean stays and no value leaves the image's range, at any pair of sizes."""
    image = np.random.default_rng(rows * 31 + columns).random((rows, columns))
    found = area_average(image, new_rows, new_columns)
    assert found.dtype == np.float32
    assert found.shape == (new_rows, new_columns)
    assert found.mean(dtype=np.float64) == pytest.approx(image.mean(), rel=1e-5)
    assert found.min() >= image.min() - 1e-6
    assert found.max() <= image.max() + 1e-6


def test_two_steps_are_one():
    """60 → 30 → 10 pixels is 60 → 10."""
    image = np.random.default_rng(2).random((60, 60))
    np.testing.assert_allclose(
        area_average(area_average(image, 30, 30), 10, 10), area_average(image, 10, 10), rtol=1e-5
    )


def test_stacks():
    """A stack of images is resampled image by image."""
    stack = np.random.default_rng(3).random((3, 14, 14))
    np.testing.assert_array_equal(area_average(stack, 5, 5), [area_average(image, 5, 5) for image in stack])
