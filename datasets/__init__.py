"""Where images come from: one module per library, downloads through Pooch, readers of the field's HDF5 layouts."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "catalogue": ["list_libraries", "load_library"],
        "library": ["ImageLibrary", "Library", "LibraryInfo", "Scan", "ScanLibrary"],
    },
)
