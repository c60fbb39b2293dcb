"""Methods that answer rightly, wrongly or not at all; the tests name them to the harness as ``methods.py:OBJECT``."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tomobench.baselines.protocol import AdapterInfo

MARK = os.environ.get("TOMOBENCH_TEST_MARK", "no-mark")  # on the command line of every process that a method starts


def smear(inputs):
    """A right answer: every row is the mean projection, so cases differ and no image is constant."""
    rows = inputs.sinograms.mean(axis=1)[:, None, : inputs.geometry.image_size] / inputs.geometry.image_size
    return np.broadcast_to(rows, inputs.answer_shape).astype(np.float32)


# --- answers of the right values in another container


def float64(inputs):
    return smear(inputs).astype(np.float64)


def big_endian(inputs):
    return smear(inputs).astype(">f4")


def fortran_order(inputs):
    return np.asfortranarray(smear(inputs))


def non_contiguous(inputs):
    return np.repeat(smear(inputs), 2, axis=2)[:, :, ::2]


def read_only(inputs):
    answer = smear(inputs)
    answer.flags.writeable = False
    return answer


def broadcast_view(inputs):
    return np.broadcast_to(smear(inputs)[:, :1], inputs.answer_shape)


class Labelled(np.ndarray):
    pass


def subclass(inputs):
    return smear(inputs).view(Labelled)


def memmap(inputs):
    answer = smear(inputs)
    with tempfile.NamedTemporaryFile() as file:
        mapped = np.memmap(file.name, np.float32, "w+", shape=answer.shape)
    mapped[...] = answer
    return mapped


def mutates(inputs):
    answer = smear(inputs)
    inputs.sinograms[...] = 0
    return answer


# --- answers that can be scored, though not well


def float16(inputs):
    return smear(inputs).astype(np.float16)


def negative(inputs):
    return -1 - smear(inputs)


def huge(inputs):
    return smear(inputs) + np.float32(1e30)


def constant(inputs):
    return np.full(inputs.answer_shape, 0.25, np.float32)


# --- answers that cannot be scored


def none(inputs):
    return None


def nan(inputs):
    answer = smear(inputs)
    answer[0, 1, 2] = np.nan
    return answer


def infinite(inputs):
    answer = smear(inputs)
    answer[-1, -1, -1] = -np.inf
    return answer


def overflow(inputs):
    return np.full(inputs.answer_shape, 1e300)


def wrong_shape(inputs):
    return smear(inputs)[:, 1:, 1:]


def one_for_all(inputs):
    return smear(inputs)[:1]


def scalar(inputs):
    return np.float32(0.5)


def extra_axis(inputs):
    return smear(inputs)[:, None]


def no_batch_axis(inputs):
    return smear(inputs)[0]


def transposed(inputs):
    return np.moveaxis(smear(inputs), 0, -1)


def complex_numbers(inputs):
    return smear(inputs).astype(np.complex64)


def boolean(inputs):
    return smear(inputs) > 0


def uint8(inputs):
    return smear(inputs).astype(np.uint8)


def integers(inputs):
    return smear(inputs).astype(np.int64)


def objects(inputs):
    return smear(inputs).astype(object)


def text(inputs):
    return smear(inputs).astype(str)


def masked(inputs):
    return np.ma.masked_less(smear(inputs), 0.01)


def lists(inputs):
    return smear(inputs).tolist()


class Tensor:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


Tensor.__module__ = "torch"


def torch_tensor(inputs):
    return Tensor(smear(inputs))


# --- no answer at all


def raises(inputs):
    raise ValueError("deliberate,\non two lines")


def unprintable(inputs):
    raise ValueError("a file name of another encoding: \udcff, and an escape \x1b[2J")


def sys_exit(inputs):
    sys.exit(0)


def exit_0(inputs):
    os._exit(0)


def exit_3(inputs):
    os._exit(3)


def segfault(inputs):
    ctypes.string_at(0)


def hang(inputs):
    time.sleep(600)


class HangsWhenMade:
    def __init__(self):
        time.sleep(600)


def slow(inputs):
    time.sleep(2)
    return smear(inputs)


def hog(inputs):
    return np.ones(2 * 10**9, np.uint8)


def floods_stdout(inputs):
    for _ in range(200):
        sys.stdout.write("x" * 999_999 + "\n")
    return smear(inputs)


# --- methods that start processes of their own


def _child(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, MARK], start_new_session=True)


def child_hogs(inputs):
    _child("import time; b = bytearray(b'x') * 2 * 10**9; time.sleep(600)").wait()


def leaves_a_child(inputs):
    _child("import time; time.sleep(600)")
    return smear(inputs)


def leaves_a_child_and_dies(inputs):
    _child("import time; time.sleep(600)")
    os._exit(0)


def leaves_a_daemon(inputs):
    _child("import os, time; os.fork() and os._exit(0); os.setsid(); time.sleep(600)").wait()
    time.sleep(0.5)
    return smear(inputs)


# --- reports that the harness did not write


def forger(report: dict[str, Any] | str) -> Callable[[Any], Any]:
    def forge(inputs):
        Path("0.json").write_text(report if isinstance(report, str) else json.dumps({"message": ""} | report))
        os._exit(0)

    return forge


forged_ok = forger({"status": "ok"})
forged_status = forger({"status": "first place"})
forged_memory = forger({"status": "error", "peak_memory": "little"})
forged_seconds = forger({"status": "error", "seconds": "none"})
forged_info = forger({"status": "error", "info": "none"})
forged_info_fields = forger({"status": "error", "info": {"parameters": ["many"], "training_data": 7}})
forged_nothing = forger("[]")
forged_torn = forger('{"status": "o')


# --- methods that are found, or not, and what they declare


class Adapter:
    """A class as the template shows it."""

    name = "adapter"
    info = AdapterInfo(framework="test", parameters=12, training_data="none", reference="nobody")

    def predict(self, inputs):
        return smear(inputs)


instance = Adapter()


class NeedsArguments(Adapter):
    def __init__(self, weights):
        self.weights = weights


class Tuned(Adapter):
    """The best factor of the five is 1: smear itself has the scale of attenuation, roughly."""

    candidates = ({"factor": 100.0}, {"factor": 1.0}, {"factor": -5.0})

    def __init__(self, factor=0.0):
        self.factor = factor

    def predict(self, inputs):
        return np.float32(self.factor) * smear(inputs)


tuned_instance = Tuned(1.0)


class SlowButBetter(Tuned):
    """The better candidate needs five seconds for a batch."""

    candidates = ({"factor": 100.0}, {"factor": 1.0})

    def predict(self, inputs):
        time.sleep(5 if self.factor == 1 else 0)
        return super().predict(inputs)


class TriesTooMuch(Tuned):
    candidates = tuple({"factor": float(k)} for k in range(20))


class OddCandidates(Tuned):
    candidates = ({"factor": np.float32(1)},)


class OddInfo(Adapter):
    """What an honest hurry declares: none of it has the declared type."""

    info = AdapterInfo(parameters="12 M", training_data=None, framework=None)  # type: ignore[arg-type]


class Omniscient(Adapter):
    """Answers with the truth, which an unisolated worker can find."""

    candidates = ({}, {})

    def predict(self, inputs):
        from tomobench.benchmarks.benchmark import load_benchmark
        from tomobench.benchmarks.prepare import prepare

        for split in ("test", "validation"):
            prepared = prepare(load_benchmark("sparse-view/shapes-32"), split)
            if np.array_equal(next(prepared.inputs(10**6)).sinograms, inputs.sinograms):
                return next(prepared.truth()).images
        raise LookupError("unknown split")
