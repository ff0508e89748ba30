"""`ConstantLag`: candidates are proposed one by one, with a constant number of them pending.

The trick: candidate i is proposed when exactly the scores of candidates 0 to i - n_pending are
known to the proposer, in this order. Scores that are there early are held back. So there is no
barrier, and what is known at each proposal depends on ``n_pending`` alone, not on the number of
workers or their speed: a seed gives the same candidates everywhere, and a search whose fits are
saved repeats itself up to the point where it was interrupted.

A race follows the same rule: whether a candidate goes on after its first splits depends on its own
scores and on those that were known when it was proposed.

Nothing simpler has both: with all finished scores known, proposals depend on timing; with rounds,
workers wait for the slowest fit of each. It would break if a score were passed on early, even once.
``tests/adaptive/test_constant_lag.py`` watches that.
"""

from __future__ import annotations

import statistics
from collections import deque
from typing import Protocol

from skdistsearch._typing import Parameters
from skdistsearch.adaptive._base import Request, Row, Strategy, mean_score

_RACE_SPLITS = 2  # on which a candidate shows whether it is worth the others


class Proposer(Protocol):
    """Proposes candidates, and learns from their scores."""

    def propose(self) -> Parameters:
        """Return the next candidate."""

    def learn(self, candidate: int, score: float) -> None:
        """Take the mean score of a candidate; minus infinity if a fit failed."""

    def learn_dropped(self, candidate: int, score: float) -> None:
        """Take the mean score of a candidate on the splits after which it was dropped."""


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
    race : bool, default=False
        Drop a candidate after two splits if its mean score on them is below the median of the
        complete candidates that were known when it was proposed.
    """

    def __init__(
        self,
        proposer: Proposer,
        *,
        n_trials: int,
        n_pending: int,
        n_splits: int,
        race: bool = False,
    ) -> None:
        self._proposer, self._n_trials = proposer, n_trials
        self._n_pending, self._n_splits = n_pending, n_splits
        self._has_race = race and n_splits > _RACE_SPLITS
        self._candidates: list[Parameters] = []
        self._scores: list[dict[int, float]] = []
        self._dropped: set[int] = set()
        self._n_learned = 0
        self._queue: deque[Request] = deque()

    def ask(self) -> Request | None:
        """Return the next split of a candidate; propose a candidate if its turn has come."""
        if not self._queue and len(self._candidates) < self._n_trials:
            self._propose_next()
        return self._queue.popleft() if self._queue else None

    def tell(self, request: Request, score: float) -> None:
        """Note a score, and decide whether the candidate goes on."""
        scores = self._scores[request.candidate]
        scores[request.split] = score
        if len(scores) == _RACE_SPLITS and (rivals := self._rivals(request.candidate)):
            if self._first_mean(request.candidate) < statistics.median(rivals):
                self._dropped.add(request.candidate)
            else:
                self._ask_for(request.candidate, range(_RACE_SPLITS, self._n_splits))
        if len(self._candidates) == self._n_trials:
            self._learn_up_to(self._n_trials)

    def stop(self) -> None:
        """Pass on the scores of all candidates that are complete."""
        for number in range(self._n_learned, len(self._candidates)):
            self._learn(number)

    def rows(self) -> list[Row]:
        """Return a row for each candidate."""
        return [Row(number, parameters) for number, parameters in enumerate(self._candidates)]

    def _propose_next(self) -> None:
        number = len(self._candidates)
        n_known = self._n_known(number)
        self._learn_up_to(n_known)
        if self._n_learned < n_known:
            return
        self._candidates.append(self._proposer.propose())
        self._scores.append({})
        n_first = _RACE_SPLITS if self._rivals(number) else self._n_splits
        self._ask_for(number, range(n_first))

    def _ask_for(self, candidate: int, splits: range) -> None:
        parameters = self._candidates[candidate]
        self._queue += [Request(candidate, parameters, split) for split in splits]

    def _n_known(self, candidate: int) -> int:
        """Return the number of candidates whose scores are known when this one is proposed."""
        return max(0, candidate - self._n_pending + 1)

    def _rivals(self, candidate: int) -> list[float]:
        """Return the first scores of the candidates that decide on this one in a race."""
        if not self._has_race:
            return []
        known = range(self._n_known(candidate))
        return [self._first_mean(number) for number in known if number not in self._dropped]

    def _first_mean(self, candidate: int) -> float:
        return mean_score([self._scores[candidate][split] for split in range(_RACE_SPLITS)])

    def _learn_up_to(self, n_known: int) -> None:
        """Pass on the scores of the first candidates, in order, until one is not complete."""
        while self._n_learned < n_known:
            if not self._learn(self._n_learned):
                return
            self._n_learned += 1

    def _learn(self, number: int) -> bool:
        """Pass on the score of a candidate; return False if it is not complete."""
        scores = self._scores[number]
        if number in self._dropped:
            self._proposer.learn_dropped(number, self._first_mean(number))
            return True
        if len(scores) < self._n_splits:
            return False
        mean = mean_score([scores[split] for split in range(self._n_splits)])
        self._proposer.learn(number, mean)
        return True
