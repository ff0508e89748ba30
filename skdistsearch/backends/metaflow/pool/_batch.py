"""One batch on a pool: publish its fits, yield outcomes, publish again what died with a worker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.backends.metaflow._packaging import requirements
from skdistsearch.backends.metaflow._settings import MetaflowSettings
from skdistsearch.backends.metaflow._workspace import RunWorkspace
from skdistsearch.backends.metaflow.pool._late_modules import pack_modules
from skdistsearch.backends.metaflow.pool._pool import Pool
from skdistsearch.backends.metaflow.pool._queue import Wave
from skdistsearch.backends.metaflow.pool._table import use_pool
from skdistsearch.exceptions import BackendError
from skdistsearch.scheduling import (
    AttemptFailure,
    Chunk,
    PendingFits,
    UnitGroups,
    WorkerDeath,
    run_until_done,
)

_MakeGroups: TypeAlias = Callable[[Sequence[int]], UnitGroups]
_Unit: TypeAlias = tuple[str, str]  # its wave, and its name within the wave
_POLL_S, _POLL_MAX_S = 0.005, 0.05  # between looks for outcomes: at first, and at most
_BACK_OFF = 0.02  # of the age of the batch
_CHECK_S = 3.0  # between looks for units of dead workers, whose claims may arrive late


def run_on_pool(
    settings: MetaflowSettings,
    batch: Batch,
    n_workers: int,
    keep_alive_s: float,
    make_groups: _MakeGroups,
) -> Iterator[Outcome]:
    """Run a batch on workers that stay.

    Parameters
    ----------
    settings : MetaflowSettings
        The backend's settings.
    batch : Batch
        The fits.
    n_workers : int
        The highest number of workers.
    keep_alive_s : float
        How long the workers wait for the next batch.
    make_groups : callable
        Cuts fits into units.
    """
    with (
        suppress(_TimeUpError),
        RunWorkspace(batch, is_remote=settings.is_remote) as workspace,
        use_pool(settings, n_workers, keep_alive_s) as pool,
    ):
        on_pool = _BatchOnPool(pool, settings, workspace, make_groups)
        try:
            yield from run_until_done(batch, on_pool.attempt)
            if batch.is_overdue:
                raise _TimeUpError
        except BaseException:
            if pool.n_users > 1:  # otherwise its workers are ended
                on_pool.cancel()
            raise
        on_pool.finish()


class _TimeUpError(Exception):
    """Ends the workers of a batch as any error does, because they run fits of it."""


class _BatchOnPool:
    """The units of a batch that are published and have not been finished."""

    def __init__(
        self,
        pool: Pool,
        settings: MetaflowSettings,
        workspace: RunWorkspace,
        make_groups: _MakeGroups,
    ) -> None:
        self._pool, self._workspace, self._make_groups = pool, workspace, make_groups
        self._modules = workspace.payload.modules
        self._is_remote = settings.is_remote
        self._requirements = requirements(self._modules) if self._is_remote else None
        self._units: dict[_Unit, tuple[int, ...]] = {}
        self._owners: dict[_Unit, str] = {}
        self._waves: dict[str, Wave] = {}
        self._n_ended, self._checked_at = pool.n_ended, time.monotonic()
        self._began_at = time.monotonic()
        self._has_progressed = True
        self._outcomes: list[Outcome] = []
        self._is_search = workspace.batch.estimator is not None

    def attempt(self, pending: PendingFits) -> Generator[Outcome, None, AttemptFailure | None]:
        """Run pending fits until all are done, or a worker dies in one."""
        self._publish(pending)
        while True:
            self._pool.refresh()
            for outcome in self._workspace.new_outcomes():
                self._has_progressed = True
                self._outcomes.append(outcome)
                yield outcome
            if not pending.fits or self._workspace.batch.is_overdue:
                return None
            if not self._pool.n_alive:
                return (yield from self._end_attempt())
            if self._is_check_due():
                if deaths := (yield from self._find_deaths(pending)):
                    return AttemptFailure(deaths, deaths[0].reason, self._pool.last_run.pathspec)
                self._publish(pending)
            age_s = time.monotonic() - self._began_at
            time.sleep(min(_POLL_S + age_s * _BACK_OFF, _POLL_MAX_S))

    def finish(self) -> None:
        """Leave the workers to the next batch."""
        self._withdraw()
        if self._is_search:
            fields = [outcome.to_fields() for outcome in self._outcomes]
            self._pool.report(self._workspace.summary, fields)

    def cancel(self) -> None:
        """Leave the workers, which are needed for another batch, with what they run now."""
        for name, wave in self._waves.items():
            self._pool.queue.cancel(name, wave)
        self._withdraw()

    def _withdraw(self) -> None:
        """Remove the waves of this batch from the queue."""
        self._pool.queue.withdraw(self._waves)
        self._waves.clear()
        self._units.clear()

    def _publish(self, pending: PendingFits) -> None:
        """Publish the pending fits that are in no unit; see to it that there are workers."""
        published = {fit for unit in self._units.values() for fit in unit}
        missing = [fit for fit in pending.fits if fit not in published]
        if missing:
            suspects = set(pending.suspects)
            groups: list[Sequence[Chunk]] = [[(fit,)] for fit in missing if fit in suspects]
            if untried := [fit for fit in missing if fit not in suspects]:
                groups += self._make_groups(untried)
            self._publish_groups(groups, flush_starts=self._n_ended > 0)
        if self._has_progressed:
            n_units = len(self._unfinished_units(pending))
            if self._pool.ensure_workers(n_units, self._modules):
                self._has_progressed = False  # a run whose workers all die has no successor

    def _publish_groups(self, groups: UnitGroups, *, flush_starts: bool) -> None:
        workspace, is_remote = self._workspace, self._is_remote
        wave = Wave(
            store=workspace.store.url,
            manifest=workspace.payload.manifest,
            journal=workspace.journal_url,
            groups=groups,
            requirements=self._requirements,
            import_paths=() if is_remote else tuple(sys.path),
            late_modules=(
                pack_modules(self._pool.late_modules(), self._pool.queue.store) if is_remote else ""
            ),
            flush_starts=flush_starts,
        )
        name = self._pool.publish(wave)
        self._waves[name] = wave
        for group, units in enumerate(groups):
            for number, unit in enumerate(units):
                self._units[name, f"{group}-{number}"] = tuple(unit)

    def _unfinished_units(self, pending: PendingFits) -> list[_Unit]:
        fits = set(pending.fits)
        return [unit for unit, members in self._units.items() if not fits.isdisjoint(members)]

    def _is_check_due(self) -> bool:
        now, n_ended = time.monotonic(), self._pool.n_ended
        if n_ended == self._n_ended and now - self._checked_at < _CHECK_S:
            return False
        self._n_ended, self._checked_at = n_ended, now
        return True

    def _find_deaths(self, pending: PendingFits) -> Generator[Outcome, None, list[WorkerDeath]]:
        """Take back the units of dead workers; return the fits that they died in."""
        if not self._n_ended:
            return []
        lost = [unit for unit in self._unfinished_units(pending) if self._has_dead_owner(unit)]
        if not lost:
            return []
        yield from self._workspace.new_outcomes(last=True)
        fits = {fit for unit in lost for fit in self._units.pop(unit)}
        return self._pool.worker_deaths(self._workspace.journal.pop_interrupted(fits))

    def _has_dead_owner(self, unit: _Unit) -> bool:
        if unit not in self._owners:
            self._read_owners(unit[0])
        owner = self._owners.get(unit)
        return owner is not None and self._pool.is_dead(owner)

    def _read_owners(self, wave: str) -> None:
        claimed = self._pool.queue.claimed(wave)
        new = [unit for unit in claimed if (wave, unit) not in self._owners]
        for unit, owner in self._pool.queue.owners(wave, new).items():
            if owner:
                self._owners[wave, unit] = owner

    def _end_attempt(self) -> Generator[Outcome, None, AttemptFailure]:
        """All workers have ended: return which fits died with them."""
        yield from self._workspace.new_outcomes(last=True)
        self._withdraw()
        run = self._pool.last_run
        if run.failed and not run.pathspec:
            raise BackendError(run.failure_summary)
        self._has_progressed = True  # the next attempt starts a run
        deaths = self._pool.worker_deaths(self._workspace.journal.pop_interrupted())
        return AttemptFailure(deaths, run.failure_summary, run.pathspec)
