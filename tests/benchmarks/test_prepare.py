"""Prepared data: two files that share nothing but the geometry, made alike every time, and never used when damaged."""

from __future__ import annotations

import json
import random

import h5py
import numpy as np
import pytest

from tomobench.benchmarks import Geometry, equal_angles, load_benchmark, prepare
from tomobench.benchmarks import benchmark as benchmark_module
from tomobench.benchmarks.operators import operator
from tomobench.datasets import user
from tomobench.datasets.library import disc_mask
from tomobench.errors import UnknownName, UsageError

QUICK = "sparse-view/grains-32"


def arrays_of(prepared):
    """Sinograms and truth images of a split with one geometry."""
    (truth,) = prepared.truth()
    return np.concatenate([batch.sinograms for batch in prepared.inputs()]), truth


def rewrite(path, change):
    """Apply a function to a file's bytes."""
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def test_two_files_and_what_they_hold():
    """Shapes, types, ranges and names of what is prepared; cases in the order of their ids."""
    prepared = prepare(load_benchmark(QUICK), "test")
    sinograms, truth = arrays_of(prepared)
    assert prepared.cases == 24
    assert prepared.groups == 1
    assert sinograms.shape == (24, 12, 32)
    assert truth.images.shape == (24, 32, 32)
    assert truth.images.dtype == sinograms.dtype == np.float32
    assert truth.images.min() >= 0
    assert truth.images.max() <= 1
    assert np.all(truth.images[:, ~disc_mask(32)] == 0)
    assert np.isfinite(sinograms).all()
    assert truth.case_ids == prepared.case_ids
    assert len(set(truth.case_ids)) == len(set(truth.object_ids)) == 24
    assert truth.held_out is None
    (batch,) = prepared.inputs()
    assert batch.geometry == Geometry(equal_angles(12), 32)
    assert batch.non_negative


def test_batches_join_to_the_whole():
    """Cut into batches of five or of a hundred, the cases are the same in the same order."""
    prepared = prepare(load_benchmark(QUICK), "test")
    lengths = [len(batch.sinograms) for batch in prepared.inputs(5)]
    assert lengths == [5, 5, 5, 5, 4]
    joined = np.concatenate([batch.sinograms for batch in prepared.inputs(5)])
    assert np.array_equal(joined, np.concatenate([batch.sinograms for batch in prepared.inputs(100)]))


def test_truth_is_not_in_the_inputs():
    """No row of a true image, no case id and no noise figure is among the bytes that a method may read."""
    prepared = prepare(load_benchmark(QUICK), "test")
    content = prepared.inputs_path.read_bytes()
    _, truth = arrays_of(prepared)
    for image in truth.images:
        for row in image[np.ptp(image, axis=1) > 0]:
            assert row.tobytes() not in content
    for name in {*truth.case_ids, *truth.object_ids, "grains", "case_ids", "noise_norm", "images"}:
        assert name.encode() not in content
    for figure in truth.noise_norm:
        assert figure.tobytes() not in content
    with h5py.File(prepared.inputs_path) as file:
        assert list(file) == ["0000"]
        assert list(file["0000"]) == ["sinograms"]


def test_noise_norm_is_what_the_truth_leaves():
    """‖y − Ax‖ of the truth x with the solver's projector: at least the counting noise, at most half as much again."""
    prepared = prepare(load_benchmark("low-dose/grains-32"), "test")
    sinograms, truth = arrays_of(prepared)
    inputs = next(prepared.inputs())
    left = sinograms - operator(inputs.geometry)(truth.images).astype(np.float64)
    np.testing.assert_allclose(truth.noise_norm, np.sqrt(np.sum(left**2, axis=(1, 2))), rtol=1e-6)
    counting = np.sqrt(np.sum(np.exp(sinograms.astype(float)) / 1e3, axis=(1, 2)))
    assert np.all(truth.noise_norm > counting)
    assert np.all(truth.noise_norm < 1.5 * counting)


def test_cases_do_not_depend_on_how_many_there_are(monkeypatch):
    """The first three of ten cases are the three of three, bit by bit, noise included."""
    few, many = [], []
    for count, kept in ((3, few), (10, many)):
        monkeypatch.setattr(benchmark_module, "TEST_IMAGES", count)
        for split in ("test", "ood:rings"):
            sinograms, truth = arrays_of(prepare(load_benchmark(QUICK), split))
            assert len(sinograms) == count
            kept.append((sinograms[:3], truth.images[:3], truth.case_ids[:3], truth.noise_norm[:3]))
    for one, other in zip(few, many, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            assert np.array_equal(mine, theirs)


def test_noise_is_not_shared_between_cases_or_splits():
    """Two objects, and one object in two splits, have different noise."""
    benchmark = load_benchmark("low-dose/shapes-32")
    clean, _ = arrays_of(prepare(load_benchmark("low-dose/shapes-32"), "test"))
    fainter, _ = arrays_of(prepare(benchmark, "ood:lower-dose"))
    air = (slice(None), slice(None), slice(0, 2))  # outside the object there is nothing but noise
    assert abs(np.corrcoef(clean[0][air[1:]].ravel(), clean[1][air[1:]].ravel())[0, 1]) < 0.6
    assert abs(np.corrcoef(clean[air].ravel(), fainter[air].ravel())[0, 1]) < 0.1


def test_same_recipe_same_digests(monkeypatch, tmp_path):
    """A fresh cache elsewhere holds content of the same digests in a folder of the same name."""
    first = prepare(load_benchmark(QUICK), "test")
    monkeypatch.setenv("TOMOBENCH_CACHE", str(tmp_path / "elsewhere"))
    second = prepare(load_benchmark(QUICK), "test")
    assert second.folder != first.folder
    assert second.folder.name == first.folder.name
    assert (second.inputs_digest, second.truth_digest) == (first.inputs_digest, first.truth_digest)
    assert second == prepare(load_benchmark(QUICK), "test")


def test_prepared_data_are_reused():
    """A second call writes nothing, and nothing half made is left beside."""
    first = prepare(load_benchmark(QUICK), "test")
    stamp = first.inputs_path.stat().st_mtime_ns
    assert prepare(load_benchmark(QUICK), "test") == first
    assert first.inputs_path.stat().st_mtime_ns == stamp
    assert [path.name for path in first.folder.parent.iterdir()] == [first.folder.name]
    assert sorted(path.name for path in first.folder.iterdir()) == ["inputs.h5", "manifest.json", "truth.h5"]


def test_progress_is_told():
    """The last report says that all cases are done."""
    reports = []
    prepare(load_benchmark(QUICK), "test", lambda done, total: reports.append((done, total)))
    assert reports[-1] == (24, 24)


def damage_a_value(prepared):
    """Change the bytes of one stored sinogram value."""
    sinograms, _ = arrays_of(prepared)
    needle = sinograms[3, 4].tobytes()

    def change(content):
        content[content.index(needle) + 2] ^= 0xFF

    rewrite(prepared.inputs_path, change)


def damage_the_truth(prepared):
    """Put another image in the truth."""
    with h5py.File(prepared.truth_path, "r+") as file:
        file["0000/images"][0] = 0.5


def damage_an_attribute(prepared):
    """Tell methods another pixel size."""
    with h5py.File(prepared.inputs_path, "r+") as file:
        file["0000"].attrs["pixel_size"] = 1.0


def cut_short(prepared):
    """Lose the second half of the file, as a full disk does."""
    rewrite(prepared.truth_path, lambda content: content.__delitem__(slice(len(content) // 2, None)))


def empty_the_manifest(prepared):
    """Leave an empty manifest."""
    (prepared.folder / "manifest.json").write_text("")


def lose_the_inputs(prepared):
    """Remove one of the files."""
    prepared.inputs_path.unlink()


@pytest.mark.parametrize(
    "damage",
    [damage_a_value, damage_the_truth, damage_an_attribute, cut_short, empty_the_manifest, lose_the_inputs],
)
def test_damaged_data_are_made_again(damage):
    """What no longer has its digest is replaced by the same data as before."""
    first = prepare(load_benchmark(QUICK), "test")
    expected, _ = arrays_of(first)
    damage(first)
    again = prepare(load_benchmark(QUICK), "test")
    assert again == first
    found, truth = arrays_of(again)
    assert np.array_equal(found, expected)
    assert not np.all(truth.images[0] == 0.5)


def test_damage_anywhere_in_the_file_is_survived():
    """Any byte of the HDF5 structure may be hit (seeded sample of 60): the data are as before, or made again."""
    first = prepare(load_benchmark(QUICK), "test")
    chance = random.Random(1)
    for _ in range(60):
        place, value = chance.randrange(3000), chance.randrange(256)
        rewrite(first.inputs_path, lambda content, place=place, value=value: content.__setitem__(place, value))
        again = prepare(load_benchmark(QUICK), "test")
        assert again.inputs_digest == first.inputs_digest


@pytest.mark.parametrize("text", ["[]", "null", '{"inputs": 1}', "{}"])
def test_strange_manifest_is_made_again(text):
    """A manifest that is JSON but not ours is a damaged one."""
    first = prepare(load_benchmark(QUICK), "test")
    (first.folder / "manifest.json").write_text(text)
    assert prepare(load_benchmark(QUICK), "test") == first


def test_manifest_without_notes_is_made_again():
    """Every entry of the manifest is needed, the notes too."""
    first = prepare(load_benchmark(QUICK), "test")
    path = first.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["notes"]
    path.write_text(json.dumps(manifest))
    assert prepare(load_benchmark(QUICK), "test") == first


def test_every_split_differs_from_test():
    """All out-of-distribution splits of one benchmark can be prepared, and each asks something else."""
    benchmark = load_benchmark("sparse-view/shapes-32")
    digests = {name: prepare(benchmark, name).inputs_digest for name in [*benchmark.scored_splits, "validation"]}
    assert len(set(digests.values())) == len(digests) == 9
    test, truth = arrays_of(prepare(benchmark, "test"))
    offset, same_truth = arrays_of(prepare(benchmark, "ood:centre-offset"))
    assert np.array_equal(truth.images, same_truth.images)
    # the faults are of the same objects: their projections lie one detector to the right
    assert np.abs(offset[:, :, 1:] - test[:, :, :-1]).mean() < 0.3 * np.abs(offset - test).mean()


def test_test_and_validation_share_no_object():
    """Nothing that tunes a method is scored."""
    benchmark = load_benchmark("sparse-view/natural-32")
    _, test = arrays_of(prepare(benchmark, "test"))
    _, validation = arrays_of(prepare(benchmark, "validation"))
    assert not set(test.object_ids) & set(validation.object_ids)
    assert not set(test.case_ids) & set(validation.case_ids)


@pytest.mark.parametrize(
    "library",
    [
        "shapes",
        "shapes-legacy",
        "natural",
        "grains",
        "foam",
    ],
)
def test_smallest_size_that_is_offered(library):
    """An id of the smallest allowed size can be prepared."""
    prepared = prepare(load_benchmark(f"reconstruction/{library}-16"), "test")
    assert prepared.cases == 24


def test_unknown_split():
    """A split that the benchmark has not is refused before anything is made."""
    with pytest.raises(UnknownName, match="did you mean test"):
        prepare(load_benchmark(QUICK), "tets")


@pytest.fixture
def scans(tmp_path, disc):
    """A user's library of one simulated disc, 60 angles by 48 detectors; and the disc."""
    angles = equal_angles(60)
    np.save(tmp_path / "disc.npy", disc.sinogram(angles, 48, 4 / 48)[0].astype(np.float32))
    user.add("mydisc", tmp_path / "disc.npy", angles="0:180")
    return disc


@pytest.mark.parametrize(("family", "handed"), [("sparse-view", 15), ("limited-angle", 40)])
def test_measured_benchmark(scans, family, handed):
    """Held-out angles are those not handed over, none lost; the reference is the disc, its value brought to one."""
    benchmark = load_benchmark(f"{family}/mydisc")
    assert benchmark.measured
    assert benchmark.id == f"{family}/mydisc@1"
    prepared = prepare(benchmark, "test")
    (batch,) = prepared.inputs()
    (truth,) = prepared.truth()
    told, held = batch.geometry.angles, truth.held_out_geometry.angles
    assert len(told) == handed
    assert not set(told) & set(held)
    np.testing.assert_allclose(np.sort(np.r_[told, held]), equal_angles(60), atol=1e-12)
    assert truth.held_out.shape == (1, 60 - handed, 48)
    assert np.isnan(truth.noise_norm).all()
    expected = scans.image(48)[0] / scans.mu
    inside = disc_mask(48)
    assert np.sqrt(np.mean((truth.images[0] - expected)[inside] ** 2)) < 0.08
    np.testing.assert_allclose(truth.images[0][expected > 0.999].mean(), 1.0, atol=0.1)
    # the held-out projections are the disc's own, on the scale of the inputs
    disc_seen, disc_held = scans.sinogram(told, 48, 4 / 48), scans.sinogram(held, 48, 4 / 48)
    scale = np.sum(batch.sinograms * disc_seen) / np.sum(disc_seen**2)
    np.testing.assert_allclose(truth.held_out, scale * disc_held, atol=0.02 * truth.held_out.max())


def test_measured_benchmark_with_fewer_angles(scans):
    """Half of the handed-over angles, the same held-out projections and the same reference."""
    benchmark = load_benchmark("sparse-view/mydisc")
    plain, thinned = prepare(benchmark, "test"), prepare(benchmark, "ood:fewer-angles")
    (before,), (after,) = plain.inputs(), thinned.inputs()
    np.testing.assert_array_equal(after.geometry.angles, before.geometry.angles[::2])
    np.testing.assert_array_equal(after.sinograms, before.sinograms[:, ::2])
    (one,), (other,) = plain.truth(), thinned.truth()
    np.testing.assert_array_equal(one.held_out, other.held_out)
    np.testing.assert_array_equal(one.images, other.images)
    assert thinned.truth_digest == plain.truth_digest


def test_measured_benchmark_at_a_smaller_size(scans):
    """Detectors are averaged; the disc keeps its place and, up to the common scale, its attenuation."""
    (truth,) = prepare(load_benchmark("sparse-view/mydisc-24"), "test").truth()
    expected = scans.image(48)[0].reshape(24, 2, 24, 2).mean(axis=(1, 3)) / scans.mu
    assert truth.images.shape == (1, 24, 24)
    assert np.corrcoef(truth.images[0].ravel(), expected.ravel())[0, 1] > 0.97


def test_measured_benchmark_has_no_more_detectors_than_measured(scans):
    """A size above the number of detectors is refused, not invented."""
    with pytest.raises(UsageError, match="has 48 detectors; ask for that or less"):
        prepare(load_benchmark("sparse-view/mydisc-64"), "test")
