"""Answers as they come back: checked in the worker as arrays, then in the parent as files nobody trusts."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PredictionError

HEADER_CAP = 4096  # bytes of .npy header beyond the data


def check_answer(answer: Any, shape: tuple[int, ...], source: str = "predict returned") -> NDArray[np.float32]:
    """Return what ``predict`` gave as (N, rows, columns) float32, or raise PredictionError naming the mend.

    ``source`` begins the complaint: where the answer came from.

    Floating arrays of any layout are taken and cast; integers, booleans, complex numbers, masked arrays and anything
    that is not a NumPy array are refused, since each would be scored as something it may not mean.
    """
    if answer is None:
        raise PredictionError(f"{source} None; return the array")
    if not isinstance(answer, np.ndarray):
        kind = f"{type(answer).__module__}.{type(answer).__name__}"
        mend = "call .detach().cpu().numpy()" if "torch" in kind else "call np.asarray(…, dtype=np.float32)"
        raise PredictionError(f"{source} {kind}; expected a NumPy array; {mend}")
    if isinstance(answer, np.ma.MaskedArray):
        raise PredictionError(f"{source} a masked array; fill it: .filled(value)")
    array = np.asarray(answer)
    if array.dtype.kind != "f":
        raise PredictionError(f"{source} {array.dtype}; expected float32; convert with .astype(np.float32)")
    if array.shape != shape:
        raise PredictionError(f"{source} shape {array.shape}; expected {shape}{_shape_hint(array.shape, shape)}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        first = tuple(int(i) for i in np.unravel_index(bad[0], array.shape))
        raise PredictionError(f"{source} {bad.size} NaN or Inf, first at {first} of its batch; check the method")
    return array


def _shape_hint(found: tuple[int, ...], expected: tuple[int, ...]) -> str:
    if tuple(side for side in found if side != 1) == tuple(side for side in expected if side != 1):
        return "; an axis of length 1 is too many or missing: use .reshape"
    if found == expected[1:]:
        return "; the batch axis is missing: add [None]"
    if found and found[0] != expected[0]:
        return "; one image for each case, in order"
    return "; return answer_shape"


def open_answer(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Read a predictions file that the worker left, trusting nothing about it.

    A regular file with one name, no link, no larger than the declared array, a plain little-endian float32 ``.npy`` of
    exactly ``shape``, finite. Raises PredictionError otherwise.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PredictionError(
            f"predictions {path.name}: cannot be opened ({error.strerror}); write the file anew"
        ) from error
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            raise PredictionError(
                f"predictions {path.name}: expected one plain file, found a link, pipe or device; copy it"
            )
        expected = int(np.prod(shape)) * 4
        if not expected <= facts.st_size <= expected + HEADER_CAP:
            raise PredictionError(
                f"predictions {path.name}: expected {expected} bytes of float32 for {shape}, found {facts.st_size}; "
                "save the whole array with np.save"
            )
        try:
            version = np.lib.format.read_magic(file)
            reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            found, fortran, dtype = reader(file, max_header_size=HEADER_CAP)
        except (ValueError, KeyError, EOFError) as error:
            raise PredictionError(
                f"predictions {path.name}: not a plain .npy file; save a float32 array with np.save"
            ) from error
        if found != shape or fortran or dtype != np.dtype("<f4"):
            order = " in Fortran order" if fortran else ""
            raise PredictionError(
                f"predictions {path.name}: expected {shape} float32, found {found} {dtype}{order}; "
                "save np.ascontiguousarray(array, dtype=np.float32)"
            )
        data = file.read(expected)
    if len(data) != expected:
        raise PredictionError(f"predictions {path.name}: shorter than its header says; save it again")
    array: NDArray[np.float32] = np.frombuffer(data, dtype="<f4").reshape(shape)
    if not np.isfinite(array).all():
        raise PredictionError(f"predictions {path.name}: holds NaN or Inf; check the method")
    return array
