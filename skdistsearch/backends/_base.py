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

    Only `run` must be written; the other members have defaults. The page *Write a backend* of the
    documentation writes one in about 40 lines, and `skdistsearch.testing.BackendSuite` tests one.

    A backend is a value: make it a frozen dataclass of settings, which can be compared, cloned and
    pickled. Open processes, clients and folders within `run`, and close them when the iterator
    ends, is closed or raises.

    Examples
    --------
    A backend that runs the fits in this process, one after the other:

    >>> from dataclasses import dataclass
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import Backend
    >>> @dataclass(frozen=True)
    ... class SerialBackend(Backend):
    ...     def run(self, batch):
    ...         for fit in range(len(batch)):
    ...             yield batch.run(fit)
    >>> grid = {"alpha": [0.1, 1.0, 10.0]}
    >>> search = DistributedSearchCV(Ridge(), grid, cv=5, backend=SerialBackend())
    >>> search.fit(*load_diabetes(return_X_y=True)).best_params_
    {'alpha': 0.1}
    """

    fits_per_task: int | str = "auto"
    """Number of fits in a chunk of `~skdistsearch.DistributedSearchCV.plan`, or ``"auto"``."""
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
        """Return the location of checkpoints that are given by name.

        Returns
        -------
        root : str
            A folder or S3 URL. Empty for the default folder on this machine.
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

    Parameters
    ----------
    backend : {"local", "metaflow", "batch", "kubernetes"} or Backend
        What a search takes as ``backend``.

    Returns
    -------
    backend : Backend
        A backend with default settings, or the given one.

    Raises
    ------
    BackendConfigError
        It is neither the name of a backend nor a backend.

    Examples
    --------
    >>> from skdistsearch.backends import get_backend
    >>> get_backend("local")
    LocalBackend()
    >>> get_backend("batch").compute
    'batch'
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
