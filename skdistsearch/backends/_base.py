"""What a backend is, and how a user names one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome


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
