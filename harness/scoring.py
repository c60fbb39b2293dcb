"""Scoring one cell: truth and answers in, one value per case out. Runs in the parent, which alone sees the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.operators import SIMULATOR, Operator, operator
from ..benchmarks.prepare import Prepared, TruthGroup
from ..metrics import (
    affine_fit,
    circle,
    diagnosis,
    mae,
    mse,
    noise_ratio,
    nrmse,
    psnr,
    relative_residual,
    rmse,
    ssim,
)
from ..metrics.affine import AffineFit
from ..metrics.protocol import ScoreProtocol
from .records import SCORES

WORTH_A_MATRIX = 8  # images; fewer are projected one by one, since building the matrix would take longer


@dataclass(frozen=True)
class Scores:
    """Per-case scores in case order, what is remarkable about the answers, and the scale diagnosis."""

    cases: dict[str, list[Any]]
    flags: list[str]
    diagnosis: str


def score(prepared: Prepared, answers: Callable[[int], NDArray[np.float32]], protocol: ScoreProtocol) -> Scores:
    """Score a cell's answers.

    ``answers(k)`` gives the (n, rows, columns) answer for the k-th geometry of the prepared data. Where a group has
    held-out projections, its images are references rather than truths and ``held_out`` is scored too.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "object", *SCORES)}
    constant, identical = 0, 0
    fits: list[AffineFit] = []
    for number, (truth, inputs) in enumerate(zip(prepared.truth(), prepared.inputs(2**31), strict=True)):
        estimate = answers(number)
        values = score_images(truth.images, estimate, protocol)
        fits.append(values.pop("fit"))
        few = len(estimate) < WORTH_A_MATRIX
        projector = Operator(inputs.geometry, direct=True) if few else operator(inputs.geometry)
        # What lies outside the reconstruction circle is not part of the answer, so it is not projected either.
        inside = estimate * circle(estimate.shape[1]) if protocol.mask == "circle" else estimate
        projected = projector(inside)
        values["residual"] = relative_residual(projected, inputs.sinograms)
        values["noise_ratio"] = noise_ratio(projected, inputs.sinograms, truth.noise_norm)
        values["held_out"] = _held_out(truth, inside)
        columns["id"] += truth.case_ids
        columns["object"] += truth.object_ids
        for name in SCORES:
            columns[name] += values[name].tolist()
        constant += int(np.sum(np.ptp(estimate, axis=(1, 2)) == 0))
        identical += int(np.sum(np.all(estimate == truth.images, axis=(1, 2))))
    fit = AffineFit(*(np.concatenate([getattr(part, name) for part in fits]) for name in ("scale", "offset", "psnr")))
    flags = []
    if constant:
        flags.append(f"constant image in {constant} of {len(columns['id'])} cases")
    if identical:
        flags.append(f"bit-identical to the truth in {identical} of {len(columns['id'])} cases")
    return Scores(columns, flags, diagnosis(fit, columns["psnr"]))


def score_images(truth: NDArray[Any], estimate: NDArray[Any], protocol: ScoreProtocol) -> dict[str, Any]:
    """The image scores of (n, rows, columns) arrays under a protocol, and the affine ``fit`` behind the diagnosis."""
    mask = circle(truth.shape[1]) if protocol.mask == "circle" else None
    if mask is not None:  # SSIM's windows at the rim must not look outside either
        truth, estimate = truth * mask, estimate * mask
    span = protocol.data_range
    fit = affine_fit(truth, estimate, data_range=span, mask=mask)
    return {
        "mse": mse(truth, estimate, mask),
        "psnr": psnr(truth, estimate, data_range=span, mask=mask),
        "ssim": ssim(
            truth, estimate, data_range=span, mask=mask, sigma=protocol.ssim_sigma, radius=protocol.ssim_radius
        ),
        "rmse": rmse(truth, estimate, mask),
        "mae": mae(truth, estimate, mask),
        "nrmse": nrmse(truth, estimate, mask),
        "affine_psnr": fit.psnr,
        "fit": fit,
    }


def _held_out(truth: TruthGroup, estimate: NDArray[np.float32]) -> NDArray[np.float64]:
    if truth.held_out is None or truth.held_out_geometry is None:
        return np.full(len(estimate), np.nan)
    # The simulator's kernel, so that no method is judged with the projector it solved with.
    projected = Operator(truth.held_out_geometry, SIMULATOR, direct=True)(estimate)
    return relative_residual(projected, truth.held_out)
