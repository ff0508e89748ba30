"""`Rungs`: successive halving in brackets that run at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from skdistsearch._typing import Parameters
from skdistsearch.adaptive._base import Request, Row, Strategy, mean_score
from skdistsearch.adaptive._brackets import Bracket


class Rungs(Strategy):
    """Successive halving in brackets: one bracket is halving, several are Hyperband.

    Decisions are those of complete rungs, and so the same for any number of workers. But they do
    not wait for what cannot change them: a candidate goes on as soon as it is among the best
    even if all missing ones score better.

    Parameters
    ----------
    brackets : sequence of Bracket
        Sizes of the rungs of each bracket.
    candidates : sequence of sequences of dict
        The candidates of each bracket, as many as its first rung has.
    splits : sequence of int
        Numbers of the splits, in the order in which rungs use them.
    """

    def __init__(
        self,
        brackets: Sequence[Bracket],
        candidates: Sequence[Sequence[Parameters]],
        splits: Sequence[int],
    ) -> None:
        self._rungs: list[list[_RungState]] = []
        self._parameters: list[Parameters] = []
        for bracket, parameters in zip(brackets, candidates, strict=True):
            sizes = [*(rung.n_candidates for rung in bracket[1:]), 0]
            rungs = [
                _RungState(rung.amount, splits[: rung.n_splits], n_next)
                for rung, n_next in zip(bracket, sizes, strict=True)
            ]
            first = len(self._parameters)
            rungs[0].n_expected = len(parameters)
            self._parameters += parameters
            self._rungs.append(rungs)
            for candidate in range(first, len(self._parameters)):
                rungs[0].enter(candidate)
        self._bracket_of = {
            candidate: rungs for rungs in self._rungs for candidate in rungs[0].members
        }

    def ask(self) -> Request | None:
        """Return a fit of the latest rung, of the bracket with most rungs: others wait for it."""
        waiting = [
            (number, -bracket)
            for bracket, rungs in enumerate(self._rungs)
            for number, rung in enumerate(rungs)
            if rung.queue
        ]
        if not waiting:
            return None
        number, bracket = max(waiting)
        rung = self._rungs[-bracket][number]
        candidate, split = rung.queue.pop(0)
        rungs = self._bracket_of[candidate]
        before = [r.amount for r in rungs if r.amount < rung.amount and split in r.splits]
        return Request(
            candidate,
            self._parameters[candidate],
            split,
            stages=(*before, rung.amount),
            is_last=rung is rungs[-1],
        )

    def tell(self, request: Request, score: float) -> None:
        """Note a score, and promote the candidates that are certain to be among the best."""
        rungs = self._bracket_of[request.candidate]
        number = next(n for n, rung in enumerate(rungs) if rung.amount == request.amount)
        rung = rungs[number]
        rung.add_score(request.candidate, score)
        if number + 1 == len(rungs):
            return
        following = rungs[number + 1]
        following.n_expected = min(rung.n_next, rung.n_expected)
        for candidate in rung.certain_winners():
            if candidate not in following.members:
                following.enter(candidate)

    def rows(self) -> list[Row]:
        """Return a row for each candidate of each rung, rung by rung."""
        return [
            Row(
                candidate,
                self._parameters[candidate],
                rung.amount,
                {
                    "candidate": candidate,
                    "bracket": bracket,
                    "iter": number,
                    "n_resources": rung.amount,
                },
            )
            for bracket, rungs in enumerate(self._rungs)
            for number, rung in enumerate(rungs)
            for candidate in sorted(rung.members)
        ]


@dataclass
class _RungState:
    """Candidates and scores of one rung."""

    amount: int
    splits: Sequence[int]
    n_next: int
    """Number of candidates that go on from here."""
    n_expected: int = 0
    """Number of candidates that come here."""
    members: dict[int, list[float]] = field(default_factory=dict)
    """Scores by candidate."""
    queue: list[tuple[int, int]] = field(default_factory=list)
    """Candidates and splits that have not been asked for."""
    means: dict[int, float] = field(default_factory=dict)
    """Mean scores of the candidates that are done."""

    def enter(self, candidate: int) -> None:
        self.members[candidate] = []
        self.queue += [(candidate, split) for split in self.splits]

    def add_score(self, candidate: int, score: float) -> None:
        scores = self.members[candidate]
        scores.append(score)
        if len(scores) == len(self.splits):
            # sorted: the sum of floats depends on their order, in which fits end at random
            self.means[candidate] = mean_score(sorted(scores))

    def certain_winners(self) -> list[int]:
        """Return the candidates that go on, even if all that are not done are better."""
        n_missing = self.n_expected - len(self.means)
        ranked = sorted(self.means, key=lambda candidate: (-self.means[candidate], candidate))
        return ranked[: max(0, self.n_next - n_missing)]
