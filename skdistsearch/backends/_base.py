"""Backend: the class to derive a backend of your own from. get_backend: backends by name."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch._validation import did_you_mean
from skdistsearch.exceptions import BackendConfigError


class Backend(ABC):
    """Base class of backends: where the fits of a search run.

    Only `run` must be written; the other members have defaults. ``docs/custom_backend.md`` writes
    a backend in about 80 lines, and `skdistsearch.testing.BackendSuite` tests one.

    A backend is a value: make it a frozen dataclass of settings, which can be compared, cloned and
    pickled. Open processes, clients and folders within `run`, and close them when the iterator
    ends, is closed or raises.
    """

    fits_per_task: int | str = "auto"
    """Number of fits in a chunk of `DistributedSearchCV.plan`, or ``"auto"``."""
    is_remote: bool = False
    """True if fits run on machines that do not see the files of this one."""

    @abstractmethod
    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of a batch.

        Parameters
        ----------
        batch : Batch
            The fits of one round. ``batch.run(i)`` runs fit ``i`` of ``len(batch)``, in any
            process; ``batch.portable()`` can be pickled with cloudpickle; ``batch.n_jobs`` is the
            search's ``n_jobs``.

        Yields
        ------
        outcome : Outcome
            One for each fit, as soon as it is finished, in any order. If the worker of a fit dies
            each time the fit is tried, its outcome has status ``"lost"``:
            `skdistsearch.backends.run_until_done` takes care of that.

        Raises
        ------
        BackendError
            The backend failed as a whole, and no single fit is the cause.
        """

    def check(self) -> None:  # noqa: B027, optional
        """Check the configuration before a search starts any work.

        Raises
        ------
        BackendConfigError
            Something is missing. The message names everything that is.
        """

    def checkpoint_root(self) -> str:
        """Return the folder or S3 URL of checkpoints that are given by name.

        Empty for the default folder on this machine.
        """
        return ""


_NAMES = {
    "local": ("LocalBackend", {}),
    "metaflow": ("MetaflowBackend", {"compute": "local"}),
    "batch": ("MetaflowBackend", {"compute": "batch"}),
    "kubernetes": ("MetaflowBackend", {"compute": "kubernetes"}),
}
"""Class in this package, and settings, of each backend that has a name."""


def get_backend(backend: str | Backend) -> Backend:
    """Return the backend with a name, or ``backend`` itself.

    Raises
    ------
    BackendConfigError
        It is neither the name of a backend nor a backend.
    """
    if isinstance(backend, Backend):
        return backend
    known = ", ".join(sorted(_NAMES))
    if not isinstance(backend, str):
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. It must be an instance of a class derived from "
            f"skdistsearch.backends.Backend, or one of the names {known}."
        )
    if backend not in _NAMES:
        raise BackendConfigError(
            f"backend={backend!r} is not a backend. Known: {known}, or an object such as "
            f"MetaflowBackend(max_workers=4).{did_you_mean(backend, _NAMES)}"
        )
    class_name, settings = _NAMES[backend]
    # by name: a backend imports what it needs, such as Metaflow, when it is used
    cls = getattr(importlib.import_module(__package__), class_name)
    named: Backend = cls(**settings)
    return named
