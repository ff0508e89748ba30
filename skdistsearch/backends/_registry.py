"""Backends by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from skdistsearch._validation import did_you_mean
from skdistsearch.backends._base import Backend
from skdistsearch.exceptions import BackendConfigError


def _local() -> Backend:
    from skdistsearch.backends._local import LocalBackend

    return LocalBackend()


def _metaflow(compute: str) -> Backend:
    from skdistsearch.backends.metaflow import MetaflowBackend

    return MetaflowBackend(compute=compute)


_NAMES: dict[str, Callable[[], Backend]] = {
    "local": _local,
    "metaflow": partial(_metaflow, "local"),
    "batch": partial(_metaflow, "batch"),
    "kubernetes": partial(_metaflow, "kubernetes"),
}


def get_backend(backend: str | Backend) -> Backend:
    """The backend that ``backend`` names, or ``backend`` itself."""
    if isinstance(backend, str):
        if backend in _NAMES:
            return _NAMES[backend]()
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. Known: {', '.join(sorted(_NAMES))}, or an "
            f"object such as MetaflowBackend(max_workers=4).{did_you_mean(backend, _NAMES)}"
        )
    if isinstance(backend, type) or not isinstance(backend, Backend):
        raise BackendConfigError(
            f"backend={backend!r} is not a backend: it needs a method run(batch). "
            f"Known names: {', '.join(sorted(_NAMES))}."
        )
    return backend
