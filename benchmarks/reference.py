"""The reference image of a measured scan: what stands in for the ground truth that nobody has.

ASTRA's own CGLS on *all* measured angles, 15 iterations, ``strip`` kernel (no shipped method uses it), negatives to
zero as in the seeds' preparation. Dong et al. (2023, doi:10.1039/D2DD00105E) judge the same three reactors against
full-angle CGLS too. A score against it rewards agreeing with this reconstruction; held-out projections do not.
"""

from __future__ import annotations

import astra
import numpy as np
from numpy.typing import NDArray

from ..datasets.preparation import clip_negatives
from .geometry import Geometry
from .operators import SIMULATOR, Operator

METHOD = "cgls, 15 iterations, strip kernel, all angles, negatives to zero"
ITERATIONS = 15


def reference_image(sinogram: NDArray[np.float32], geometry: Geometry) -> tuple[NDArray[np.float32], str]:
    """(image_size, image_size) float32 reconstruction of one complete (angles, detectors) scan, and its last step."""
    operator = Operator(geometry, SIMULATOR)
    projector = operator.astra_projector()
    sinogram_id = astra.data2d.create("-sino", astra.projector.projection_geometry(projector), sinogram)
    volume_id = astra.data2d.create("-vol", astra.projector.volume_geometry(projector))
    settings = astra.astra_dict("CGLS")
    settings |= {
        "ProjectorId": projector,
        "ProjectionDataId": sinogram_id,
        "ReconstructionDataId": volume_id,
    }
    algorithm = astra.algorithm.create(settings)
    try:
        astra.algorithm.run(algorithm, ITERATIONS)
        image, step = clip_negatives(astra.data2d.get(volume_id))
        return image.astype(np.float32), step
    finally:
        astra.algorithm.delete(algorithm)
        astra.data2d.delete([sinogram_id, volume_id])
        astra.projector.delete(projector)
