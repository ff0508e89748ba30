"""Data, cache and temporary directories.

A temporary folder has to disappear even if this process is killed, when neither ``finally`` nor
`atexit` runs. `temporary_folder` registers it with loky's resource tracker: a small process that
reads from a pipe and removes the registered folders once all writers of the pipe are gone. loky's
workers and the watchdog of a Metaflow run hold the pipe too, so the folder stays until the last
process that may use it has ended. Clean-up in this process does not survive a kill, and a watcher
of our own would be a second tracker. The scheme breaks if loky drops the resource type
``"folder"``, or if its workers no longer inherit the pipe. Watched by
tests/model_selection/test_interrupt.py and tests/backends/metaflow/test_stopped_caller.py, which
kill searches and look for leftover files.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loky.backend import resource_tracker

_SHARED_MEMORY = "/dev/shm"  # of Linux: files in memory


@contextmanager
def temporary_folder(within: str | None = None) -> Iterator[Path]:
    """Create a temporary folder that only this user can read, and remove it afterwards.

    Its parent is ``JOBLIB_TEMP_FOLDER`` if joblib's variable is set, else Python's temporary
    folder. With ``within``, the parent is a folder that another process removes in any case, and
    the resource tracker is not used.
    """
    with _new_folder(within or os.environ.get("JOBLIB_TEMP_FOLDER") or None) as folder:
        if within:
            yield folder
            return
        with _removed_after_a_kill(folder):
            yield folder


@contextmanager
def memory_folder() -> Iterator[Path | None]:
    """Create a temporary folder whose files are in memory, or yield None if there is no such place.

    It is removed like a `temporary_folder`.
    """
    if not os.access(_SHARED_MEMORY, os.R_OK | os.W_OK | os.X_OK):
        yield None
        return
    with _new_folder(_SHARED_MEMORY) as folder, _removed_after_a_kill(folder):
        yield folder


@contextmanager
def _new_folder(parent: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(
        prefix="skdistsearch-", dir=parent, ignore_cleanup_errors=True
    ) as name:
        yield Path(name)


@contextmanager
def _removed_after_a_kill(folder: Path) -> Iterator[None]:
    resource_tracker.register(str(folder), "folder")
    try:
        yield
    finally:
        resource_tracker.unregister(str(folder), "folder")


_CACHE_S = 7 * 24 * 3600  # age at which a file is deleted


def cache_dir(fallback: Path) -> Path:
    """Return the folder in which searches on this machine share large data.

    Files older than a week are deleted. The folder is in ``fallback`` if no cache can be created
    or written.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "skdistsearch/data")
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in cache.iterdir():
            if time.time() - path.stat().st_mtime > _CACHE_S:
                path.unlink(missing_ok=True)
    except OSError:
        return fallback / "data"
    return cache if os.access(cache, os.W_OK) else fallback / "data"


def default_data_dir() -> Path:
    """Return the folder for data that outlives a search: ``XDG_DATA_HOME/skdistsearch``."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data, "skdistsearch")
