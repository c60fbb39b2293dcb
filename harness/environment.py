"""What a record says about the machine and the software that made it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from functools import cache

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
PACKAGES = (
    "tomobench",
    "numpy",
    "scipy",
    "h5py",
    "scikit-image",
    "astra-toolbox",
    "torch",
    "tensorflow",
    "onnxruntime",
)


@cache
def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a score."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment(threads: int) -> dict[str, object]:
    """Python, operating system, processor, package versions and the threads each worker was given."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "packages": package_versions(),
    }


def worker_threads(jobs: int) -> int:
    """Threads for each of ``jobs`` workers; ``$OMP_NUM_THREADS`` is respected where it asks for fewer."""
    share = max(1, (os.cpu_count() or 1) // jobs)
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, int(asked)) if asked.isdigit() and int(asked) > 0 else share
