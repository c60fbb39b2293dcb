"""What a scanner would give of an image: projections on a finer grid, counting noise, and the faults of real scans.

No inverse crime: the measurement is projected from an image on a grid twice as fine as the ground truth, with ASTRA's
``strip`` kernel, while methods are given the coarser grid and the shipped ones use ``linear``. Noise is on the counts.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry, equal_angles
from .operators import SIMULATOR, operator

FINE = 2  # the simulation grid's refinement over the ground truth's


@dataclass(frozen=True)
class Measurement:
    """One way of scanning.

    Attributes
    ----------
    angles : number of projections.
    arc : radians covered from 0; π is the full half turn, its end point excluded.
    photons : incident counts per detector pixel, None for a noiseless scan.
    centre_offset : detector pixels by which the rotation axis is off the middle *without the methods being told*.
    ring_gain : standard deviation of the detectors' unknown gain errors; each makes a ring.
    both_ends : measure 0 and ``arc`` both, as the seeds' published recipe does.
    """

    angles: int
    arc: float = np.pi
    photons: float | None = None
    centre_offset: float = 0.0
    ring_gain: float = 0.0
    both_ends: bool = False

    def told(self, size: int) -> Geometry:
        """The geometry the methods are told, for images of (size, size)."""
        return Geometry(self._angles(), detectors=size)

    def true(self, size: int) -> Geometry:
        """The geometry the data really has."""
        return Geometry(self._angles(), detectors=size, rotation_centre=(size - 1) / 2 + self.centre_offset)

    def _angles(self) -> NDArray[np.float64]:
        if self.both_ends:
            return np.linspace(0, self.arc, self.angles)
        return equal_angles(self.angles, self.arc)

    def recipe(self) -> dict[str, float | int | bool | None]:
        """Every number of the measurement, for hashing and for records."""
        return asdict(self)


def project(fine_images: NDArray[np.float32], measurement: Measurement) -> NDArray[np.float32]:
    """Noiseless (N, angles, detectors) line integrals of (N, FINE·size, FINE·size) images."""
    fine = fine_images.shape[-1]
    return operator(measurement.true(fine // FINE), SIMULATOR, fine)(fine_images)


def add_faults(clean: NDArray[np.float32], measurement: Measurement, rng: np.random.Generator) -> NDArray[np.float32]:
    """One noisy sinogram (angles, detectors) from its clean line integrals.

    Counts are Poisson of ``photons · gain · exp(−p)``; a detector that counted nothing is read as one count, so that
    the logarithm stays finite. ``rng`` belongs to the object, so the noise never depends on its neighbours.
    """
    transmission = np.exp(-clean.astype(np.float64))
    if measurement.ring_gain:
        transmission = transmission * np.exp(measurement.ring_gain * rng.standard_normal(clean.shape[-1]))
    if measurement.photons is not None:
        transmission = np.maximum(rng.poisson(measurement.photons * transmission), 1) / measurement.photons
    return (-np.log(transmission)).astype(np.float32)
