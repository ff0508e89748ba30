"""Log the progress of a search."""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Generator

from skdistsearch._batch import Batch, Run, closing_outcomes
from skdistsearch._outcome import Outcome
from skdistsearch._typing import FitResult

_INTERVAL_S = 10.0

_log = logging.getLogger("skdistsearch")


def log_progress(run: Run) -> Run:
    """Wrap ``run`` so that it logs every ten seconds, and at the end of each round."""

    def run_and_log(batch: Batch) -> Generator[Outcome]:
        progress, logged_at = Progress(batch), time.monotonic()
        with closing_outcomes(run(batch)) as outcomes:
            for outcome in outcomes:
                progress.add_outcome(outcome)
                if time.monotonic() - logged_at > _INTERVAL_S:
                    _log.info("%s", progress)
                    logged_at = time.monotonic()
                yield outcome
        _log.info("%s", progress)

    return run_and_log


class Progress:
    """Number of finished fits and the best candidate so far, as text."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._n_by_status: Counter[str] = Counter()
        self._score_sums: Counter[int] = Counter()
        self._n_pending = Counter(fit.candidate for fit in batch.fits)
        self._n_splits = Counter(self._n_pending)
        self._first_fits = {fit.candidate: fit for fit in reversed(batch.fits)}
        self._best = -math.inf, -1

    def add_outcome(self, outcome: Outcome) -> None:
        """Count an outcome."""
        is_failed = outcome.status == "raised" or bool(outcome.fit_error)
        self._n_by_status["failed" if is_failed else outcome.status] += 1
        candidate = self._batch.fits[outcome.fit].candidate
        self._score_sums[candidate] += _first_score(outcome.result)  # type: ignore[assignment]
        self._n_pending[candidate] -= 1
        if not self._n_pending[candidate]:
            mean = self._score_sums[candidate] / self._n_splits[candidate]
            if mean > self._best[0]:
                self._best = mean, candidate

    def __str__(self) -> str:
        n_done = sum(self._n_by_status.values())
        text = f"{n_done} of {len(self._batch)} fits are done"
        for status in ("failed", "lost"):
            if self._n_by_status[status]:
                text += f", {self._n_by_status[status]} of them {status}"
        score, candidate = self._best
        if candidate < 0:
            return text
        description = self._first_fits[candidate].describe_candidate()
        return f"{text}; best mean score so far {score:.6g}: {description}"


def _first_score(result: FitResult | None) -> float:
    """Return the score of a fit; the first one, if there are several metrics."""
    scores = math.nan if result is None else result.get("test_scores", math.nan)
    if isinstance(scores, dict):
        scores = next(iter(scores.values()), math.nan)
    return float(scores) if isinstance(scores, int | float) else math.nan
