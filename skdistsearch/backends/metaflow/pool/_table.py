"""All pools of this process, and their end with it.

A pool belongs to the process that started it: a fork forgets it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from skdistsearch._loaded_source import n_source_changes
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow.pool._pool import Pool

_CONFIGURATION = ("METAFLOW_", "AWS_")  # prefixes of environment variables


@dataclass(frozen=True)
class _Key:
    """Everything that two batches must have in common to share workers."""

    settings: MetaflowSettings
    n_workers: int
    keep_alive_s: float
    n_source_changes: int
    """The workers have imported the user's modules as they were."""
    place: tuple[Any, ...]
    """Working directory and configuration of Metaflow and AWS."""


_pools: list[tuple[_Key, Pool]] = []
_lock = threading.Lock()
_forgotten: list[Pool] = []  # keeps their Popen objects, which warn when they are deleted


def close_pools() -> None:
    """End all workers that wait for fits, and return when they have ended.

    Workers of `MetaflowBackend` wait for ``keep_alive_s``, and no longer than this process lives.
    Searches that run in other threads fail.

    Examples
    --------
    >>> from skdistsearch.backends import close_pools
    >>> close_pools()
    """
    _close(list(_pools))


def close_pools_of(settings: MetaflowSettings) -> None:
    """End the workers of one backend."""
    _close([item for item in _pools if item[0].settings == settings])


def _close(items: list[tuple[_Key, Pool]]) -> None:
    with _lock:
        _pools[:] = [item for item in _pools if item not in items]
    pools = [pool for _, pool in items]
    for pool in pools:
        if pool.n_users:
            pool.kill()
        else:
            pool.end_when_idle()
    for pool in pools:
        pool.wait()
        pool.remove_files()


@contextmanager
def use_pool(settings: MetaflowSettings, n_workers: int, keep_alive_s: float) -> Iterator[Pool]:
    """Provide a pool, a new one or one that an earlier batch has left.

    If the block ends by an exception, its workers are ended, unless another thread needs them: they
    may be running fits whose results are not needed any more.
    """
    key = _make_key(settings, n_workers, keep_alive_s)
    pool = _find_pool(key)
    try:
        yield pool
    except BaseException:  # including Ctrl-C, and the end of an iteration that is not continued
        if not _release(pool):
            _remove(pool)
        raise
    _release(pool)


def warm_workers(settings: MetaflowSettings) -> int:
    """Return the number of workers that wait for a batch with these settings."""
    with _lock:
        return sum(pool.n_alive for key, pool in _pools if key.settings == settings)


def _make_key(settings: MetaflowSettings, n_workers: int, keep_alive_s: float) -> _Key:
    configuration = sorted(
        item for item in os.environ.items() if item[0].startswith(_CONFIGURATION)
    )
    place = (os.getcwd(), *configuration)
    return _Key(settings, n_workers, keep_alive_s, n_source_changes(), place)


def _find_pool(key: _Key) -> Pool:
    with _lock:
        _remove_ended()
        for other, pool in _pools:
            if other == key and not pool.has_ended:
                pool.n_users += 1
                return pool
            if other.settings == key.settings and not pool.n_users:
                pool.end_when_idle()  # its workers would wait in vain
        pool = Pool(key.settings, key.n_workers, key.keep_alive_s)
        pool.n_users = 1
        _pools.append((key, pool))
        return pool


def _release(pool: Pool) -> int:
    """Return how many batches still use the pool."""
    with _lock:
        pool.n_users -= 1
        return pool.n_users


def _remove(pool: Pool) -> None:
    with _lock:
        _pools[:] = [item for item in _pools if item[1] is not pool]
    pool.kill()
    pool.remove_files()


def _remove_ended() -> None:
    for item in list(_pools):
        _, pool = item
        if pool.has_ended and not pool.n_users:
            _pools.remove(item)
            pool.kill()  # closes the pipe
            pool.remove_files()


def _forget_in_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    _forgotten.extend(pool for _, pool in _pools)
    _pools.clear()


atexit.register(close_pools)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_fork)
