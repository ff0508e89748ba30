"""which fits are pending, and how often each has killed a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import BackendError

_TRIES = 2  # a fit whose worker died is tried once more, alone
_RECLAIMS = 8  # a fit whose machine was taken away: no fault of its own, but it has to end


@dataclass(frozen=True)
class WorkerDeath:
    """A worker died while a fit ran in it."""

    fit: int
    """Number of the fit within its batch."""
    reason: str
    """Why, as far as is known: sentences."""
    host_lost: bool = False
    """Whether its machine went away, which is no fault of the fit's."""


class PendingFits:
    """Which fits of a batch are owed, and how often a worker died in each."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._owed = dict.fromkeys(range(len(batch)))
        self._deaths: Counter[int] = Counter()
        self._reclaims: Counter[int] = Counter()
        self._idle, self._moved = 0, False

    def settle(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass on the outcomes of fits that are owed, each once."""
        for outcome in outcomes:
            if outcome.fit in self._owed:
                del self._owed[outcome.fit]
                self._moved = True
                yield outcome

    def blame(
        self, deaths: Iterable[WorkerDeath], idle: str, task_pathspec: str = ""
    ) -> Iterator[Outcome]:
        """Workers died: give up the fits that had their tries.

        ``idle`` is what to say if they died, time and again, before they had begun a fit.
        """
        blamed = [death for death in deaths if death.fit in self._owed]
        self._idle = 0 if blamed or self._moved else self._idle + 1
        self._moved = False
        if self._idle >= _TRIES:
            raise BackendError(f"No fit began {_TRIES} times in a row. {idle}")
        for death in blamed:
            (self._reclaims if death.host_lost else self._deaths)[death.fit] += 1
        for fit, reason in {death.fit: death.reason for death in blamed}.items():
            if self._deaths[fit] >= _TRIES or self._reclaims[fit] >= _RECLAIMS:
                del self._owed[fit]
                times = self._deaths[fit] + self._reclaims[fit]
                yield Outcome(
                    fit,
                    "lost",
                    reason=f"{self._batch.fits[fit]}: its worker died {times} times. {reason}",
                    task_pathspec=task_pathspec,
                    batch=self._batch.key,
                )

    @property
    def deaths(self) -> dict[int, int]:
        """How often a worker died in each suspect."""
        return {fit: self._deaths[fit] for fit in self.suspect}

    @property
    def owed(self) -> list[int]:
        """Fits that have no outcome yet."""
        return list(self._owed)

    @property
    def innocent(self) -> list[int]:
        """Fits that are owed and in which no worker died."""
        return [fit for fit in self._owed if not self._deaths[fit]]

    @property
    def suspect(self) -> list[int]:
        """Fits that are owed and in which a worker died: each runs alone the next time."""
        return [fit for fit in self._owed if self._deaths[fit]]
