"""Who answers: the predict protocol, and one module per method that the project ships."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "catalogue": ["Method", "build_method", "find_method", "list_methods", "load_method"],
        "protocol": ["Adapter", "AdapterInfo", "as_adapter"],
    },
)
