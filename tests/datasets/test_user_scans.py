"""Sinograms that no scan gives are refused when they are added, not when they are scored."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.datasets import user
from tomobench.errors import DataError, GeometryError
from tomobench.harness.cli import main


@pytest.fixture
def sinogram():
    """(90, 64): an off-centre disc, whose projections all have the same mass."""
    axis = np.arange(64) - 31.5
    middles = 12 * np.cos(np.arange(90) * np.pi / 90 + 0.4)
    return 2 * np.sqrt(np.clip(15**2 - (axis[None] - middles[:, None]) ** 2, 0, None))


def added(tmp_path, array, angles="0:180"):
    np.save(tmp_path / "scan.npy", array)
    return user.add("scan", tmp_path / "scan.npy", angles=angles)


def test_a_right_one_is_taken(tmp_path, sinogram):
    """90 projections of 64 detectors."""
    assert added(tmp_path, sinogram).scan(0).sinogram.shape == (90, 64)


def test_a_transposed_one_is_refused(tmp_path, sinogram):
    """Its rows have unequal sums, its columns equal ones."""
    with pytest.raises(GeometryError, match="transpose it"):
        added(tmp_path, sinogram.T)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_is_refused(tmp_path, value):
    """One value everywhere is no measurement."""
    with pytest.raises(DataError, match="one value everywhere"):
        added(tmp_path, np.full((90, 64), value))


def test_radians_called_degrees_are_refused(tmp_path, sinogram):
    """A scan over three degrees in all is one over π radians."""
    np.savetxt(tmp_path / "angles.txt", np.arange(90) * np.pi / 90)
    with pytest.raises(GeometryError, match="say :rad"):
        added(tmp_path, sinogram, f"{tmp_path}/angles.txt:deg")


@pytest.mark.parametrize("name", ["fbp", "quick", "psnr"])
def test_a_methods_name_is_refused(tmp_path, sinogram, capsys, name):
    """``show fbp`` must go on to mean the method."""
    np.save(tmp_path / "scan.npy", sinogram)
    assert main(["data", "add", name, str(tmp_path / "scan.npy"), "--angles", "0:180"]) == 2
    assert "choose another" in capsys.readouterr().err
