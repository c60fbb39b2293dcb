"""TomoBench: a benchmark suite and leaderboard harness for X-ray chemical tomography.

Public names are loaded on first use, so ``import tomobench`` costs next to nothing.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "baselines": ["Adapter", "AdapterInfo", "list_methods", "load_method"],
        "benchmarks": ["Geometry", "ReconstructionInputs", "list_benchmarks", "load_benchmark"],
        "datasets": ["list_libraries", "load_library"],
        "errors": ["TomoBenchError"],
        "harness.evaluate": ["evaluate"],
        "harness.leaderboard": ["leaderboard"],
        "harness.runner": ["run"],
    },
)
