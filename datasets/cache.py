"""Where TomoBench keeps downloaded, registered and prepared data."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from ..errors import DataError


def cache_dir(*parts: str) -> Path:
    """Return a folder of the cache, made if absent.

    The root is ``$TOMOBENCH_CACHE`` or the platform's user cache folder for "tomobench". Raises DataError, in one
    line, where the folder cannot be made or written.
    """
    folder = Path(os.environ.get("TOMOBENCH_CACHE") or platformdirs.user_cache_dir("tomobench")).joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cache folder {folder}: {error.strerror}; set TOMOBENCH_CACHE to a folder you can write"
        ) from error
    if not os.access(folder, os.W_OK):
        raise DataError(f"cache folder {folder}: not writable; set TOMOBENCH_CACHE to a folder you can write")
    return folder
