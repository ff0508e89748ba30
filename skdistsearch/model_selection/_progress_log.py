"""What happens while a search runs, for who listens: the logger ``skdistsearch``."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome, closeable

_EVERY_S = 10.0

_log = logging.getLogger("skdistsearch")

Run = Callable[[Batch], Iterator[Outcome]]


def log_progress(run: Run) -> Run:
    """``run``, with a line in the log every ten seconds, and at the end of each round."""

    def telling(batch: Batch) -> Generator[Outcome]:
        tally, last_s = Tally(batch), time.monotonic()
        with closing(closeable(run(batch))) as outcomes:
            for outcome in outcomes:
                tally.count(outcome)
                if time.monotonic() - last_s > _EVERY_S:
                    _log.info("%s", tally)
                    last_s = time.monotonic()
                yield outcome
        _log.info("%s", tally)

    return telling


class Tally:
    """What became of the fits so far, as text."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._counts: Counter[str] = Counter()
        self._sums: Counter[int] = Counter()
        self._left = Counter(fit.candidate for fit in batch.fits)
        self._first = {fit.candidate: fit for fit in reversed(batch.fits)}
        self._n_splits = Counter(self._left)
        self._best = -math.inf, -1

    def count(self, outcome: Outcome) -> None:
        """Take note of an outcome."""
        result = outcome.result or {}
        failed = outcome.status == "raised" or bool(result.get("fit_error"))
        self._counts["failed" if failed else outcome.status] += 1
        candidate = self._batch.fits[outcome.fit].candidate
        self._sums[candidate] += _score(result)  # type: ignore[assignment]
        self._left[candidate] -= 1
        if not self._left[candidate]:
            mean = self._sums[candidate] / self._n_splits[candidate]
            if mean > self._best[0]:
                self._best = mean, candidate

    def __str__(self) -> str:
        done = sum(self._counts.values())
        said = f"{done} of {len(self._batch)} fits are done"
        for what in ("failed", "lost"):
            if self._counts[what]:
                said += f", {self._counts[what]} of them {what}"
        score, candidate = self._best
        if candidate < 0:
            return said
        return f"{said}; best mean score so far {score:.6g}: {self._first[candidate].describe()}"


def _score(result: Mapping[str, Any]) -> float:
    """The score of a fit; of several, the first."""
    scores = result.get("test_scores", math.nan)
    if isinstance(scores, Mapping):
        scores = next(iter(scores.values()), math.nan)
    return float(scores) if isinstance(scores, int | float) else math.nan
