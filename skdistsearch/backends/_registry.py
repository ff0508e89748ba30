"""Backends by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial

from skdistsearch.backends._base import Backend
from skdistsearch.exceptions import BackendConfigError


def _local_backend() -> Backend:
    from skdistsearch.backends._local import LocalBackend

    return LocalBackend()


def _metaflow_backend(compute: str) -> Backend:
    from skdistsearch.backends.metaflow import MetaflowBackend

    return MetaflowBackend(compute=compute)


_FACTORIES: dict[str, Callable[[], Backend]] = {
    "local": _local_backend,
    "metaflow": partial(_metaflow_backend, "local"),
    "batch": partial(_metaflow_backend, "batch"),
    "kubernetes": partial(_metaflow_backend, "kubernetes"),
}


def get_backend(backend: str | Backend) -> Backend:
    """Return the backend with a name, or ``backend`` itself.

    Raises
    ------
    BackendConfigError
        It is neither the name of a backend nor a backend.
    """
    if isinstance(backend, Backend):
        return backend
    known = ", ".join(sorted(_FACTORIES))
    if not isinstance(backend, str):
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. It must be an instance of a class derived from "
            f"skdistsearch.backends.Backend, or one of the names {known}."
        )
    if backend not in _FACTORIES:
        close = difflib.get_close_matches(backend, _FACTORIES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. Known: {known}, or an object such as "
            f"MetaflowBackend(max_workers=4).{hint}"
        )
    return _FACTORIES[backend]()
