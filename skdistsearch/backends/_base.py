"""What a backend is, and how a user names one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, runtime_checkable

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import BackendConfigError


@runtime_checkable
class Backend(Protocol):
    """A place where fits run.

    A backend is a value: a frozen dataclass of settings that can be compared, copied and pickled.
    What it opens (processes, clients, folders) it opens within `run`, and closes when the
    iterator ends, is closed or raises.

    It may have a method ``check()``, which is called before any work of a search begins and raises
    `BackendConfigError` if something that it needs is missing.
    """

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of ``batch``; yield the outcome of each as it comes, in any order.

        A fit whose worker dies becomes an outcome with status ``"lost"``. `BackendError` is for
        what no single fit is to blame for.
        """
        ...


def _local() -> Backend:
    from skdistsearch.backends._local import LocalBackend

    return LocalBackend()


def _metaflow(compute: str) -> Backend:
    from skdistsearch.backends.metaflow._backend import MetaflowBackend

    return MetaflowBackend(compute=compute)


_NAMES: dict[str, Callable[[], Backend]] = {
    "local": _local,
    "metaflow": partial(_metaflow, "local"),
    "batch": partial(_metaflow, "batch"),
    "kubernetes": partial(_metaflow, "kubernetes"),
}


def resolve(backend: str | Backend) -> Backend:
    """The backend that ``backend`` names, or ``backend`` itself."""
    if isinstance(backend, str):
        if backend in _NAMES:
            return _NAMES[backend]()
        near = difflib.get_close_matches(backend, _NAMES, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. Known: {', '.join(sorted(_NAMES))}, or an "
            f"object such as MetaflowBackend(max_workers=4).{hint}"
        )
    if isinstance(backend, type) or not isinstance(backend, Backend):
        raise BackendConfigError(
            f"backend={backend!r} is not a backend: it needs a method run(batch). "
            f"Known names: {', '.join(sorted(_NAMES))}."
        )
    return backend
