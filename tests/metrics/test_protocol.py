"""The score protocol's id: pinned, and different for every choice."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tomobench.metrics import ScoreProtocol

OTHER = {
    "data_range": 2.0,
    "mask": "none",
    "ssim_sigma": 1.0,
    "ssim_radius": 7,
    "reduction": "float32",
    "rank_by": "held_out",
}


def test_default_id_is_pinned():
    """A published row's id must not change by accident: raise the benchmarks' versions where this does."""
    assert ScoreProtocol().id == "psnr@17c4"
    assert ScoreProtocol(rank_by="held_out").id == "held_out@6ecc"


@pytest.mark.parametrize("name", [field.name for field in fields(ScoreProtocol)])
def test_every_field_changes_the_id(name):
    """No choice that could change a score is left out of the hash."""
    assert replace(ScoreProtocol(), **{name: OTHER[name]}).id != ScoreProtocol().id


def test_id_depends_on_values_alone():
    """Equal protocols have equal ids, however they were made."""
    assert ScoreProtocol(1.0, "circle").id == ScoreProtocol().id
