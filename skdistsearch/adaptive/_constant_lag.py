"""`ConstantLag`: candidates are proposed one by one, with a constant number of them pending.

The trick: candidate i is proposed when exactly the scores of candidates 0 to i - n_pending are
known to the proposer, in this order. Scores that are there early are held back. So there is no
barrier, and what is known at each proposal depends on ``n_pending`` alone, not on the number of
workers or their speed: a seed gives the same candidates everywhere, and a search whose fits are
saved repeats itself up to the point where it was interrupted.

Nothing simpler has both: with all finished scores known, proposals depend on timing; with rounds,
workers wait for the slowest fit of each. It would break if a score were passed on early, even once.
``tests/adaptive/test_constant_lag.py`` watches that.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from skdistsearch._typing import Parameters
from skdistsearch.adaptive._base import Request, Row, Strategy, mean_score


class Proposer(Protocol):
    """Proposes candidates, and learns from their scores."""

    def propose(self) -> Parameters:
        """Return the next candidate."""

    def learn(self, candidate: int, score: float) -> None:
        """Take the mean score of a candidate; minus infinity if a fit failed."""


class ConstantLag(Strategy):
    """All splits of candidates that a proposer chooses from earlier scores.

    Parameters
    ----------
    proposer : Proposer
        Chooses the candidates.
    n_trials : int
        Number of candidates.
    n_pending : int
        Number of candidates whose scores are not known when another one is proposed, including the
        one that is proposed.
    n_splits : int
        Number of splits.
    """

    def __init__(self, proposer: Proposer, *, n_trials: int, n_pending: int, n_splits: int) -> None:
        self._proposer, self._n_trials = proposer, n_trials
        self._n_pending, self._n_splits = n_pending, n_splits
        self._candidates: list[Parameters] = []
        self._scores: list[dict[int, float]] = []
        self._n_learned = 0
        self._queue: deque[Request] = deque()

    def ask(self) -> Request | None:
        """Return the next split of a candidate; propose a candidate if its turn has come."""
        if not self._queue and len(self._candidates) < self._n_trials:
            self._propose_next()
        return self._queue.popleft() if self._queue else None

    def tell(self, request: Request, score: float) -> None:
        """Note a score."""
        self._scores[request.candidate][request.split] = score
        if len(self._candidates) == self._n_trials:
            self._learn_up_to(self._n_trials)

    def rows(self) -> list[Row]:
        """Return a row for each candidate."""
        return [Row(number, parameters) for number, parameters in enumerate(self._candidates)]

    def _propose_next(self) -> None:
        number = len(self._candidates)
        n_known = max(0, number - self._n_pending + 1)
        self._learn_up_to(n_known)
        if self._n_learned < n_known:
            return
        parameters = self._proposer.propose()
        self._candidates.append(parameters)
        self._scores.append({})
        self._queue += [Request(number, parameters, split) for split in range(self._n_splits)]

    def _learn_up_to(self, n_known: int) -> None:
        """Pass on the scores of the first candidates, in order, until one is not complete."""
        while self._n_learned < n_known:
            scores = self._scores[self._n_learned]
            if len(scores) < self._n_splits:
                return
            mean = mean_score([scores[split] for split in range(self._n_splits)])
            self._proposer.learn(self._n_learned, mean)
            self._n_learned += 1
