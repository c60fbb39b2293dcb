"""Filtered back-projection against ASTRA's CPU implementation, and the value of a disc."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.baselines.fbp import WINDOWS, Fbp, fbp, ramp_filter
from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.benchmarks.operators import operator
from tomobench.errors import UsageError
from tomobench.metrics import circle


def relative(found, expected):
    """RMS difference over the expected RMS."""
    return np.sqrt(np.mean((found - expected) ** 2) / np.mean(np.square(expected)))


@pytest.mark.parametrize("window", ["ram-lak", "shepp-logan"])
@pytest.mark.parametrize(
    "scan",
    [
        Geometry(equal_angles(75), 48),
        Geometry(equal_angles(64), 61, image_size=48),
        Geometry(equal_angles(40), 48, pixel_size=1.0),
    ],
    ids=["default", "wide detector", "unit pixels"],
)
def test_equals_astras_fbp(astra_answer, shapes, scan, window):
    """ASTRA's ``FBP`` with the same projector and filter, on a full half turn, within 1e-5 of its RMS."""
    sinograms = operator(scan)(shapes)
    found = fbp(sinograms, scan, window)
    for k in range(len(shapes)):
        assert relative(found[k], astra_answer("FBP", scan, sinograms[k], 1, {"FilterType": window})) < 1e-5


@pytest.mark.parametrize("window", WINDOWS)
def test_disc_has_its_value(disc_sinogram, disc_image, window):
    """A disc's exact dense sinogram gives its value in the middle: mean within 0.5 %, RMS 1 %, no pixel off by 4 %.

    The ripple is the ray-driven back-projection's (ASTRA's CPU FBP has the same); no window removes it.
    """
    scan = Geometry(equal_angles(200), 96)
    found = fbp(disc_sinogram(scan), scan, window)[0]
    middle = found[32:64, 32:64]
    assert middle.mean() == pytest.approx(0.7, rel=0.005)
    assert np.sqrt(np.mean((middle - 0.7) ** 2)) < 0.01 * 0.7
    assert np.abs(middle - 0.7).max() < 0.04 * 0.7
    outside = (disc_image(96)[0] == 0) & circle(96)
    assert np.abs(found[outside].mean()) < 0.01


@pytest.mark.parametrize("pixel_size", [1.0, 0.01, 37.5])
def test_units(disc_sinogram, pixel_size):
    """Whatever the unit of length, attenuation per length comes back."""
    scan = Geometry(equal_angles(150), 64, pixel_size=pixel_size)
    assert fbp(disc_sinogram(scan), scan, "ram-lak")[0, 28:36, 28:36].mean() == pytest.approx(0.7, rel=0.01)


@pytest.mark.parametrize(
    "angles",
    [
        np.linspace(0, np.pi, 121),
        equal_angles(240, 2 * np.pi),
        np.sort(np.arange(144) * (np.sqrt(5) - 1) / 2 * np.pi % np.pi),
        equal_angles(120)[::-1],
        equal_angles(120) + 1.0,
    ],
    ids=["both ends", "whole turn", "golden", "backwards", "from elsewhere"],
)
def test_scale_holds_for_every_full_scan(disc_sinogram, angles):
    """Both ends measured, a whole turn, uneven steps or another order: the disc's value within 2 %."""
    scan = Geometry(angles, 64)
    assert fbp(disc_sinogram(scan), scan, "ram-lak")[0, 24:40, 24:40].mean() == pytest.approx(0.7, rel=0.02)


def test_whole_turn_with_both_ends(disc_sinogram):
    """0° to 360° inclusive, as many beamlines store it: the disc's value within 2 %."""
    scan = Geometry(np.linspace(0, 2 * np.pi, 241), 64)
    assert fbp(disc_sinogram(scan), scan, "ram-lak")[0, 24:40, 24:40].mean() == pytest.approx(0.7, rel=0.02)


def test_rotation_centre_that_is_told_is_used(disc_sinogram, disc_image):
    """A disc scanned with its axis 5 detectors off comes back in the middle of the image."""
    scan = Geometry(equal_angles(120), 80, image_size=64, pixel_size=1.0, rotation_centre=44.5)
    found = fbp(disc_sinogram(scan), scan, "shepp-logan")[0] * circle(64)
    rows, columns = np.mgrid[:64, :64]
    assert np.sum(found * rows) / found.sum() == pytest.approx(31.5, abs=0.01)
    assert np.sum(found * columns) / found.sum() == pytest.approx(31.5, abs=0.01)
    assert relative(found, disc_image(64)[0]) < 0.1


def test_is_linear(shapes):
    """FBP of a sum is the sum of FBPs, and a batch is its items."""
    scan = Geometry(equal_angles(20), 48)
    sinograms = operator(scan)(shapes)
    both = fbp(sinograms[:1] + 2 * sinograms[1:2], scan, "hann", 0.7)
    apart = fbp(sinograms, scan, "hann", 0.7)
    np.testing.assert_allclose(both[0], apart[0] + 2 * apart[1], atol=1e-4)


def test_filter_is_kak_and_slaneys():
    """The ramp's impulse response is 1/4 at 0, −1/(π·n)² at odd and 0 at even taps (eq. 61), on 2ᵏ ≥ 2·detectors."""
    response = ramp_filter(50, "ram-lak")
    assert response.shape == (65,)
    kernel = np.fft.irfft(response, 128)
    assert kernel[0] == pytest.approx(0.25)
    np.testing.assert_allclose(kernel[1:9:2], -1 / (np.pi * np.array([1, 3, 5, 7])) ** 2, atol=1e-12)
    np.testing.assert_allclose(kernel[2:10:2], 0, atol=1e-12)
    assert response[-1] == pytest.approx(0.5, abs=0.01)


def test_windows():
    """At the cut-off the windows are 1, 2/π and 0; beyond it every one is 0."""
    ramp = ramp_filter(64, "ram-lak")
    assert ramp_filter(64, "shepp-logan")[-1] / ramp[-1] == pytest.approx(2 / np.pi)
    assert ramp_filter(64, "hann")[-1] == pytest.approx(0, abs=1e-15)
    half = ramp_filter(64, "hann", 0.5)
    assert np.all(half[33:] == 0)
    assert half[16] / ramp[16] == pytest.approx(0.5)


def test_predict_clips_only_where_declared(shapes):
    """Negatives go to zero where attenuation cannot be negative, and stay where it can."""
    scan = Geometry(equal_angles(10), 48)
    sinograms = operator(scan)(shapes)
    clipped = Fbp().predict(ReconstructionInputs(sinograms, scan))
    kept = Fbp().predict(ReconstructionInputs(sinograms, scan, non_negative=False))
    assert kept.min() < -0.01
    np.testing.assert_array_equal(clipped, np.maximum(kept, 0))
    assert clipped.dtype == np.float32
    assert clipped.shape == (3, 48, 48)


@pytest.mark.parametrize(
    "wrong", [{"filter": "ramlak"}, {"filter": None}, {"cutoff": 0}, {"cutoff": 1.5}, {"cutoff": float("nan")}]
)
def test_wrong_parameters(wrong):
    """One line that names the parameter."""
    with pytest.raises(UsageError, match=f"fbp: {next(iter(wrong))}: expected") as caught:
        Fbp(**wrong)
    assert "\n" not in str(caught.value)


def test_cutoff_of_another_type():
    """Text for a number is refused as any other wrong value is."""
    with pytest.raises(UsageError, match="fbp: cutoff"):
        Fbp(cutoff="high")
