"""`Strategy`: decides which fit comes next. `Request` and `Row`: what it asks for and reports."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from skdistsearch._typing import Parameters

FitId = tuple[int, int, int]
"""Candidate, amount of the resource, split: identifies a fit of an adaptive search."""


@dataclass(frozen=True)
class Request:
    """A fit that a strategy asks for.

    Examples
    --------
    Candidate 3 on the first split, with 9 units of a resource after 1 and 3 units:

    >>> from skdistsearch.adaptive import Request
    >>> request = Request(3, {"alpha": 0.1}, split=0, stages=(1, 3, 9))
    >>> request.amount
    9
    """

    candidate: int
    """Number of the candidate. Equal for all fits of a candidate, and for no other."""
    parameters: Parameters
    """The parameters of the candidate."""
    split: int
    """Number of the split."""
    stages: tuple[int, ...] = ()
    """Amounts of the resource that this candidate has had on this split, and, last, the amount
    that it gets now. Empty in a search without a resource."""
    is_last: bool = True
    """False if the candidate may get more of the resource on this split."""

    @property
    def amount(self) -> int:
        """Amount of the resource. 0 in a search without one."""
        return self.stages[-1] if self.stages else 0

    @property
    def fit_id(self) -> FitId:
        """Candidate, amount of the resource, and split."""
        return self.candidate, self.amount, self.split


@dataclass(frozen=True)
class Row:
    """An entry of ``cv_results_``: one candidate with one amount of the resource.

    Examples
    --------
    >>> from skdistsearch.adaptive import Row
    >>> row = Row(3, {"alpha": 0.1}, amount=9, columns={"iter": 2})
    """

    candidate: int
    """Number of the candidate."""
    parameters: Parameters
    """The parameters of the candidate."""
    amount: int = 0
    """Amount of the resource. 0 in a search without one."""
    columns: Mapping[str, object] = field(default_factory=dict)
    """Values of further columns, by name. The same names in all rows."""


class Strategy(ABC):
    """Decides which fit comes next. It knows candidates and scores, and neither data nor backend.

    The search calls `ask` whenever it has room for a fit, and `tell` for each fit that is done, in
    any order. What a strategy asks for must depend on the scores alone, and not on the order in
    which fits end: then the results are the same for any number of workers.
    `skdistsearch.testing.StrategySuite` tests that.

    Examples
    --------
    A strategy that fits candidates on the first split, and the best one on the others:

    >>> from skdistsearch.adaptive import Request, Row, Strategy
    >>> class FirstSplit(Strategy):
    ...     def __init__(self, candidates, n_splits):
    ...         self.candidates, self.n_splits = candidates, n_splits
    ...         self.scores = {}
    ...         self.requests = [
    ...             Request(n, params, 0) for n, params in enumerate(candidates)
    ...         ]
    ...
    ...     def ask(self):
    ...         return self.requests.pop(0) if self.requests else None
    ...
    ...     def tell(self, request, score):
    ...         if request.split == 0:
    ...             self.scores[request.candidate] = score
    ...             if len(self.scores) == len(self.candidates):
    ...                 best = max(sorted(self.scores), key=self.scores.get)
    ...                 self.requests = [
    ...                     Request(best, self.candidates[best], split)
    ...                     for split in range(1, self.n_splits)
    ...                 ]
    ...
    ...     def rows(self):
    ...         return [Row(n, params) for n, params in enumerate(self.candidates)]
    """

    @abstractmethod
    def ask(self) -> Request | None:
        """Return the next fit to run.

        Returns
        -------
        request : Request or None
            None if the next fit depends on scores of fits that are running, or if there is none.
        """

    @abstractmethod
    def tell(self, request: Request, score: float) -> None:
        """Take the score of a fit.

        Parameters
        ----------
        request : Request
            What `ask` returned.
        score : float
            Its test score; larger is better. NaN for a fit that failed.
        """

    def stop(self) -> None:
        """End early, because the time is up: there will be no further `ask` or `tell`."""
        return

    @abstractmethod
    def rows(self) -> Sequence[Row]:
        """Return the entries of ``cv_results_``, in their order, after the last fit.

        Returns
        -------
        rows : sequence of Row
            One for each candidate and amount of the resource that fits were asked for.
        """


def mean_score(scores: Sequence[float]) -> float:
    """Return the mean; minus infinity, the worst of all, if a score is not finite."""
    mean = float(np.mean(scores))
    return mean if math.isfinite(mean) else -math.inf
