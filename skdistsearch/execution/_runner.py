"""Run the fits of a chunk in one process, one after the other, with shared work done once.

scikit-learn's own function runs each fit. Its arguments are prepared: the data of the split is
sliced once, and in the clone of the estimator cached transformers look up earlier work.

Shared data is read-only, because a fit that wrote to it would change what later fits see. Most
estimators never notice. One that writes to its input raises an error about it, of any type and in
any words, or replaces it by one of its own. So a fit that fails runs a second time, on data of its
own, as scikit-learn would have run it in the first place. So does a fit during which the cache has
noticed a change that spoils shared work. The other fits of a candidate that had to run twice do not
share work any more.

Nothing simpler keeps the scores equal to scikit-learn's: copying the data for each fit costs what
sharing saves, and no attribute says whether an estimator writes to its input. Code that catches the
error and goes on, or asks whether its input is writeable, breaks it.
``tests/execution/test_runner.py`` watches the ways to fail, and ``test_hostile.py`` the scores.
"""

from __future__ import annotations

import logging
import math
import numbers
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from skdistsearch._batch import Batch, PreparedCall
from skdistsearch._outcome import Outcome
from skdistsearch._typing import FitResult
from skdistsearch.execution._cached_transformer import install_cached_transformers
from skdistsearch.execution._path_fit import install_path_fit, sees_models
from skdistsearch.execution._shared_work import default_budget_mb
from skdistsearch.execution._slice_files import SliceFolders, open_slice_files
from skdistsearch.execution._split_data import SplitData
from skdistsearch.execution._transform_cache import TransformCache
from skdistsearch.execution._transformer_slots import (
    is_pairwise,
    iter_slots,
    may_modify_input,
    with_parameters,
)
from skdistsearch.report import quiet_autologging

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
    folders : SliceFolders or None, default=None
        Folders for slices of large data. With them, `close` must be called.
    """

    def __init__(
        self, batch: Batch, fits: Sequence[int], folders: SliceFolders | None = None
    ) -> None:
        self._batch, self._folders = batch, folders
        self._work = batch.context.shared_work
        self._current: _CurrentSplit | None = None
        self._modifies_input: dict[int, bool] = {}  # by candidate
        self._runs_alone: set[int] = set()  # candidates that shared data does not suit
        self._unshareable: set[int] = set()
        self._costs_left: dict[int, Counter[int]] = defaultdict(Counter)
        self._fits_left = Counter(batch.fits[fit].split for fit in fits)
        for fit in fits:
            self._costs_left[batch.fits[fit].split].update(self._costs_of(fit))

    def close(self) -> None:
        """Free the data of the current split."""
        if self._current is not None:
            self._current.data.close()
        self._current = None

    @quiet_autologging()
    def run(self, fit: int) -> Outcome:
        """Run a fit anywhere. An exception becomes part of the outcome."""
        prepared = self._prepare_call(fit)
        outcome = self._batch.run(fit, prepared)
        if prepared is not None:
            if outcome.result is None:
                outcome = _failed_after(fit, outcome.finished_at - outcome.started_at)
            outcome = self._settle_times(outcome)
            if self._must_run_alone(outcome):
                self._note_second_run(fit)
                outcome = _with_times_of(outcome, self._batch.run(fit, fire_callbacks=False))
        self.mark_done([fit])
        return outcome

    @quiet_autologging()
    def run_in_process(self, fit: int) -> Outcome:
        """Run a fit in the caller's process. Exceptions pass through."""
        prepared = self._prepare_call(fit)
        if prepared is None:
            outcome = self._batch.run_in_process(fit)
        else:
            outcome = self._run_prepared_in_process(fit, prepared)
        self.mark_done([fit])
        return outcome

    def _run_prepared_in_process(self, fit: int, prepared: PreparedCall) -> Outcome:
        start = time.perf_counter()
        try:
            first = self._batch.run_in_process(fit, prepared)
        except Exception:  # the second run raises it again
            first = self._settle_times(_failed_after(fit, time.perf_counter() - start))
        else:
            first = self._settle_times(first)
            if not self._must_run_alone(first):
                return first
        self._note_second_run(fit)
        return _with_times_of(first, self._batch.run_in_process(fit, fire_callbacks=False))

    def mark_done(self, fits: Iterable[int]) -> None:
        """Mark fits as done, and evict cached results that no remaining fit needs.

        Includes fits that other processes have claimed.
        """
        if self._work is None:
            return
        for fit in fits:
            split = self._batch.fits[fit].split
            self._fits_left[split] -= 1
            self._costs_left[split].subtract(self._costs_of(fit))
        if self._current is not None:
            left = self._costs_left[self._current.number]
            self._current.cache.evict_unneeded(lambda token: left[token] > 0)

    def _costs_of(self, fit: int) -> Any:  # a float for each token; Counter's are typed as int
        return self._work.costs_of(fit) if self._work else {}

    def _prepare_call(self, fit: int) -> PreparedCall | None:
        if self._work is None:
            return None
        current = self._current_split(fit)
        current.cache.begin_fit(self._costs_of(fit))
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
            self.close()  # before the next split is sliced
            budget_mb = self._work.budget_mb or default_budget_mb()
            costs_left = self._costs_left[number].__getitem__
            cache = TransformCache(budget_mb, costs_left, self._unshareable)
            files = open_slice_files(self._folders, number)
            data = SplitData(batch.arguments, batch.keywords_of(fit), cache, files)
            self._current = _CurrentSplit(number, cache, data)
        return self._current

    def _prepared_call(self, fit: int, current: _CurrentSplit) -> PreparedCall | None:
        batch = self._batch
        estimator = with_parameters(batch.arguments[0], batch.fits[fit].parameters)
        candidate = batch.fits[fit].candidate
        if candidate in self._runs_alone or is_pairwise(estimator, batch.arguments[1]):
            return None
        if candidate not in self._modifies_input:
            self._modifies_input[candidate] = may_modify_input(estimator)
        needs_own_data = self._modifies_input[candidate]
        can_be_private = needs_own_data or not self._looks_up(fit, current.cache)
        has_own_data = current.data.begin_fit(can_be_private=can_be_private)
        if needs_own_data and not has_own_data:
            return None
        if not has_own_data:
            self._install_lookups(estimator, fit, current.cache)
        keywords = dict(current.data.keywords)
        if batch.verbose <= 1:  # above 1, scikit-learn prints the parameters
            keywords["parameters"] = None  # set already: scikit-learn would undo the installation
        return PreparedCall((estimator, *current.data.data), keywords)

    def _looks_up(self, fit: int, cache: TransformCache) -> bool:
        """Return True if the fit may use earlier work."""
        assert self._work is not None
        tokens = self._work.tokens[fit]
        has_path = self._work.path_of(fit) is not None
        return has_path or any(t is not None and t not in cache.unshareable for t in tokens)

    def _install_lookups(self, estimator: Any, fit: int, cache: TransformCache) -> None:
        """Make the transformers and the model of an estimator look up earlier work."""
        assert self._work is not None
        slots, tokens = iter_slots(estimator), self._work.tokens[fit]
        install_cached_transformers(slots, tokens, cache, self._work.bases)
        if member := self._work.path_of(fit):
            install_path_fit(estimator, member, cache, copies_model=sees_models(self._batch))

    def _settle_times(self, outcome: Outcome) -> Outcome:
        """Divide the time of shared work equally among the fits that use it."""
        if self._current is None or outcome.result is None or "fit_time" not in outcome.result:
            return outcome
        current, result = self._current, outcome.result.copy()
        times = current.cache.settle_times()
        slicing_s = current.data.settle_seconds(self._fits_left[current.number])
        result["fit_time"] = max(result["fit_time"] + times.fit + slicing_s, 0.0)
        result["score_time"] = max(result["score_time"] + times.score, 0.0)
        return replace(outcome, result=result)

    def _must_run_alone(self, outcome: Outcome) -> bool:
        """Return True if the fit may have gone wrong because its data was shared."""
        assert self._current is not None
        if outcome.result is None or outcome.fit_error or self._current.cache.is_spoiled:
            return True
        error_score = self._batch.keywords_of(outcome.fit).get("error_score")
        return any(_is_same_number(score, error_score) for score in _all_scores(outcome.result))

    def _note_second_run(self, fit: int) -> None:
        """Remember a candidate that shared work does not suit.

        If the cache knows which transformer is the cause, the others are shared.
        """
        assert self._current is not None
        if not self._current.cache.is_spoiled:
            self._runs_alone.add(self._batch.fits[fit].candidate)


def _failed_after(fit: int, seconds: float) -> Outcome:
    """Return the outcome of a fit that raised an exception, which has no times by itself."""
    times: FitResult = {
        "fit_error": "raised",
        "test_scores": math.nan,
        "fit_time": seconds,
        "score_time": 0.0,
    }
    return Outcome(fit, "raised", times)


def _with_times_of(first: Outcome, second: Outcome) -> Outcome:
    """Return the second outcome of a fit, with the times of both runs."""
    if first.result is None or second.result is None:
        return second
    result = second.result.copy()
    for name in ("fit_time", "score_time"):
        if name in result:
            result[name] += first.result.get(name, 0.0)
    return replace(second, result=result, started_at=first.started_at or second.started_at)


@dataclass
class _CurrentSplit:
    """Shared data of the split whose fits are running."""

    number: int
    cache: TransformCache
    data: SplitData


def _all_scores(result: FitResult) -> Iterator[object]:
    for scores in (result.get("test_scores"), result.get("train_scores")):
        yield from scores.values() if isinstance(scores, dict) else (scores,)


def _is_same_number(score: object, error_score: object) -> bool:
    if not isinstance(score, numbers.Number) or not isinstance(error_score, numbers.Number):
        return False
    return score == error_score or (score != score and error_score != error_score)
