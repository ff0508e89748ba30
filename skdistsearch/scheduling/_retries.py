"""Run a batch until each fit has an outcome, although workers die.

A fit whose worker died is a suspect: it may have used up the memory or crashed native code. It is
tried once more, alone, and is lost if its worker dies again. A machine that was taken away is not
the fit's fault, and counts separately.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch.exceptions import BackendError

_MAX_DEATHS = 2  # a fit whose worker died is tried once more, alone
_MAX_HOST_LOSSES = 8  # not the fit's fault, but the search must end


@dataclass(frozen=True)
class WorkerDeath:
    """A worker died while it ran a fit.

    See Also
    --------
    skdistsearch.backends.run_until_done : Has an example of an attempt with a death.

    Examples
    --------
    >>> from skdistsearch.backends import WorkerDeath
    >>> WorkerDeath(fit=3, reason="Out of memory.")
    WorkerDeath(fit=3, reason='Out of memory.', host_lost=False)
    """

    fit: int
    """Number of the fit within its batch."""
    reason: str
    """The cause, as far as it is known, in sentences."""
    host_lost: bool = False
    """True if the worker's machine was taken away, which is not the fit's fault."""


@dataclass(frozen=True)
class AttemptFailure:
    """Workers died during an attempt to run the pending fits.

    See Also
    --------
    skdistsearch.backends.run_until_done : Has an example of an attempt that fails.

    Examples
    --------
    >>> from skdistsearch.backends import AttemptFailure, WorkerDeath
    >>> deaths = [WorkerDeath(3, "Out of memory.")]
    >>> failure = AttemptFailure(deaths, "Out of memory.")
    >>> [death.fit for death in failure.deaths]
    [3]
    """

    deaths: Sequence[WorkerDeath]
    """The fits that were running. May be empty: workers may die before their first fit."""
    reason: str
    """The cause, for the error that is raised if no fit starts in two attempts in a row."""
    task_pathspec: str = ""
    """Pathspec of the Metaflow run, for the outcomes of lost fits."""


Attempt: TypeAlias = Callable[["PendingFits"], Generator[Outcome, None, AttemptFailure | None]]
"""Runs pending fits, as many as it can. Yields outcomes, and returns an `AttemptFailure` if workers
died, or None if none did."""


def run_until_done(batch: Batch, attempt: Attempt) -> Generator[Outcome]:
    """Call ``attempt`` until each fit of ``batch`` has an outcome; yield the outcomes.

    Parameters
    ----------
    batch : Batch
        The fits to run.
    attempt : callable
        A generator function. It is called with the `PendingFits`, runs them in any order, and
        should run each suspect alone. It may leave fits to the next attempt. It returns an
        `AttemptFailure` if workers died, else None.

    Yields
    ------
    outcome : Outcome
        One for each fit. A fit whose worker died twice has status ``"lost"``. If the time of the
        search is up, fits may have none.

    Raises
    ------
    BackendError
        Workers died in two attempts in a row before any fit started.

    Examples
    --------
    An attempt in this process, in which the worker of fit 2 dies each time:

    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import AttemptFailure, WorkerDeath
    >>> from skdistsearch.backends import run_until_done
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> def attempt(pending):
    ...     for fit in pending.untried or pending.suspects[:1]:
    ...         if fit == 2:
    ...             deaths = [WorkerDeath(2, "Out of memory.")]
    ...             return AttemptFailure(deaths, "Out of memory.")
    ...         yield batch.run(fit)
    ...     return None
    >>> for outcome in run_until_done(batch, attempt):
    ...     print(outcome.fit, outcome.status)
    0 ok
    1 ok
    3 ok
    2 lost
    >>> outcome.reason
    'candidate 1 (alpha=1.0), split 0: its worker died 2 times. Out of memory.'
    """
    pending = PendingFits(batch)
    while pending.fits and not batch.is_overdue:
        failure = yield from pending.complete(attempt(pending))
        if failure is not None and pending.fits:
            yield from pending.record_failure(failure)


class PendingFits:
    """Fits of a batch without an outcome, and how often a worker died in each of them.

    `run_until_done` makes it, and passes it to each attempt.

    Parameters
    ----------
    batch : Batch
        The batch, none of whose fits has run.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import AttemptFailure, PendingFits, WorkerDeath
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> pending = PendingFits(batch)
    >>> pending.untried
    [0, 1, 2, 3]
    >>> deaths = [WorkerDeath(2, "Out of memory.")]
    >>> failure = AttemptFailure(deaths, "Out of memory.")
    >>> lost = list(pending.record_failure(failure))
    >>> pending.untried, pending.suspects, pending.deaths
    ([0, 1, 3], [2], {2: 1})
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._pending = dict.fromkeys(range(len(batch)))
        self._deaths: Counter[int] = Counter()
        self._host_losses: Counter[int] = Counter()
        self._n_idle_attempts, self._has_progressed = 0, False

    def complete(
        self, outcomes: Generator[Outcome, None, AttemptFailure | None]
    ) -> Generator[Outcome, None, AttemptFailure | None]:
        """Yield the outcomes of pending fits, each once; return what ``outcomes`` returns.

        Parameters
        ----------
        outcomes : generator
            An attempt. It is closed at the end.

        Yields
        ------
        outcome : Outcome
            Of a fit that had none.
        """
        with closing(outcomes):  # at once, not at a garbage collection
            while True:
                try:
                    outcome = next(outcomes)
                except StopIteration as end:
                    failure: AttemptFailure | None = end.value
                    return failure
                if outcome.fit in self._pending:
                    del self._pending[outcome.fit]
                    self._has_progressed = True
                    yield outcome

    def record_failure(self, failure: AttemptFailure) -> Iterator[Outcome]:
        """Count deaths; yield the outcomes of fits that have been tried often enough.

        Parameters
        ----------
        failure : AttemptFailure
            What an attempt returned.

        Yields
        ------
        outcome : Outcome
            Status ``"lost"``.

        Raises
        ------
        BackendError
            Workers died in two attempts in a row before any fit started.
        """
        deaths = [death for death in failure.deaths if death.fit in self._pending]
        is_idle = not deaths and not self._has_progressed
        self._n_idle_attempts = self._n_idle_attempts + 1 if is_idle else 0
        self._has_progressed = False
        if self._n_idle_attempts >= _MAX_DEATHS:
            raise BackendError(f"No fit began {_MAX_DEATHS} times in a row. {failure.reason}")
        for death in deaths:
            (self._host_losses if death.host_lost else self._deaths)[death.fit] += 1
        for fit, reason in {death.fit: death.reason for death in deaths}.items():
            if self._deaths[fit] >= _MAX_DEATHS or self._host_losses[fit] >= _MAX_HOST_LOSSES:
                del self._pending[fit]
                yield self._lost_outcome(fit, reason, failure.task_pathspec)

    def _lost_outcome(self, fit: int, reason: str, task_pathspec: str) -> Outcome:
        n_deaths = self._deaths[fit] + self._host_losses[fit]
        return Outcome(
            fit,
            "lost",
            reason=f"{self._batch.fits[fit]}: its worker died {n_deaths} times. {reason}",
            task_pathspec=task_pathspec,
            batch=self._batch.key,
        )

    @property
    def fits(self) -> list[int]:
        """Numbers of all fits without an outcome, a list."""
        return list(self._pending)

    @property
    def untried(self) -> list[int]:
        """Numbers of the pending fits in which no worker has died, a list."""
        return [fit for fit in self._pending if not self._deaths[fit]]

    @property
    def suspects(self) -> list[int]:
        """Numbers of the pending fits in which a worker has died, a list. Each must run alone."""
        return [fit for fit in self._pending if self._deaths[fit]]

    @property
    def deaths(self) -> dict[int, int]:
        """Number of deaths by the number of the suspect, a dict."""
        return {fit: self._deaths[fit] for fit in self.suspects}
