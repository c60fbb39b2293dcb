"""What is asked: geometry, measurement simulation, tasks, splits, benchmarks and suites."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "benchmark": ["Benchmark", "list_benchmarks", "load_benchmark"],
        "geometry": ["Geometry", "equal_angles"],
        "measurement": ["Measurement"],
        "prepare": ["Prepared", "prepare"],
        "suites": ["SUITES", "load_suite"],
        "tasks": ["ReconstructionInputs", "TaskInputs"],
    },
)
