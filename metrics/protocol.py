"""The score protocol: every choice that could change a score, hashed to an id that ranks rows apart."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class ScoreProtocol:
    """How answers are scored.

    Attributes
    ----------
    data_range : the fixed range of truth values that PSNR and SSIM are told; never taken from an image.
    mask : ``circle`` scores inside the reconstruction circle, ``none`` everywhere.
    ssim_sigma, ssim_radius : the Gaussian window (standard deviation and half width, pixels); 1.5 and 5 give 11 × 11.
    reduction : the precision of every sum.
    rank_by : the score that orders the leaderboard: ``psnr`` (higher is better) where there is ground truth,
        ``held_out`` (relative error of unseen projections, lower is better) where there is none.
    """

    data_range: float = 1.0
    mask: str = "circle"
    ssim_sigma: float = 1.5
    ssim_radius: int = 5
    reduction: str = "float64"
    rank_by: str = "psnr"

    @property
    def id(self) -> str:
        """Such as ``psnr@a91f``: the ranking score and four hex digits of the hash of all choices."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.rank_by}@{hashlib.sha256(text.encode()).hexdigest()[:4]}"


HIGHER_IS_BETTER = {"psnr": True, "held_out": False}
