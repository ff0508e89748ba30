"""Fits that a search does not run: their outcomes, and the columns of ``cv_results_``."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import numpy as np

from skdistsearch._batch import Batch
from skdistsearch._outcome import Outcome
from skdistsearch._typing import FitResult


class SkippedFits:
    """Collects the outcomes of a search that does not run all of its fits."""

    def __init__(self) -> None:
        self._n_splits_done: Counter[int] = Counter()
        self._template: Any = None
        self._n_not_finite = 0
        self.reason = ""
        """Why fits were skipped; empty if none was."""

    def add(self, batch: Batch, outcome: Outcome) -> None:
        """Add the outcome of a fit that ran."""
        self._n_splits_done[batch.fits[outcome.fit].candidate] += 1
        if outcome.result is not None:
            self._template = self._template or outcome.result
            self._n_not_finite += not all(map(math.isfinite, _all_scores(outcome.result)))

    def skip(self, batch: Batch, fits: Iterable[int]) -> Iterator[Outcome]:
        """Yield outcomes of fits that will not run: their scores are NaN."""
        for fit in fits:
            yield Outcome(fit, "skipped", _without_numbers(self._template), batch=batch.key)

    def finish(self) -> None:
        """Keep scikit-learn from warning of scores that are NaN because fits were skipped."""
        if not self._n_not_finite:
            warnings.filterwarnings("ignore", "One or more of the (test|train) scores are non-fin")

    def n_splits_done(self, n_candidates: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the number of splits that each candidate was fitted on."""
        return np.array([self._n_splits_done[candidate] for candidate in range(n_candidates)])

    def add_columns(self, evaluate_candidates: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap scikit-learn's ``evaluate_candidates`` so that its results say what was skipped."""

        def evaluate_and_count(candidates: Any, *args: Any, **kwargs: Any) -> Any:
            with warnings.catch_warnings():  # `finish` adds a filter
                results = evaluate_candidates(candidates, *args, **kwargs)
            counts = self.n_splits_done(len(results["params"]))
            results["n_splits_done"] = counts
            return results

        return evaluate_and_count


def _without_numbers(result: Any) -> FitResult:
    """Return the result of a fit with NaN in the place of scores and times."""
    skipped: Any = {
        **(result or {}),
        "fit_error": None,
        "fit_time": math.nan,
        "score_time": math.nan,
    }
    for name in ("test_scores", "train_scores"):
        if name in skipped:
            scores = skipped[name]
            is_dict = isinstance(scores, dict)
            skipped[name] = dict.fromkeys(scores, math.nan) if is_dict else math.nan
    return cast("FitResult", skipped)


def _all_scores(result: Any) -> Iterator[float]:
    for name in ("test_scores", "train_scores"):
        scores = result.get(name, 0.0)
        yield from scores.values() if isinstance(scores, dict) else [scores]
