"""Fits as tasks of a Metaflow run: on this machine, on AWS Batch or on Kubernetes."""

from __future__ import annotations

import importlib.util
import logging
import numbers
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import joblib

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._environment import s3_root
from skdistsearch.backends.metaflow._preflight import check_configured, check_store
from skdistsearch.backends.metaflow._run import _Run
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._validation import problems
from skdistsearch.backends.metaflow._workspace import RunWorkspace
from skdistsearch.exceptions import BackendConfigError
from skdistsearch.execution import with_budget
from skdistsearch.scheduling import (
    Chunk,
    PendingFits,
    balanced_chunks,
    chunk_per_group,
    consecutive_chunks,
    factoring_chunks,
    group_by_shared_work,
    interleaved_chunks,
    shares_work,
    split_into_units,
)

_log = logging.getLogger("skdistsearch")
_WORKERS = 50  # tasks at the same time elsewhere: each is a process of 90 MB here


@dataclass(frozen=True, kw_only=True)
class MetaflowBackend(MetaflowSettings):
    """Runs fits as tasks of a Metaflow run: a foreach over chunks of fits.

    The run is an ordinary run of the flow ``DistributedSearch``. It goes where Metaflow's
    configuration says (profile, service, datastore). Where nothing is configured and no folder
    ``.metaflow`` is found, it goes to ``~/.local/share/skdistsearch`` and not to the working
    directory.
    """

    def __post_init__(self) -> None:
        """Say what is wrong with the settings, all at once."""
        object.__setattr__(self, "tags", _as_tuple(self.tags))
        object.__setattr__(self, "decorators", _as_tuple(self.decorators))
        wrong = problems(self) + [
            f"{name}={getattr(self, name)!r}: {valid}"
            for name, valid, holds in (
                (
                    "fits_per_task",
                    'must be "auto" or an integer of at least 1',
                    self.fits_per_task == "auto" or _is_count(self.fits_per_task),
                ),
                (
                    "max_workers",
                    "must be None or an integer of at least 1",
                    self.max_workers is None or _is_count(self.max_workers),
                ),
                ("tags", "must be strings", all(isinstance(tag, str) for tag in self.tags)),
            )
            if not holds
        ]
        if wrong:
            raise BackendConfigError("MetaflowBackend: " + "; ".join(wrong))

    def checkpoint_root(self) -> str:
        """Where checkpoints that have a name only are kept, if not on this machine."""
        if not self.is_remote:
            return ""
        check_store(self)
        return f"{s3_root()}/checkpoints"

    def check(self) -> None:
        """Raise `BackendConfigError`, which names all that is missing, unless tasks can be sent."""
        _require_metaflow()
        check_configured(self)

    def run(self, batch: Batch) -> Iterator[Outcome]:
        """Run every fit of ``batch``; see `Backend.run`."""
        self.check()
        if not self.is_remote:
            batch = with_budget(batch, self.workers(batch.n_jobs))
        ledger = PendingFits(batch)
        with RunWorkspace(batch, far=self.is_remote) as place:
            while ledger.owed:
                run = _Run(self, place, self._sheet(ledger, batch), self.workers(batch.n_jobs))
                with closing(run.outcomes()) as outcomes:  # now, not at a garbage collection
                    yield from ledger.settle(outcomes)
                if ledger.owed:
                    deaths = run.deaths(place.record.pop_interrupted())
                    yield from ledger.blame(deaths, run.story, run.pathspec)
                elif run.failed:  # after its last fit: nothing is missing
                    _log.warning("%s", run.story)

    def workers(self, n_jobs: int | None) -> int:
        """How many tasks run at the same time."""
        if self.max_workers is not None:
            return self.max_workers
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 has no meaning; None or -1 is all cores.")
        if n_jobs is None or (self.is_remote and n_jobs < 0):
            return _WORKERS if self.is_remote else int(joblib.cpu_count())
        return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)

    def chunks(self, fits: Sequence[int], batch: Batch) -> list[Chunk]:
        """Which fits share a task."""
        workers = self.workers(batch.n_jobs)
        if isinstance(self.fits_per_task, numbers.Integral):
            together = [fit for group in group_by_shared_work(batch, fits) for fit in group]
            return consecutive_chunks(together, int(self.fits_per_task))
        if shares_work(batch) and len(fits) > workers:
            # A container is ready when it is; a task on this machine costs it a second
            return (chunk_per_group if self.is_remote else balanced_chunks)(batch, fits, workers)
        if self.is_remote:
            return factoring_chunks(fits, workers, seconds=batch.seconds)
        return interleaved_chunks(fits, workers)

    def _sheet(self, ledger: PendingFits, batch: Batch) -> dict[str, Any]:
        """What the tasks have to do: those fits that are suspect, because a task died, run alone.

        Tasks on this machine that nobody counts take their fits themselves, out of groups.
        """
        chunks, groups = consecutive_chunks(ledger.suspect, 1), list[list[Chunk]]()
        if self.is_remote or chunks or self.fits_per_task != "auto":
            chunks += self.chunks(ledger.innocent, batch) if ledger.innocent else []
        else:
            groups = split_into_units(
                group_by_shared_work(batch, ledger.innocent), self.workers(batch.n_jobs)
            )
        return {"chunks": chunks, "groups": groups, "deaths": ledger.deaths}


def _require_metaflow() -> None:
    if sys.platform == "win32":
        raise BackendConfigError("Metaflow does not run on Windows; use it within WSL.")
    if importlib.util.find_spec("metaflow") is None:
        raise BackendConfigError(
            'backend="metaflow" needs Metaflow, which is not installed: pip install metaflow'
        )


def _is_count(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 1


def _as_tuple(values: object) -> tuple[object, ...]:
    one = isinstance(values, str) or not isinstance(values, Sequence)
    return (values,) if one else tuple(values)  # type: ignore[arg-type]
