"""How answers are scored: one module per metric, the score protocol, and the statistics of a ranking.

Every metric takes truth and estimate as (N, rows, columns) and gives (N,) float64, one value per image.
"""

from .affine import AffineFit, affine_fit, diagnosis
from .arrays import circle
from .consistency import noise_ratio, relative_residual, residual_norm
from .error import mae, mse, nrmse, rmse
from .protocol import ScoreProtocol
from .psnr import psnr
from .ssim import ssim
from .statistics import interval, ranks, separable

__all__ = [
    "METRICS",
    "AffineFit",
    "ScoreProtocol",
    "affine_fit",
    "circle",
    "diagnosis",
    "interval",
    "mae",
    "mse",
    "noise_ratio",
    "nrmse",
    "psnr",
    "ranks",
    "relative_residual",
    "residual_norm",
    "rmse",
    "separable",
    "ssim",
]

# What `tomobench list metrics` prints: name → meaning, unit, and which way is better.
METRICS = {
    "mse": "mean squared error inside the reconstruction circle; lower is better",
    "psnr": "peak signal-to-noise ratio, dB, data range fixed by the benchmark; higher is better",
    "ssim": "structural similarity, Gaussian window 11 × 11, σ 1.5; higher is better",
    "rmse": "root mean squared error; lower is better",
    "mae": "mean absolute error; lower is better",
    "nrmse": "RMSE over the root mean square of the truth; lower is better",
    "residual": "‖Ax̂ − y‖ / ‖y‖ on the measured projections; lower explains more of the data",
    "noise_ratio": "‖Ax̂ − y‖ over ‖Ax − y‖ of the truth; about 1 is right, well below 1 fits noise",
    "held_out": "‖Ax̂ − y‖ / ‖y‖ on projections the method never saw; lower is better",
    "affine_psnr": "PSNR after the best affine change of grey values; far above PSNR means a wrong scale",
}
