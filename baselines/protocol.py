"""The predict protocol: all that a method must offer to be scored.

A method is an object with ``predict(inputs) -> array``: a batch in, a batch out, float32, order kept. A plain function
of the inputs is a method too, and so is a class whose instances have ``predict`` (it is made without arguments).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..benchmarks.tasks import TaskInputs
from ..errors import PredictionError, UnknownName


@dataclass(frozen=True)
class AdapterInfo:
    """What a leaderboard row says about a method.

    ``parameters`` counts learned numbers; ``training_data`` declares what it learned from, "none" for methods that
    did not learn; ``version`` rises when the method's answers may change.
    """

    framework: str = "numpy"
    parameters: int = 0
    training_data: str = "none"
    reference: str = ""
    version: int = 1


@runtime_checkable
class Adapter(Protocol):
    """An object that answers a task.

    Optional attributes: ``name``, ``info`` (AdapterInfo), ``candidates`` (parameter sets to tune over; the constructor
    then takes them as keywords), ``fit(training)``, ``save(folder)``, ``load(folder)``.
    """

    def predict(self, inputs: TaskInputs) -> NDArray[np.float32]:
        """Return (N, rows, columns) float32 for the N cases of ``inputs``, in their order."""


# An adapter that says nothing of itself; "none" would claim that it did not learn.
UNDECLARED = AdapterInfo(framework="undeclared", training_data="undeclared")


class FunctionAdapter:
    """A plain function of the inputs, as an adapter."""

    def __init__(self, function: Callable[[TaskInputs], NDArray[np.float32]]) -> None:
        self.name = getattr(function, "__name__", "function")
        self.info = UNDECLARED
        self._function = function

    def predict(self, inputs: TaskInputs) -> NDArray[np.float32]:
        """Call the function."""
        return self._function(inputs)


def as_adapter(candidate: Any, parameters: dict[str, Any] | None = None) -> Adapter:
    """Return an adapter for an adapter, an adapter class or a plain function.

    ``parameters`` go to a class's constructor. Raises PredictionError for anything else.
    """
    if isinstance(candidate, type):
        check_parameters(candidate, parameters or {})
        candidate = candidate(**(parameters or {}))
    if callable(getattr(candidate, "predict", None)):
        return cast(Adapter, candidate)
    if callable(candidate):
        return FunctionAdapter(candidate)
    raise PredictionError(
        f"method {candidate!r}: expected an object with predict(inputs), a class of such objects or a function, "
        f"found {type(candidate).__name__}; see docs/adding-a-method.md"
    )


def info_of(adapter: Any) -> AdapterInfo:
    """The adapter's ``info`` where it declares a usable one, else "undeclared"."""
    info = getattr(adapter, "info", None)
    return info if isinstance(info, AdapterInfo) else UNDECLARED


def candidates_of(found: Any) -> tuple[Any, ...]:
    """The parameter sets that an adapter class declares; an instance or a function was made with its own already."""
    return tuple(getattr(found, "candidates", ())) if isinstance(found, type) else ()


def check_parameters(cls: type, parameters: dict[str, Any]) -> None:
    """Raise UnknownName for a keyword that the class's constructor does not take."""
    known = inspect.signature(cls).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
        return
    for key in parameters:
        if key not in known:
            raise UnknownName(f"parameter of {getattr(cls, 'name', cls.__name__)}", key, known)
