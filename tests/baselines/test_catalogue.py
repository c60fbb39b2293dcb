"""Finding methods: shipped, with parameters, in a file or a module, without ever running what was found."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tomobench.baselines import Method, build_method, find_method, list_methods, load_method
from tomobench.baselines.catalogue import SHIPPED, method_info, shipped_class
from tomobench.baselines.parameters import TUNING_BUDGET
from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.benchmarks.operators import operator
from tomobench.errors import UnknownName, UsageError

SCAN = Geometry(equal_angles(10), 20, image_size=16)
INPUTS = ReconstructionInputs(operator(SCAN)(np.ones((2, 16, 16))), SCAN)

FILE = """
import numpy as np

class Constant:
    def __init__(self, value=0.5):
        self.value = value
    def predict(self, inputs):
        return np.full(inputs.answer_shape, self.value, np.float32)

ready = Constant(0.25)

def function(inputs):
    return np.full(inputs.answer_shape, 0.75, np.float32)

class Holder:
    inner = Constant

number = 3
"""


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch):
    """What building a method adds to the import system is taken back."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and "pytest-of" in (sys.modules[name].__file__ or ""):
            del sys.modules[name]


@pytest.fixture
def file(tmp_path):
    """A user's file with methods of every kind."""
    path = tmp_path / "my_methods.py"
    path.write_text(FILE)
    return path


def test_shipped_methods_are_listed():
    """The five baselines come first."""
    assert list_methods()[:5] == ["fbp", "sirt", "cgls", "tv", "zero"]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_methods(name):
    """Each is found by its own name, answers (N, rows, columns) float32, and declares itself."""
    method = find_method(name)
    assert (method.name, method.kind) == (name, "shipped")
    adapter = build_method(method)
    assert adapter.name == name
    answer = adapter.predict(INPUTS)
    assert answer.dtype == np.float32
    assert answer.shape == (2, 16, 16)
    assert np.isfinite(answer).all()
    assert method_info(name).training_data == "none"
    assert method_info(name).parameters == 0


@pytest.mark.parametrize("name", SHIPPED)
def test_tuning_budget(name):
    """No shipped method tries more parameter sets than the budget; each can be made, and none twice."""
    candidates = find_method(name).candidates
    assert len(candidates) <= TUNING_BUDGET == 8
    for parameters in candidates:
        made = build_method(find_method(name), parameters)
        assert {key: getattr(made, key) for key in parameters} == parameters
    assert len({json.dumps(parameters, sort_keys=True) for parameters in candidates}) == len(candidates)


def test_zero_answers_zero():
    """The floor is the all-zero image."""
    assert np.all(load_method("zero").predict(INPUTS) == 0)


def test_fixed_parameters():
    """``sirt[iterations=5]`` runs five iterations, is not tuned, and keeps the method's identity."""
    method = find_method("sirt[iterations=5]")
    assert (method.name, method.parameters, method.candidates) == ("sirt[iterations=5]", {"iterations": 5}, ())
    assert method.identity == find_method("sirt").identity
    expected = load_method("sirt", iterations=5).predict(INPUTS)
    np.testing.assert_array_equal(build_method(method).predict(INPUTS), expected)
    # what the user fixed wins over what tuning chose
    np.testing.assert_array_equal(build_method(method, {"iterations": 50}).predict(INPUTS), expected)


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        ("fbp[filter=hann,cutoff=0.5]", {"filter": "hann", "cutoff": 0.5}),
        ("fbp[ filter = hann ]", {"filter": "hann"}),
        ("fbp[filter='hann']", {"filter": "hann"}),
        ("tv[strength=1e-3]", {"strength": 1e-3}),
        ("sirt[]", {}),
    ],
)
def test_parameter_spellings(spec, parameters):
    """Numbers are numbers, quoted or bare text is text, spaces do not matter."""
    assert find_method(spec).parameters == parameters


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("sirt[iterations=0]", "sirt: iterations: expected a whole number of at least 1, found 0"),
        ("sirt[iterations=ten]", "found 'ten'"),
        ("sirt[5]", r"expected NAME\[key=value,…\], found '5'"),
        ("fbp[filter=hamming]", "expected one of ram-lak, shepp-logan, hann"),
        ("tv[strength=__import__('os')]", "tv: strength"),
    ],
)
def test_wrong_values(spec, words):
    """A wrong value is refused when the method is found, not in a worker."""
    with pytest.raises(UsageError, match=words) as caught:
        find_method(spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spec", ["sirt[iteration=5]", "zero[value=1]", "sirt[=5]"])
def test_unknown_parameters(spec):
    """A parameter that the method has not is one clear line too."""
    with pytest.raises((UsageError, UnknownName)):
        find_method(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("sirtt", "did you mean sirt"),
        ("fbpp", "did you mean fbp"),
        ("FBP", "known: cgls, fbp, sirt, tv, zero"),
        ("", "unknown method"),
    ],
)
def test_unknown_names(spec, words):
    """The nearest names are offered, and the ways to name one's own."""
    with pytest.raises(UnknownName, match=words) as caught:
        find_method(spec)
    assert "module:Object" in str(caught.value)


@pytest.mark.parametrize(
    ("attribute", "value"), [("Constant", 0.5), ("ready", 0.25), ("function", 0.75), ("Holder.inner", 0.5)]
)
def test_file(file, attribute, value):
    """A class, an instance, a function and an attribute of a class in a file of the user's."""
    method = find_method(f"{file}:{attribute}")
    assert (method.kind, method.name) == ("file", f"my_methods:{attribute}")
    np.testing.assert_array_equal(build_method(method).predict(INPUTS), np.full((2, 16, 16), value))


def test_file_relative_to_the_current_folder(file, monkeypatch):
    """``my_methods.py:ready`` and ``./my_methods.py:ready`` are found from where the user is, and built elsewhere."""
    monkeypatch.chdir(file.parent)
    for spec in ("my_methods.py:ready", "./my_methods.py:ready"):
        method = find_method(spec)
        monkeypatch.chdir("/")
        assert build_method(method).predict(INPUTS)[0, 0, 0] == 0.25
        monkeypatch.chdir(file.parent)


def test_file_may_import_its_neighbours(tmp_path):
    """A file's own folder is importable to it."""
    (tmp_path / "neighbour_of_mine.py").write_text("VALUE = 0.125\n")
    path = tmp_path / "uses_neighbour.py"
    path.write_text("from neighbour_of_mine import VALUE\n" + FILE + "mine = Constant(VALUE)\n")
    assert build_method(find_method(f"{path}:mine")).predict(INPUTS)[0, 0, 0] == 0.125


def test_module_by_the_current_folder(file, monkeypatch):
    """``module:Object`` is looked for where the user is, and found again from elsewhere."""
    monkeypatch.chdir(file.parent)
    method = find_method("my_methods:function")
    assert (method.kind, method.search_path) == ("module", (str(file.parent),))
    monkeypatch.chdir("/")
    assert build_method(method).predict(INPUTS)[0, 0, 0] == 0.75


def test_module_in_a_package(tmp_path, monkeypatch):
    """A dotted module is found without importing its package."""
    package = tmp_path / "pack_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "inner.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    assert find_method("pack_of_mine.inner:ready").kind == "module"
    (package / "__init__.py").write_text("")
    assert build_method(find_method("pack_of_mine.inner:ready")).predict(INPUTS)[0, 0, 0] == 0.25


def test_module_of_an_editable_install():
    """A module that only an import hook knows, as an editable install's, is found too: this package's own is one."""
    assert find_method("tomobench.baselines.zero:Zero").kind == "module"


def test_finding_runs_nothing(tmp_path, monkeypatch):
    """A file that raises, and one that is not even Python, can be found by path and by module; building raises."""
    for name, text in (("raises_on_import", "raise RuntimeError('ran')\n"), ("not_python", "def (:\n")):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        monkeypatch.chdir(tmp_path)
        assert find_method(f"{path}:Object").kind == "file"
        assert find_method(f"{name}:Object").kind == "module"
        assert name not in sys.modules
        with pytest.raises((RuntimeError, SyntaxError)):
            build_method(find_method(f"{path}:Object"))


def test_identity_follows_the_code(file):
    """Another content is another identity, another object of the same file is not another content."""
    before = find_method(f"{file}:ready")
    assert before.identity == find_method(f"{file}:function").identity
    file.write_text(FILE + "# changed\n")
    assert find_method(f"{file}:ready").identity != before.identity


def test_missing_file(tmp_path):
    """A path that leads nowhere, and a folder, are named."""
    for place in (tmp_path / "absent.py", tmp_path):
        with pytest.raises(UsageError, match="no file"):
            find_method(f"{place}:Object")


@pytest.mark.parametrize("spec", ["no_such_module_here:Object", "json.no_such_part:Object", "a..b:c"])
def test_missing_module(spec):
    """A module nobody installed is named, with the way to a file."""
    with pytest.raises(UsageError, match=r"no module .*; install it, or give path/to/file.py:Object"):
        find_method(spec)


@pytest.mark.parametrize("spec", [":", "module:", ":Object"])
def test_half_a_spec(spec):
    """Both halves are needed."""
    with pytest.raises(UsageError, match=r"expected module:Object or path/to/file\.py:Object"):
        find_method(spec)


def test_missing_object(file):
    """The nearest object of the file is offered."""
    with pytest.raises(UnknownName, match="did you mean Constant"):
        build_method(find_method(f"{file}:Constent"))
    with pytest.raises(UnknownName, match="'outer'"):
        build_method(find_method(f"{file}:Holder.outer"))


def test_object_that_is_no_method(file):
    """A number in the file is refused by the protocol's own words."""
    with pytest.raises(Exception, match="expected an object with predict"):
        build_method(find_method(f"{file}:number"))


def test_outside_methods_take_no_parameters_in_a_spec(file):
    """Only shipped methods are parametrised by name."""
    with pytest.raises(UsageError, match="only shipped methods take parameters"):
        find_method(f"{file}:Constant[value=1]")


def test_file_named_like_a_library(tmp_path):
    """A user's file called ``secrets.py`` does not replace the standard library's module of that name."""
    import secrets

    path = tmp_path / "secrets.py"
    path.write_text(FILE)
    try:
        build_method(find_method(f"{path}:ready"))
        assert sys.modules["secrets"] is secrets
    finally:
        sys.modules["secrets"] = secrets


def test_job_file_round_trip(file):
    """A method goes to a worker as JSON and comes back the same, but for tuples."""
    for spec in ("sirt", "fbp[filter=hann]", f"{file}:ready"):
        method = find_method(spec)
        back = Method(**json.loads(json.dumps(method.to_json())))
        assert (back.name, back.target, back.identity, back.parameters) == (
            method.name,
            method.target,
            method.identity,
            method.parameters,
        )
        assert build_method(back).predict(INPUTS).shape == (2, 16, 16)


def test_load_method_takes_keywords():
    """``load_method("fbp", filter="hann")`` from Python."""
    assert load_method("fbp", filter="hann", cutoff=0.5).cutoff == 0.5
    assert shipped_class("fbp")().filter == "ram-lak"
