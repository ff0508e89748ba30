"""`parallel` and `register_joblib`: scikit-learn's ``Parallel``s on remote workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import joblib

from skdistsearch._validation import did_you_mean
from skdistsearch.backends import Backend, MetaflowBackend, get_backend
from skdistsearch.backends.metaflow.pool import close_pools_of
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.joblib_backend._backend import RemoteParallelBackend
from skdistsearch.joblib_backend._results import OBJECTS
from skdistsearch.joblib_backend._trial import stop_local_process

_KEEP_ALIVE_S = 60.0
_NAMES = ("metaflow", "batch", "kubernetes")


@contextmanager
def parallel(
    backend: str | MetaflowBackend,
    *,
    n_jobs: int | None = None,
    min_remote_s: float | str = "auto",
    objects: str = "allow",
    **settings: Any,
) -> Iterator[None]:
    """Run everything that scikit-learn does in parallel on Metaflow, AWS Batch or Kubernetes.

    Within the block, the calls of each `joblib.Parallel` run on workers that start with the first
    of them, stay for the next one, and end with the block. Results are those of ``n_jobs=None``.

    Parameters
    ----------
    backend : {"metaflow", "batch", "kubernetes"} or MetaflowBackend
        Where the calls run.
    n_jobs : int or None, default=None
        Number of workers. None: the number of cores, or 50 on Batch and Kubernetes.
    min_remote_s : float or "auto", default="auto"
        A ``Parallel`` that takes less time on this machine, in seconds, stays here. ``"auto"``:
        less than it takes until a worker is ready. 0: everything is sent.
    objects : {"allow", "refuse"}, default="allow"
        Results that are not numbers, arrays, sparse matrices or containers of them have to be
        unpickled in this process, which can run code of the worker's. ``"refuse"`` raises an error
        instead.
    **settings
        Settings of the `MetaflowBackend`, such as ``memory_mb``, that replace those of ``backend``.
        ``keep_alive_s`` is 60 by default: the time that workers wait for the next call.

    Raises
    ------
    BackendConfigError
        A parameter is not valid, or something is missing to start workers.

    See Also
    --------
    register_joblib : The same for code that calls ``joblib.parallel_config``.

    Examples
    --------
    >>> import skdistsearch
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with skdistsearch.parallel("metaflow", n_jobs=2):
    ...     scores = cross_val_score(Ridge(), X, y, cv=5)
    >>> scores.shape
    (5,)
    """
    engine = _make_engine(backend, settings)
    engine = replace(engine, max_workers=engine.n_workers(n_jobs))
    _check(min_remote_s, objects)
    engine.check()
    joblib_backend = RemoteParallelBackend(engine, min_remote_s=min_remote_s, objects=objects)
    try:
        with joblib.parallel_config(backend=joblib_backend, n_jobs=engine.max_workers):
            yield
    finally:
        close_pools_of(engine)
        stop_local_process()


def register_joblib() -> None:
    """Make ``"metaflow"``, ``"batch"`` and ``"kubernetes"`` names of joblib backends.

    ``joblib.parallel_config(backend="batch", n_jobs=20, memory_mb=8_000)`` then does what
    `parallel` does, with the same parameters. joblib does not say when its block ends: workers wait
    for ``keep_alive_s``, or until `skdistsearch.backends.close_pools` is called.

    Examples
    --------
    >>> import joblib, skdistsearch
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = load_diabetes(return_X_y=True)
    >>> skdistsearch.register_joblib()
    >>> with joblib.parallel_config(backend="metaflow", n_jobs=2):
    ...     scores = cross_val_score(Ridge(), X, y, cv=5)
    >>> scores.shape
    (5,)
    """
    for name in _NAMES:
        joblib.register_parallel_backend(name, partial(_make_joblib_backend, name))


def _make_joblib_backend(
    backend: str,
    nesting_level: int | None = None,
    inner_max_num_threads: int | None = None,
    *,
    min_remote_s: float | str = "auto",
    objects: str = "allow",
    **settings: Any,
) -> RemoteParallelBackend:
    engine = _make_engine(backend, settings)
    _check(min_remote_s, objects)
    engine.check()
    return RemoteParallelBackend(
        engine,
        min_remote_s=min_remote_s,
        objects=objects,
        nesting_level=nesting_level,
        inner_max_num_threads=inner_max_num_threads,
    )


def _make_engine(backend: str | Backend, settings: dict[str, Any]) -> MetaflowBackend:
    if backend == "local":
        raise BackendConfigError(
            'backend="local": joblib does that itself, with joblib.parallel_config("loky").'
        )
    if isinstance(backend, str) and backend not in _NAMES:
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. Known: {', '.join(_NAMES)}, or a "
            f"MetaflowBackend.{did_you_mean(backend, _NAMES)}"
        )
    engine = get_backend(backend)
    if not isinstance(engine, MetaflowBackend):
        raise BackendConfigError(f"backend={backend!r}: it must be a MetaflowBackend or its name.")
    if unknown := [name for name in settings if name not in engine.__dataclass_fields__]:
        known = sorted(engine.__dataclass_fields__)
        raise BackendConfigError(
            f"{unknown[0]} is not a setting of MetaflowBackend.{did_you_mean(unknown[0], known)}"
        )
    if engine.keep_alive_s == "auto":
        settings = {"keep_alive_s": _KEEP_ALIVE_S, **settings}
    return replace(engine, **settings)


def _check(min_remote_s: object, objects: object) -> None:
    is_number = isinstance(min_remote_s, int | float) and not isinstance(min_remote_s, bool)
    if min_remote_s != "auto" and not (is_number and min_remote_s >= 0):  # type: ignore[operator]
        raise BackendConfigError(
            f'min_remote_s={min_remote_s!r}: must be "auto" or a number of seconds of at least 0'
        )
    if objects not in OBJECTS:
        raise BackendConfigError(f'objects={objects!r}: must be "allow" or "refuse"')
