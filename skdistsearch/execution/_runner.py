"""Run the fits of a chunk in one process, one after the other, with shared work done once.

scikit-learn's own function runs each fit. Its arguments are prepared: the data of the split is
sliced once, and in the clone of the estimator cached transformers look up earlier work.

Shared data is read-only, because a fit that wrote to it would change what later fits see. Most
estimators never notice. One that writes to its input raises an error about it, in words that
depend on the library (numpy, Cython, numba, pandas). The fit then runs a second time, on data of
its own, as scikit-learn would have run it in the first place.

Nothing simpler keeps the scores equal to scikit-learn's: copying the data for each fit costs what
sharing saves, and no attribute says whether an estimator writes to its input. An unknown wording of
the error would break it: the fit would count as failed. ``tests/execution/test_runner.py`` watches
the wordings of numpy and Cython.
"""

from __future__ import annotations

import logging
import numbers
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from skdistsearch._batch import Batch, PreparedCall
from skdistsearch._outcome import Outcome
from skdistsearch._typing import FitResult
from skdistsearch.execution._cached_transformer import install_cached_transformers
from skdistsearch.execution._shared_work import default_budget_mb
from skdistsearch.execution._split_data import SplitData
from skdistsearch.execution._transform_cache import TransformCache
from skdistsearch.execution._transformer_slots import (
    is_pairwise,
    iter_slots,
    may_modify_input,
    with_parameters,
)

_READ_ONLY_ERROR = re.compile("read-?only|writ(e)?able", re.IGNORECASE)

_log = logging.getLogger("skdistsearch")


def run_chunk(batch: Batch, fits: Sequence[int]) -> list[Outcome]:
    """Run fits of a batch in this process, wherever it is.

    Parameters
    ----------
    batch : Batch
        The batch, or ``batch.portable()`` in another process.
    fits : sequence of int
        Numbers of the fits. Those with shared work do it once.

    Returns
    -------
    outcomes : list of Outcome
        One for each fit, in their order. Exceptions become part of outcomes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import run_chunk
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> [outcome.status for outcome in run_chunk(batch, [0, 1])]
    ['ok', 'ok']
    """
    return list(map(Runner(batch, fits).run, fits))


class Runner:
    """Run fits of one batch in this process.

    Parameters
    ----------
    batch : Batch
        Nothing is shared unless its context has ``shared_work``.
    fits : sequence of int
        The fits that `run` may be called for. A cached transformer is kept as long as one of them
        needs it.
    """

    def __init__(self, batch: Batch, fits: Sequence[int]) -> None:
        self._batch = batch
        self._work = batch.context.shared_work
        self._current: _CurrentSplit | None = None
        self._modifies_input: dict[int, bool] = {}
        self._users_left: dict[int, Counter[int | None]] = defaultdict(Counter)
        self._n_fits = Counter(batch.fits[fit].split for fit in fits)
        for fit in fits:
            self._users_left[batch.fits[fit].split].update(self._tokens_of(fit))
        self._users = {split: Counter(left) for split, left in self._users_left.items()}

    def run(self, fit: int) -> Outcome:
        """Run a fit anywhere. An exception becomes part of the outcome."""
        prepared = self._prepare_call(fit)
        outcome = self._batch.run(fit, prepared)
        if prepared is not None and self._failed_on_read_only(outcome):
            outcome = self._batch.run(fit, fire_callbacks=False)
        elif prepared is not None:
            outcome = self._with_shared_times(outcome)
        self.mark_done([fit])
        return outcome

    def run_in_process(self, fit: int) -> Outcome:
        """Run a fit in the caller's process. Exceptions pass through."""
        prepared = self._prepare_call(fit)
        outcome = self._run_or_rerun_in_process(fit, prepared)
        if prepared is not None:
            outcome = self._with_shared_times(outcome)
        self.mark_done([fit])
        return outcome

    def _run_or_rerun_in_process(self, fit: int, prepared: PreparedCall | None) -> Outcome:
        try:
            outcome = self._batch.run_in_process(fit, prepared)
        except Exception as exc:
            if prepared is None or not _READ_ONLY_ERROR.search(str(exc)):
                raise
        else:
            if prepared is None or not self._failed_on_read_only(outcome):
                return outcome
        return self._batch.run_in_process(fit, fire_callbacks=False)

    def mark_done(self, fits: Iterable[int]) -> None:
        """Mark fits as done, and evict cached results that no remaining fit needs.

        Includes fits that other processes have claimed.
        """
        if self._work is None:
            return
        for fit in fits:
            self._users_left[self._batch.fits[fit].split].subtract(self._tokens_of(fit))
        if self._current is not None:
            left = self._users_left[self._current.number]
            self._current.cache.evict_unneeded(lambda token: left[token] > 0)

    def _tokens_of(self, fit: int) -> Iterable[int | None]:
        return self._work.tokens[fit] if self._work else ()

    def _prepare_call(self, fit: int) -> PreparedCall | None:
        if self._work is None:
            return None
        current = self._current_split(fit)
        current.cache.begin_fit()
        current.seconds_before = current.data.seconds
        try:
            return self._prepared_call(fit, current)
        except Exception:  # scikit-learn's own call raises it again, in the right place
            _log.debug(
                "%s runs without shared work, which could not be prepared",
                self._batch.fits[fit],
                exc_info=True,
            )
            return None

    def _current_split(self, fit: int) -> _CurrentSplit:
        batch, number = self._batch, self._batch.fits[fit].split
        if self._current is None or self._current.number != number:
            assert self._work is not None
            self._current = None  # free the data of the last split before slicing the next
            budget_mb = self._work.budget_mb or default_budget_mb()
            cache = TransformCache(budget_mb, self._users[number].__getitem__)
            data = SplitData(batch.arguments, batch.keywords_of(fit), cache)
            self._current = _CurrentSplit(number, cache, data)
        return self._current

    def _prepared_call(self, fit: int, current: _CurrentSplit) -> PreparedCall | None:
        batch = self._batch
        estimator = with_parameters(batch.arguments[0], batch.fits[fit].parameters)
        candidate = batch.fits[fit].candidate
        if candidate not in self._modifies_input:
            self._modifies_input[candidate] = may_modify_input(estimator)
        if self._modifies_input[candidate] or is_pairwise(estimator, batch.arguments[1]):
            return None
        keywords = dict(current.data.keywords)
        install_cached_transformers(
            iter_slots(estimator), tuple(self._tokens_of(fit)), current.cache
        )
        if batch.verbose <= 1:  # above 1, scikit-learn prints the parameters
            keywords["parameters"] = None  # set already: scikit-learn would undo the installation
        return PreparedCall((estimator, *current.data.data), keywords)

    def _with_shared_times(self, outcome: Outcome) -> Outcome:
        """Divide the time of shared work equally among the fits that use it."""
        if self._current is None or outcome.result is None or "fit_time" not in outcome.result:
            return outcome
        current, result = self._current, outcome.result.copy()
        slicing_s = current.data.seconds
        share_s = slicing_s / self._n_fits[current.number] - (slicing_s - current.seconds_before)
        result["fit_time"] = max(result["fit_time"] + current.cache.times.fit + share_s, 0.0)
        result["score_time"] = max(result["score_time"] + current.cache.times.score, 0.0)
        return replace(outcome, result=result)

    def _failed_on_read_only(self, outcome: Outcome) -> bool:
        """Return True if the fit may have failed because shared data is read-only."""
        if outcome.raised is not None:
            return bool(_READ_ONLY_ERROR.search(outcome.raised.message))
        if outcome.result is None:
            return False
        if fit_error := outcome.result.get("fit_error"):
            return bool(_READ_ONLY_ERROR.search(fit_error))
        error_score = self._batch.keywords_of(outcome.fit).get("error_score")
        return any(_is_same_number(score, error_score) for score in _all_scores(outcome.result))


@dataclass
class _CurrentSplit:
    """Shared data of the split whose fits are running."""

    number: int
    cache: TransformCache
    data: SplitData
    seconds_before: float = 0.0
    """Seconds that slicing had taken before the current fit."""


def _all_scores(result: FitResult) -> Iterator[object]:
    for scores in (result.get("test_scores"), result.get("train_scores")):
        yield from scores.values() if isinstance(scores, dict) else (scores,)


def _is_same_number(score: object, error_score: object) -> bool:
    if not isinstance(score, numbers.Number) or not isinstance(error_score, numbers.Number):
        return False
    return score == error_score or (score != score and error_score != error_score)
