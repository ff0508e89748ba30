"""Backend: the class to derive a backend of your own from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome


class Backend(ABC):
    """Base class of backends: where the fits of a search run.

    Only `run` must be written; the other members have defaults. ``docs/custom_backend.md`` writes
    a backend in about 80 lines, and `skdistsearch.testing.BackendSuite` tests one.

    A backend is a value: make it a frozen dataclass of settings, which can be compared, cloned and
    pickled. Open processes, clients and folders within `run`, and close them when the iterator
    ends, is closed or raises.
    """

    @property
    def fits_per_task(self) -> int | str:
        """Number of fits in a chunk of `DistributedSearchCV.plan`, or ``"auto"``."""
        return "auto"

    @property
    def is_remote(self) -> bool:
        """True if fits run on machines that do not see the files of this one."""
        return False

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
