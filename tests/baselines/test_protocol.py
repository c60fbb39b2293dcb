"""The predict protocol: what is taken for a method, and what a row may say of it."""

from __future__ import annotations

import numpy as np
import pytest

from tomobench.baselines import Adapter, AdapterInfo, as_adapter
from tomobench.baselines.protocol import info_of
from tomobench.benchmarks import Geometry, ReconstructionInputs, equal_angles
from tomobench.errors import PredictionError

INPUTS = ReconstructionInputs(np.ones((2, 5, 8)), Geometry(equal_angles(5), 8, image_size=6))


class Constant:
    """A method of the simplest kind."""

    def __init__(self, value=0.5):
        self.value = value

    def predict(self, inputs):
        """The same everywhere."""
        return np.full(inputs.answer_shape, self.value, np.float32)


def constant(inputs):
    """A method that is a function."""
    return np.full(inputs.answer_shape, 0.5, np.float32)


@pytest.mark.parametrize("candidate", [Constant, Constant(), constant, lambda inputs: constant(inputs)])
def test_class_instance_and_function(candidate):
    """Each becomes an adapter with the same answer."""
    adapter = as_adapter(candidate)
    assert isinstance(adapter, Adapter)
    np.testing.assert_array_equal(adapter.predict(INPUTS), np.full((2, 6, 6), 0.5))


def test_parameters_go_to_the_constructor():
    """A class is made with the parameters, an instance is taken as it is."""
    assert as_adapter(Constant, {"value": 0.25}).predict(INPUTS)[0, 0, 0] == 0.25
    instance = Constant(0.75)
    assert as_adapter(instance) is instance


def test_function_keeps_its_name():
    """A row shows the function's own name."""
    assert as_adapter(constant).name == "constant"


@pytest.mark.parametrize("candidate", [3, "sirt", None, np.ones(3), object(), object, np])
def test_what_is_no_method(candidate):
    """Numbers, text, arrays, modules and classes without predict are refused in one line that says what is expected."""
    with pytest.raises(PredictionError, match=r"expected an object with predict\(inputs\)") as caught:
        as_adapter(candidate)
    assert "\n" not in str(caught.value)


def test_predict_that_is_no_function():
    """An attribute called predict that cannot be called is no method."""
    candidate = type("Odd", (), {"predict": 3})()
    with pytest.raises(PredictionError, match="Odd"):
        as_adapter(candidate)


def test_info():
    """A usable declaration is taken, a missing or odd one reads as undeclared."""
    declared = AdapterInfo(framework="torch", parameters=7, training_data="shapes train")
    assert info_of(type("A", (), {"info": declared})()) is declared
    for odd in (object(), type("B", (), {"info": {"framework": "torch"}})(), as_adapter(constant)):
        assert info_of(odd).training_data == "undeclared"
