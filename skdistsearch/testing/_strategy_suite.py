"""`StrategySuite`: the tests that every strategy of an adaptive search must pass."""

from __future__ import annotations

import math
import random
import zlib
from collections import Counter
from typing import Any

import pytest

from skdistsearch.adaptive import Request, Row, Strategy

_FITS_MAX = 10_000


class StrategySuite:
    """Tests that every `~skdistsearch.adaptive.Strategy` must pass.

    Derive a class whose name begins with ``Test``, write `make_strategy`, and run pytest. No model
    is fitted.

    Attributes
    ----------
    n_splits : int, default=3
        Number of splits that the strategies are made for.

    Examples
    --------
    In a file of tests, for pytest to run:

    >>> from skdistsearch.adaptive import Request, Row, Strategy
    >>> from skdistsearch.testing import StrategySuite
    >>> class Everything(Strategy):
    ...     def __init__(self, candidates, n_splits):
    ...         self.candidates = candidates
    ...         self.requests = [
    ...             Request(number, candidate, split)
    ...             for number, candidate in enumerate(candidates)
    ...             for split in range(n_splits)
    ...         ]
    ...
    ...     def ask(self):
    ...         return self.requests.pop(0) if self.requests else None
    ...
    ...     def tell(self, request, score):
    ...         pass
    ...
    ...     def rows(self):
    ...         return [Row(number, params) for number, params in enumerate(self.candidates)]
    >>> class TestEverything(StrategySuite):
    ...     def make_strategy(self):
    ...         return Everything([{"alpha": 1.0}, {"alpha": 2.0}], self.n_splits)
    """

    n_splits = 3

    def make_strategy(self) -> Strategy:
        """Return a new strategy for ``n_splits`` splits. Each call returns an equal one."""
        raise NotImplementedError

    def score(self, request: Request) -> float:
        """Return the score of a fit.

        Parameters
        ----------
        request : Request
            The fit.

        Returns
        -------
        score : float
            The same for equal requests; by default, from 0 to 1.
        """
        key = repr((request.candidate, sorted(request.parameters.items()), request.fit_id))
        return zlib.crc32(key.encode()) / 2**32

    @pytest.mark.parametrize("n_workers", [1, 2, 4, 50])
    def test_fits_do_not_depend_on_workers_and_their_speed(self, n_workers: int) -> None:
        """The same fits and rows for any number of workers, whose fits end in any order."""
        expected, rows = self._run(1, seed=0)
        for seed in range(5):
            actual, actual_rows = self._run(n_workers, seed)
            assert _by_id(actual) == _by_id(expected)
            assert actual_rows == rows

    def test_each_fit_is_asked_for_once(self) -> None:
        """No two requests have the same candidate, amount and split."""
        requests, _ = self._run(2, seed=0)
        assert max(Counter(request.fit_id for request in requests).values()) == 1

    def test_requests_are_consistent(self) -> None:
        """Splits exist, stages increase, and a candidate has the same parameters in all fits."""
        requests, _ = self._run(2, seed=0)
        parameters: dict[int, Any] = {}
        for request in requests:
            assert 0 <= request.split < self.n_splits
            assert list(request.stages) == sorted(set(request.stages))
            assert parameters.setdefault(request.candidate, request.parameters) == (
                request.parameters
            )

    def test_stages_name_earlier_fits(self) -> None:
        """A fit that goes on follows the fits with the smaller amounts, on the same split."""
        requests, _ = self._run(2, seed=0)
        seen = set()
        for request in requests:
            for amount in request.stages[:-1]:
                assert (request.candidate, amount, request.split) in seen
            seen.add(request.fit_id)

    def test_rows_have_all_fits(self) -> None:
        """Each fit belongs to one row, and some row has all splits."""
        requests, rows = self._run(2, seed=0)
        places = [(row.candidate, row.amount) for row in rows]
        assert len(set(places)) == len(places)
        done = Counter((request.candidate, request.amount) for request in requests)
        assert set(done) == set(places)
        assert self.n_splits in done.values()
        assert len({tuple(row.columns) for row in rows}) == 1

    def test_failed_fits_do_not_stop_it(self) -> None:
        """Scores that are NaN, some or all, are the worst ones."""
        for share in (0.3, 1.0):
            failed, rows = self._run(2, seed=0, failing_share=share)
            assert failed
            assert rows

    def _run(
        self, n_workers: int, seed: int, failing_share: float = 0.0
    ) -> tuple[list[Request], list[Row]]:
        """Run a strategy; fits that run at the same time end in a random order."""
        strategy, generator = self.make_strategy(), random.Random(seed)
        asked: list[Request] = []
        running: list[Request] = []
        while True:
            while len(running) < n_workers and (request := strategy.ask()) is not None:
                running.append(request)
                asked.append(request)
                assert len(asked) < _FITS_MAX, "the strategy does not end"
            if not running:
                return asked, list(strategy.rows())
            request = running.pop(generator.randrange(len(running)))
            fails = generator.random() < failing_share
            strategy.tell(request, math.nan if fails else self.score(request))


def _by_id(requests: list[Request]) -> dict[Any, Any]:
    return {request.fit_id: (request.parameters, request.stages) for request in requests}
