"""Random shapes: the seeds' LibShapes recipe, corrected (``Shapes``) and as published (``LegacyShapes``).

The recipe (superres-tomo, LibShapes): ``skimage.draw.random_shapes`` draws 3 to 10 grey shapes of 2 to 10 pixels on a
64 × 64 canvas, overlap allowed; the background 255 becomes 1; a circular mask 5 pixels inside the edge; division by the
maximum. As published it then adds Poisson noise *to the image* (2⁸ counts), so that the ground truth itself is noisy,
and its scan measures both 0 and π. The corrected library leaves the image clean: noise belongs to the measurement.
"""

from __future__ import annotations

import numpy as np
from skimage.draw import random_shapes

from .library import Float32, ImageLibrary, LibraryInfo, disc_mask, seed_for

CANVAS = 64  # the recipe's lengths are given for this size and scale with the image
MASK_MARGIN = 5


def draw(size: int, rng: np.random.Generator) -> Float32:
    """One clean random-shapes image, (size, size) float32 in [0, 1]."""
    scale = size / CANVAS
    canvas, _ = random_shapes(  # type: ignore[no-untyped-call]
        (size, size),
        min_shapes=3,
        max_shapes=10,
        min_size=max(2, round(2 * scale)),
        max_size=round(10 * scale),
        allow_overlap=True,
        channel_axis=None,
        intensity_range=(0, 254),
        rng=rng,
    )
    image = canvas.astype(np.float32)
    image[canvas == 255] = 1
    image *= disc_mask(size, margin=MASK_MARGIN * scale)
    return image / max(image.max(), 1)


class Shapes(ImageLibrary):
    """The corrected recipe; every image is an object of its own, and knows no other image."""

    info = LibraryInfo(
        name="shapes",
        version=1,
        summary="random grey shapes, the seeds' recipe with a clean ground truth",
        licence="CC0-1.0 (generated)",
        citation="Butler et al., AI3SD project report 4 (2021), doi:10.5258/SOTON/P0037; scikit-image random_shapes",
        source="generated",
    )

    def __len__(self) -> int:
        return 55_000

    def object_id(self, index: int) -> str:
        """Every image is its own object."""
        return self.item_id(index)

    def image(self, index: int, size: int) -> Float32:
        """Shapes image ``index`` drawn at (size, size); the drawing depends on the size it is drawn at."""
        return draw(size, seed_for(self.info.name, self.info.version, index))


class LegacyShapes(Shapes):
    """The recipe as published: Poisson noise with 2⁸ counts in the ground truth."""

    info = LibraryInfo(
        name="shapes-legacy",
        version=1,
        summary="random grey shapes as published by the seeds: noise in the ground truth itself",
        licence="CC0-1.0 (generated)",
        citation="Butler et al., AI3SD project report 4 (2021), doi:10.5258/SOTON/P0037; scikit-image random_shapes",
        source="generated",
    )
    counts = 2**8

    def image(self, index: int, size: int) -> Float32:
        """Noisy shapes image ``index``; values above 1 that the noise made are divided away by the maximum."""
        rng = seed_for(self.info.name, self.info.version, index)
        noisy = rng.poisson(draw(size, rng) * self.counts) / self.counts
        return (noisy / max(noisy.max(), 1.0)).astype(np.float32)
