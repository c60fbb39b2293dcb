"""Total variation: the adjoint pair, the objective of a long run, and what λ does at its ends."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.baselines.fbp import fbp
from tomobench.baselines.tv import Tv, divergence, gradient, tv
from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.benchmarks.operators import operator
from tomobench.errors import UsageError

SCAN = Geometry(equal_angles(14), 32)


@pytest.fixture(scope="module")
def phantom():
    """(1, 32, 32) piecewise constant: a disc, a square in it and a hole."""
    rows, columns = np.mgrid[:32, :32] - 15.5
    image = 0.5 * (np.hypot(rows, columns) < 12)
    image[10:16, 12:20] = 1.0
    image[np.hypot(rows - 5, columns - 3) < 3] = 0.0
    return image[None].astype(np.float32)


def objective(x, y, strength):
    """½‖Ax − y‖² / ‖A‖² + λ ‖∇x‖₂,₁ in double precision, as the module's docstring writes it."""
    A = operator(SCAN)
    misfit = np.sum((A(x).astype(np.float64) - y) ** 2) / A.norm**2 / 2
    down = np.diff(x.astype(np.float64), axis=1, append=x[:, -1:])
    right = np.diff(x.astype(np.float64), axis=2, append=x[:, :, -1:])
    return misfit + strength * np.sum(np.hypot(down, right))


def test_gradient_of_a_ramp():
    """The forward differences of 3·row + 2·column are 3 and 2, and 0 at the far edges."""
    rows, columns = np.mgrid[:5, :7].astype(np.float32)
    found = gradient((3 * rows + 2 * columns)[None])
    expected = np.zeros((2, 1, 5, 7))
    expected[0, 0, :-1], expected[1, 0, :, :-1] = 3, 2
    np.testing.assert_allclose(found, expected)


def test_divergence_is_minus_the_adjoint():
    """⟨∇x, q⟩ = −⟨x, div q⟩ on random fields, edges included."""
    rng = np.random.default_rng(0)
    x, q = rng.normal(size=(3, 9, 12)), rng.normal(size=(2, 3, 9, 12))
    assert np.sum(gradient(x) * q) == pytest.approx(-np.sum(x * divergence(q)), rel=1e-12)


def test_gradient_norm():
    """‖∇‖² is at most 8 and comes near it: the checkerboard's Rayleigh quotient on 32² is 7.75."""
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 2.0 - 1)[None]
    assert np.sum(gradient(board) ** 2) / np.sum(board**2) == pytest.approx(8 * 31 / 32)


@pytest.mark.parametrize("strength", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("non_negative", [True, False])
def test_objective_of_a_long_run(phantom, strength, non_negative):
    """300 steps end within 1 % of the objective after 4 000, which is below those of 30 steps, the truth and zero."""
    A = operator(SCAN)
    noise = np.random.default_rng(1).normal(0, 0.02, (1, *SCAN.sinogram_shape))
    y = (A(phantom) + noise).astype(np.float32)
    early, default, late = (objective(tv(A, y, strength, n, non_negative), y, strength) for n in (30, 300, 4_000))
    assert default < 1.01 * late
    assert late < early
    assert late < 1.0001 * objective(phantom, y, strength)
    assert late < objective(np.zeros_like(phantom), y, strength)


def test_strong_regularisation_gives_a_constant(phantom):
    """For large λ the answer is the constant c that fits best: c = ⟨A1, y⟩ / ⟨A1, A1⟩."""
    A = operator(SCAN)
    y = A(phantom)
    ones = A(np.ones((1, 32, 32)))
    found = tv(A, y, 1.0, 10_000, True)[0]
    assert np.ptp(found) < 0.1 * found.mean()
    assert found.mean() == pytest.approx(np.sum(ones * y) / np.sum(ones**2), rel=0.01)


def test_flat_phantom_from_few_angles_beats_fbp(phantom):
    """Fourteen noiseless angles: less than a third of FBP's error."""
    y = operator(SCAN)(phantom)
    error = np.sqrt(np.mean((tv(operator(SCAN), y, 1e-5, 300, True) - phantom) ** 2))
    assert error < np.sqrt(np.mean((fbp(y, SCAN, "ram-lak") - phantom) ** 2)) / 3
    assert error < 0.05


def test_strength_does_not_depend_on_the_number_of_angles(phantom):
    """Dividing by ‖A‖² keeps λ comparable: with twice the angles the same λ gives the same image within 5 %."""
    scans = [Geometry(equal_angles(count), 32) for count in (40, 80)]
    few, many = (tv(operator(scan), operator(scan)(phantom), 1e-3, 500, True) for scan in scans)
    assert np.sqrt(np.mean((few - many) ** 2) / np.mean(many**2)) < 0.05


def test_images_of_a_batch_do_not_mix(phantom):
    """Alone or in a batch, an image's answer is the same."""
    A = operator(SCAN)
    y = A(np.concatenate([phantom, phantom[:, ::-1] * 5, 0 * phantom]))
    together = tv(A, y, 1e-3, 40, True)
    np.testing.assert_allclose(together[:1], tv(A, y[:1], 1e-3, 40, True), atol=1e-4)
    np.testing.assert_array_equal(together[2], 0)


def test_predict(phantom):
    """Non-negative where declared, float32, the sinograms left alone."""
    y = operator(SCAN)(phantom) - np.float32(0.05)
    kept = y.copy()
    assert Tv(1e-4, 20).predict(ReconstructionInputs(y, SCAN)).min() >= 0
    free = Tv(1e-4, 20).predict(ReconstructionInputs(y, SCAN, non_negative=False))
    assert free.min() < 0
    assert free.dtype == np.float32
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": 0},
        {"strength": -1e-3},
        {"strength": "1e-3"},
        {"strength": float("nan")},
        {"strength": True},
        {"iterations": 0},
        {"iterations": 1e2},
    ],
)
def test_wrong_parameters(wrong):
    """One line that names the parameter."""
    with pytest.raises(UsageError, match=f"tv: {next(iter(wrong))}: expected"):
        Tv(**wrong)
