"""How answers are scored: one module per metric, the score protocol, and the statistics of a ranking.

Every metric takes truth and estimate as (N, rows, columns) and gives (N,) float64, one value per image.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "affine": ["AffineFit", "affine_fit", "diagnosis"],
        "arrays": ["circle"],
        "consistency": ["noise_ratio", "relative_residual", "residual_norm"],
        "error": ["mae", "mse", "nrmse", "rmse"],
        "protocol": ["ScoreProtocol"],
        "psnr": ["psnr"],
        "ssim": ["ssim"],
        "statistics": ["interval", "ranks", "separable"],
    },
)

# What `tomobench list metrics` prints: name → meaning, unit, and which way is better.
METRICS = {
    "mse": "mean squared error inside the reconstruction circle; lower is better",
    "psnr": "peak signal-to-noise ratio, dB, data range fixed by the benchmark; higher is better",
    "ssim": "structural similarity, Gaussian window 11 × 11, σ 1.5; higher is better",
    "rmse": "root mean squared error; lower is better",
    "mae": "mean absolute error; lower is better",
    "nrmse": "RMSE over the root mean square of the truth; lower is better",
    "residual": "‖Ax̂ − y‖ / ‖y‖ on the measured projections; lower explains more of the data",
    "noise_ratio": "‖Ax̂ − y‖ over the norm of the noise; about 1 is right, well below 1 fits noise",
    "held_out": "‖Ax̂ − y‖ / ‖y‖ on projections the method never saw; lower is better",
    "affine_psnr": "PSNR after the best affine change of grey values; far above PSNR means a wrong scale",
}
