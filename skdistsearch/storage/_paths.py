"""data, cache and temporary directories."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loky.backend import resource_tracker


@contextmanager
def temporary_folder(within: str | None = None) -> Iterator[Path]:
    """A temporary folder that only this user can enter, gone afterwards.

    joblib's ``JOBLIB_TEMP_FOLDER`` says where, else Python's own temporary folder. If this process
    is killed, loky's tracker of resources removes it as soon as everybody has ended who holds the
    tracker's pipe: loky's workers, and the keeper of a Metaflow run. Not a folder ``within`` one
    that is looked after already.
    """
    parent = within or os.environ.get("JOBLIB_TEMP_FOLDER") or None
    with tempfile.TemporaryDirectory(
        prefix="skdistsearch-", dir=parent, ignore_cleanup_errors=True
    ) as name:
        if within:
            yield Path(name)
            return
        resource_tracker.register(name, "folder")
        try:
            yield Path(name)
        finally:
            resource_tracker.unregister(name, "folder")


_CACHE_S = 7 * 24 * 3600


def cache_dir(otherwise: Path) -> Path:
    """Where big data is kept on this machine, for the next search on the same.

    A cache: what nobody has used for a week goes. ``otherwise``: where no cache can be made.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "skdistsearch/data")
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in cache.iterdir():
            if time.time() - path.stat().st_mtime > _CACHE_S:
                path.unlink(missing_ok=True)
    except OSError:
        return otherwise / "data"
    return cache if os.access(cache, os.W_OK) else otherwise / "data"


def default_data_dir() -> Path:
    """Where what is kept goes that nobody has configured a place for."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data, "skdistsearch")
