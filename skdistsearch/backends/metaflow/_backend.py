"""MetaflowBackend: fits as tasks of a Metaflow run."""

from __future__ import annotations

import importlib.util
import logging
import numbers
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import joblib

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends._base import Backend
from skdistsearch.backends.metaflow._environment import s3_root
from skdistsearch.backends.metaflow._preflight import check_configured, check_store
from skdistsearch.backends.metaflow._run import MetaflowRun
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._validation import validation_errors
from skdistsearch.backends.metaflow._workspace import RunWorkspace
from skdistsearch.backends.metaflow.pool import run_on_pool
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.execution import divide_cache
from skdistsearch.scheduling import (
    AttemptFailure,
    Chunk,
    PendingFits,
    UnitGroups,
    consecutive_chunks,
    make_chunks,
    make_container_chunks,
    make_units,
    run_until_done,
)

_REMOTE_WORKERS = 50  # tasks that run at the same time: each is a process of 90 MB here

# Between two rounds, scikit-learn chooses candidates: that takes less than a second
_KEEP_ALIVE_S = 20.0
_KEEP_ALIVE_REMOTE_S = 60.0  # a container takes 30 to 60 s to start

_log = logging.getLogger("skdistsearch")


@dataclass(frozen=True, kw_only=True)
class MetaflowBackend(MetaflowSettings, Backend):  # type: ignore[override]
    """Runs fits as tasks of a Metaflow run: a foreach over chunks of fits.

    The run is an ordinary run of the flow ``DistributedSearch``. It is stored where Metaflow's
    configuration says (profile, service, datastore). If nothing is configured and there is no
    folder ``.metaflow``, it is stored in ``~/.local/share/skdistsearch``, and not in the working
    directory.

    The names ``"metaflow"``, ``"batch"`` and ``"kubernetes"`` stand for a `MetaflowBackend` with
    default settings and ``compute`` of ``"local"``, ``"batch"`` or ``"kubernetes"``.

    Raises
    ------
    BackendConfigError
        Settings are not valid. The message names all of them.

    Examples
    --------
    Up to 100 containers on AWS Batch at a time:

    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV, MetaflowBackend
    >>> backend = MetaflowBackend(
    ...     compute="batch", cpu=4, memory_mb=16_000, max_workers=100, tags="mine"
    ... )
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, backend=backend)

    Try it on this machine first, with a Metaflow task for each fit:

    >>> backend = MetaflowBackend(fits_per_task=1, max_workers=2)
    >>> search = search.set_params(backend=backend)

    ``search.fit(X, y)`` starts the run, whose pathspec is then in ``search.runs_``.
    """

    def __post_init__(self) -> None:
        """Raise one error that names all invalid settings."""
        object.__setattr__(self, "tags", _as_tuple(self.tags))
        object.__setattr__(self, "decorators", _as_tuple(self.decorators))
        if errors := validation_errors(self):
            raise BackendConfigError("MetaflowBackend: " + "; ".join(errors))

    def checkpoint_root(self) -> str:
        """Return the location of checkpoints that are given by name.

        Returns
        -------
        root : str
            An S3 URL. Empty if tasks run on this machine.

        Raises
        ------
        BackendConfigError
            The datastore is not configured.
        """
        if not self.is_remote:
            return ""
        check_store(self)
        return f"{s3_root()}/checkpoints"

    def check(self) -> None:
        """Check that everything is there to start tasks.

        Raises
        ------
        BackendConfigError
            Something is missing. The message names all of it.
        """
        _require_metaflow()
        check_configured(self)

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of a batch, in one Metaflow run, or in several if tasks die.

        Parameters
        ----------
        batch : Batch
            The fits of one round.

        Yields
        ------
        outcome : Outcome
            One for each fit, as soon as it is finished.

        Raises
        ------
        BackendConfigError
            Something is missing to start tasks.
        BackendError
            The run failed as a whole.
        NotPicklableError
            A part of the search cannot be pickled.
        """
        self.check()
        n_workers = self.n_workers(batch.n_jobs)
        if not self.is_remote:
            batch = divide_cache(batch, n_workers)
        if keep_alive_s := self._keep_alive_s(batch):
            yield from self._run_on_pool(batch, n_workers, keep_alive_s)
            return
        with RunWorkspace(batch, is_remote=self.is_remote) as workspace:

            def attempt(pending: PendingFits) -> Generator[Outcome, None, AttemptFailure | None]:
                run = MetaflowRun(self, workspace, self._task_manifest(pending, batch), n_workers)
                yield from run.iter_outcomes()
                if batch.is_overdue:
                    return None
                if pending.fits:
                    deaths = run.worker_deaths(workspace.journal.pop_interrupted())
                    return AttemptFailure(deaths, run.failure_summary, run.pathspec)
                if run.failed:  # after its last fit: nothing is missing
                    _log.warning("%s", run.failure_summary)
                return None

            yield from run_until_done(batch, attempt)

    def _run_on_pool(self, batch: Batch, n_workers: int, keep_alive_s: float) -> Iterator[Outcome]:
        def make_groups(fits: Sequence[int]) -> UnitGroups:
            if self._claims_units:
                return make_units(batch, fits, n_workers)
            return [self._make_chunks(fits, batch)]

        return run_on_pool(self, batch, n_workers, keep_alive_s, make_groups)

    def _keep_alive_s(self, batch: Batch) -> float:
        if isinstance(self.keep_alive_s, str):  # "auto"
            default = _KEEP_ALIVE_REMOTE_S if self.is_remote else _KEEP_ALIVE_S
            return default if batch.local.has_rounds else 0.0
        return self.keep_alive_s

    def n_workers(self, n_jobs: int | None) -> int:
        """Return the number of tasks that run at the same time.

        Parameters
        ----------
        n_jobs : int or None
            The search's ``n_jobs``, which counts unless ``max_workers`` is set.

        Returns
        -------
        n_workers : int
            At least 1.
        """
        if self.max_workers is not None:
            return self.max_workers
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; None or -1 is all cores.")
        if n_jobs is None or (self.is_remote and n_jobs < 0):
            return _REMOTE_WORKERS if self.is_remote else int(joblib.cpu_count())
        return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)

    def _make_chunks(self, fits: Sequence[int], batch: Batch) -> list[Chunk]:
        n_workers = self.n_workers(batch.n_jobs)
        if self.is_remote and not isinstance(self.fits_per_task, numbers.Integral):
            return make_container_chunks(batch, fits, n_workers)
        return make_chunks(batch, fits, n_workers, fits_per_chunk=self.fits_per_task)

    @property
    def _claims_units(self) -> bool:
        return not self.is_remote and self.fits_per_task == "auto"

    def _task_manifest(self, pending: PendingFits, batch: Batch) -> dict[str, Any]:
        """Return what the tasks have to do.

        Fits that may have killed a task run alone. Local tasks claim units of fits, unless
        ``fits_per_task`` is set.
        """
        chunks, groups = consecutive_chunks(pending.suspects, 1), list[list[Chunk]]()
        if chunks or not self._claims_units:
            if pending.untried:
                chunks += self._make_chunks(pending.untried, batch)
        else:
            groups = make_units(batch, pending.untried, self.n_workers(batch.n_jobs))
        return {"chunks": chunks, "groups": groups, "deaths": pending.deaths}


def _require_metaflow() -> None:
    if sys.platform == "win32":
        raise BackendConfigError("Metaflow does not run on Windows; use it within WSL.")
    if importlib.util.find_spec("metaflow") is None:
        raise BackendConfigError(
            'backend="metaflow" needs Metaflow, which is not installed: pip install metaflow'
        )


def _as_tuple(values: object) -> tuple[object, ...]:
    is_single = isinstance(values, str) or not isinstance(values, Sequence)
    return (values,) if is_single else tuple(values)  # type: ignore[arg-type]
