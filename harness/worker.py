"""The worker process: sees an inputs file, runs a method, leaves a predictions file. It never meets the truth.

``python -m tomobench.harness.worker FOLDER PARENT`` reads ``FOLDER/job.json`` and, for task k, leaves
``FOLDER/k/NNNN.npy`` (one per geometry) and then ``FOLDER/k.json`` (status, timings, peak memory), which says that the
task is done. Only the standard library is imported before the process is bound to its parent's life.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when the harness dies, so that a killed run leaves nothing behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)


if __name__ == "__main__":
    die_with(int(sys.argv[2]))
    from tomobench.harness.answering import carry_out

    carry_out(Path(sys.argv[1]))
