"""Filtered back-projection for parallel beams.

Kak & Slaney, Principles of Computerized Tomographic Imaging (1988), chapter 3: x = Σ_θ w_θ · B_θ(h * y_θ), with the
band-limited ramp h sampled in real space (their eq. 61), so that the mean is right, and one of the usual windows.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.geometry import Geometry
from ..benchmarks.operators import operator
from ..benchmarks.tasks import TaskInputs
from ..errors import UsageError
from .parameters import positive
from .protocol import AdapterInfo

WINDOWS = ("ram-lak", "shepp-logan", "hann")


def ramp_filter(detectors: int, window: str, cutoff: float = 1.0) -> NDArray[np.float64]:
    """(padded // 2 + 1,) frequency response of the windowed ramp, for detectors one unit apart.

    ``cutoff`` is where the window ends, as a fraction of the detector's Nyquist frequency.
    """
    padded = 2 ** int(np.ceil(np.log2(2 * detectors)))
    taps = np.minimum(np.arange(padded), padded - np.arange(padded))
    kernel = np.zeros(padded)
    kernel[0] = 1 / 4
    odd = taps % 2 == 1
    kernel[odd] = -1 / (np.pi * taps[odd]) ** 2
    response = np.fft.rfft(kernel).real
    frequency = np.linspace(0, 1, response.size) / cutoff  # 1 at the cut-off
    shape = {
        "ram-lak": np.ones_like(frequency),
        "shepp-logan": np.sinc(frequency / 2),
        "hann": 0.5 + 0.5 * np.cos(np.pi * frequency),
    }[window]
    return np.where(frequency <= 1, response * shape, 0.0)


def fbp(sinograms: NDArray[np.float32], scan: Geometry, window: str, cutoff: float = 1.0) -> NDArray[np.float32]:
    """Reconstruct (N, angles, detectors) to (N, size, size) float32, in attenuation per unit length.

    Every projection is weighted by the arc it stands for, so that uneven and limited scans keep their scale.
    """
    response = ramp_filter(scan.detectors, window, cutoff)
    padded = 2 * (response.size - 1)
    filtered = np.fft.irfft(np.fft.rfft(sinograms, padded, axis=-1) * response, padded, axis=-1)[..., : scan.detectors]
    # The operator's transpose spreads each value over one pixel length: dividing by it twice turns the ramp's unit
    # spacing and that length into attenuation per unit length.
    weights = scan.angular_weights()[:, None] / scan.pixel_size**2
    return operator(scan).T(filtered * weights)


class Fbp:
    """Filtered back-projection with a chosen window and a cut-off as a fraction of the Nyquist frequency."""

    name = "fbp"
    info = AdapterInfo(framework="numpy + ASTRA", reference="Kak & Slaney (1988), doi:10.1137/1.9780898719277")
    candidates: ClassVar = (
        {"filter": "ram-lak"},
        {"filter": "shepp-logan"},
        {"filter": "shepp-logan", "cutoff": 0.8},
        {"filter": "hann"},
        {"filter": "hann", "cutoff": 0.8},
        {"filter": "hann", "cutoff": 0.65},
        {"filter": "hann", "cutoff": 0.5},
        {"filter": "hann", "cutoff": 0.35},
    )

    def __init__(self, filter: str = "ram-lak", cutoff: float = 1.0) -> None:
        if filter not in WINDOWS:
            raise UsageError(f"fbp: filter: expected one of {', '.join(WINDOWS)}, found {filter!r}")
        self.filter, self.cutoff = filter, positive("fbp", "cutoff", cutoff, most=1.0)

    def predict(self, inputs: TaskInputs) -> NDArray[np.float32]:
        """(N, rows, columns); negatives are clipped where the benchmark says attenuation has none."""
        images = fbp(inputs.sinograms, inputs.geometry, self.filter, self.cutoff)
        return np.maximum(images, 0) if inputs.non_negative else images
