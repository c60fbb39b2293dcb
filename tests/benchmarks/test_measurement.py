"""The simulated scan: counting noise with the variance of counting, faults that are told or not, no inverse crime."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.benchmarks.measurement import FINE, Measurement, add_faults, project
from tomobench.benchmarks.operators import SIMULATOR, SOLVER, operator
from tomobench.datasets import load_library
from tomobench.datasets.library import disc_mask
from tomobench.datasets.resample import area_average


def generator(seed=0):
    """A seeded generator."""
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("attenuation", "photons"), [(0.0, 1e3), (1.0, 1e3), (2.0, 1e5), (3.0, 1e4)])
def test_noise_has_the_variance_of_counting(attenuation, photons):
    """On a flat field the variance of p is exp(p) / photons (1 + O(1/counts)), within 5 % on 160 000 detectors."""
    clean = np.full((400, 400), attenuation, dtype=np.float32)
    noisy = add_faults(clean, Measurement(angles=400, photons=photons), generator())
    assert noisy.dtype == np.float32
    assert noisy.var(dtype=np.float64) == pytest.approx(np.exp(attenuation) / photons, rel=0.05)
    # E[−log(counts)] lies 1/(2·counts) above the truth; three standard errors of the mean on top.
    expected = np.exp(attenuation) / photons
    assert noisy.mean(dtype=np.float64) == pytest.approx(attenuation + expected / 2, abs=3 * np.sqrt(expected) / 400)


def test_noise_is_independent_between_detectors():
    """Neighbouring detectors and angles are uncorrelated within four standard errors."""
    noisy = add_faults(np.full((300, 300), 1.0, np.float32), Measurement(angles=300, photons=1e4), generator(1))
    noise = (noisy - noisy.mean()) / noisy.std()
    for neighbours in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1])):
        assert abs(np.mean(neighbours[0] * neighbours[1])) < 4 / 300


def test_no_counts_are_read_as_one():
    """Behind fifty attenuation lengths nothing arrives; the value is log(photons), not infinity."""
    noisy = add_faults(np.full((5, 6), 50.0, np.float32), Measurement(angles=5, photons=1e3), generator())
    np.testing.assert_allclose(noisy, np.log(1e3), rtol=1e-6)


def test_noiseless_scan_is_clean():
    """Without photons and rings the sinogram is the line integrals."""
    clean = generator().random((7, 9)).astype(np.float32) * 5
    np.testing.assert_allclose(add_faults(clean, Measurement(angles=7), generator()), clean, rtol=1e-5, atol=1e-6)


def test_rings_are_constant_along_the_angles():
    """A gain error belongs to a detector: the same offset at every angle, normal with the stated spread."""
    clean = generator().random((12, 4_000)).astype(np.float32)
    offsets = add_faults(clean, Measurement(angles=12, ring_gain=0.02), generator(2)) - clean
    np.testing.assert_allclose(offsets, np.broadcast_to(offsets[:1], offsets.shape), atol=2e-6)
    assert offsets[0].std() == pytest.approx(0.02, rel=0.05)
    assert abs(offsets[0].mean()) < 3 * 0.02 / np.sqrt(4_000)


def test_noise_is_the_generators():
    """The same generator state gives the same scan, another one another."""
    clean, scan = np.ones((6, 6), np.float32), Measurement(angles=6, photons=1e3, ring_gain=0.01)
    assert np.array_equal(add_faults(clean, scan, generator(3)), add_faults(clean, scan, generator(3)))
    assert not np.array_equal(add_faults(clean, scan, generator(3)), add_faults(clean, scan, generator(4)))


def test_angles():
    """A half turn without its end point, an arc, and the seeds' scan with both ends."""
    np.testing.assert_allclose(Measurement(angles=4).told(8).angles, np.deg2rad([0, 45, 90, 135]))
    np.testing.assert_allclose(Measurement(angles=3, arc=np.pi / 2).told(8).angles, np.deg2rad([0, 30, 60]))
    np.testing.assert_allclose(Measurement(angles=3, both_ends=True).told(8).angles, [0, np.pi / 2, np.pi])


def test_centre_offset_is_not_told():
    """The data have the offset; the geometry that methods get does not."""
    scan = Measurement(angles=3, centre_offset=1.5)
    assert scan.true(16).axis_offset == 1.5
    assert scan.told(16).axis_offset == 0
    assert scan.told(16) == Measurement(angles=3).told(16)


def test_centre_offset_moves_the_disc(disc):
    """A disc scanned with an offset of 2 is seen two detectors further right, in closed form."""
    scan = Measurement(angles=20, centre_offset=2.0)
    fine = disc.times(2).image(96).astype(np.float32)
    expected = disc.sinogram(scan.told(48).angles, 48, 4 / 48, axis=23.5 + 2)
    assert np.abs(project(fine, scan) - expected).max() < 0.06 * expected.max()
    assert np.abs(project(fine, scan) - expected).mean() < 0.003


def test_recipe_holds_every_number():
    """Everything that could change a number is in the recipe that names the cache folder."""
    assert Measurement(angles=5, arc=1.0, photons=2.0, centre_offset=3.0, ring_gain=4.0, both_ends=True).recipe() == {
        "angles": 5,
        "arc": 1.0,
        "photons": 2.0,
        "centre_offset": 3.0,
        "ring_gain": 4.0,
        "both_ends": True,
    }


@pytest.mark.parametrize("name", ["shapes", "grains", "natural"])
def test_no_inverse_crime(name):
    """The data come from another kernel and a finer grid: 0.1 % to 8 % from the solver's projection of the truth."""
    assert SIMULATOR != SOLVER
    assert FINE >= 2
    scan = Measurement(angles=40)
    fine = np.stack([load_library(name).image(k, FINE * 64) for k in range(3)])
    truth = area_average(fine, 64, 64) * disc_mask(64)
    clean, solver = project(fine, scan), operator(scan.told(64))(truth)
    difference = np.linalg.norm(clean - solver, axis=(1, 2)) / np.linalg.norm(clean, axis=(1, 2))
    assert np.all(difference > 1e-3)
    assert np.all(difference < 0.08)
