"""Runs fits of a batch in one process, one after the other: what they have in common once.

scikit-learn's own function runs each fit. What it is given is prepared: the split's data, made
once, and a clone of the estimator whose transformers look up what an earlier fit has done.
"""

from __future__ import annotations

import logging
import numbers
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skdistsearch._batch import Batch, Prepared
from skdistsearch._outcome import Outcome
from skdistsearch.execution._cached_transformer import install_cached_transformers
from skdistsearch.execution._split_data import SplitData
from skdistsearch.execution._transform_cache import TransformCache
from skdistsearch.execution._transformer_slots import (
    is_pairwise,
    iter_slots,
    may_modify_input,
    with_parameters,
)

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_PART_OF_MEMORY = 0.25  # that shared work may take: the fits themselves need the rest
# What is shared is read-only. How numpy, Cython, numba and pandas say that somebody has written.
_READ_ONLY = re.compile("read-?only|writ(e)?able", re.IGNORECASE)

_log = logging.getLogger("skdistsearch")


class Runner:
    """Runs fits of one batch in this process.

    Parameters
    ----------
    batch : Batch
        Nothing is shared if it has nothing in ``common``.
    fits : sequence of int
        Those that it may be asked to run: as long as one of them needs a piece, it is kept.
    """

    def __init__(self, batch: Batch, fits: Sequence[int]) -> None:
        self._batch = batch
        self._now: _Split | None = None
        self._may_write: dict[int, bool] = {}
        self._left: dict[int, Counter[int | None]] = defaultdict(Counter)
        self._n_fits = Counter(batch.fits[fit].split for fit in fits)
        for fit in fits:
            self._left[batch.fits[fit].split].update(self._pieces_of(fit))
        self._users = {split: Counter(left) for split, left in self._left.items()}

    def run(self, fit: int) -> Outcome:
        """Run a fit anywhere; what it raises is part of the outcome."""
        prepared = self._prepared(fit)
        outcome = self._batch.run(fit, prepared)
        if prepared is not None and self._is_spoilt(outcome):
            outcome = self._batch.run(fit, again=True)
        elif prepared is not None:
            outcome = self._with_times(outcome)
        self.done([fit])
        return outcome

    def run_here(self, fit: int) -> Outcome:
        """Run a fit in the caller's process; what it raises passes through."""
        prepared = self._prepared(fit)
        outcome = self._run_here(fit, prepared)
        if prepared is not None:
            outcome = self._with_times(outcome)
        self.done([fit])
        return outcome

    def _run_here(self, fit: int, prepared: Prepared | None) -> Outcome:
        try:
            outcome = self._batch.run_here(fit, prepared)
        except Exception as exc:
            if prepared is None or not _READ_ONLY.search(str(exc)):
                raise
        else:
            if prepared is None or not self._is_spoilt(outcome):
                return outcome
        return self._batch.run_here(fit, None, again=True)

    def done(self, fits: Iterable[int]) -> None:
        """These fits have run, here or elsewhere: what nobody needs any more is freed."""
        if self._batch.common is None:
            return
        for fit in fits:
            self._left[self._batch.fits[fit].split].subtract(self._pieces_of(fit))
        if self._now is not None:
            left = self._left[self._now.number]
            self._now.memo.retain(lambda piece: left[piece] > 0)

    def _pieces_of(self, fit: int) -> Iterable[int | None]:
        return self._batch.common.pieces[fit] if self._batch.common else ()

    def _prepared(self, fit: int) -> Prepared | None:
        if self._batch.common is None:
            return None
        now = self._split_of(fit)
        now.memo.begin()
        now.began_s = now.slices.seconds
        try:
            return self._made_for(fit, now)
        except Exception:  # scikit-learn's own call raises it again, where it belongs
            _log.debug("%s: scikit-learn's own call runs it", self._batch.fits[fit], exc_info=True)
            return None

    def _split_of(self, fit: int) -> _Split:
        batch, number = self._batch, self._batch.fits[fit].split
        if self._now is None or self._now.number != number:
            assert batch.common is not None
            self._now = None  # the data of the last split goes before that of the next comes
            budget_mb = batch.common.budget_mb or memory_mb() * _PART_OF_MEMORY
            memo = TransformCache(budget_mb, self._users[number].__getitem__)
            slices = SplitData(batch.arguments, batch.keywords_of(fit), memo)
            self._now = _Split(number, memo, slices)
        return self._now

    def _made_for(self, fit: int, now: _Split) -> Prepared | None:
        batch, pieces = self._batch, tuple(self._pieces_of(fit))
        estimator = with_parameters(batch.arguments[0], batch.fits[fit].parameters)
        candidate = batch.fits[fit].candidate
        if candidate not in self._may_write:
            self._may_write[candidate] = may_modify_input(estimator)
        if self._may_write[candidate] or is_pairwise(estimator, batch.arguments[1]):
            return None
        keywords = dict(now.slices.keywords)
        install_cached_transformers(iter_slots(estimator), pieces, now.memo)
        if batch.verbose <= 1:  # above, scikit-learn prints them
            keywords["parameters"] = None  # set already: what a candidate brought is equipped too
        return Prepared((estimator, *now.slices.data), keywords)

    def _with_times(self, outcome: Outcome) -> Outcome:
        """The outcome with times in which what is shared counts in parts."""
        if self._now is None or outcome.result is None or "fit_time" not in outcome.result:
            return outcome
        now, result = self._now, dict(outcome.result)
        slices_s = now.slices.seconds
        share_s = slices_s / self._n_fits[now.number] - (slices_s - now.began_s)
        result["fit_time"] = max(result["fit_time"] + now.memo.times.fit + share_s, 0.0)
        result["score_time"] = max(result["score_time"] + now.memo.times.score, 0.0)
        return replace(outcome, result=result)

    def _is_spoilt(self, outcome: Outcome) -> bool:
        """Whether the fit may have failed because what is shared is read-only."""
        if outcome.raised is not None:
            return bool(_READ_ONLY.search(outcome.raised.message))
        result = outcome.result or {}
        if error := result.get("fit_error"):
            return bool(_READ_ONLY.search(error))
        failed = self._batch.keywords_of(outcome.fit).get("error_score")
        return any(_is_same(score, failed) for score in _scores(result))


@dataclass
class _Split:
    """What is kept of the split whose fits are run now."""

    number: int
    memo: TransformCache
    slices: SplitData
    began_s: float = 0.0
    """Seconds that all slices had cost before the fit at hand."""


def memory_mb() -> float:
    """Memory of this machine, or of the container that this process is in."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6]
    for path in _LIMITS:
        with suppress(OSError, ValueError):  # of the other version, or "max"
            found.append(int(Path(path).read_text()) / 1e6)
    return min(found)


def with_budget(batch: Batch, processes: int) -> Batch:
    """The batch, for so many processes of this machine at the same time."""
    if batch.common is None or batch.common.budget_mb is not None:
        return batch
    budget_mb = memory_mb() * _PART_OF_MEMORY / processes
    return replace(batch, common=replace(batch.common, budget_mb=budget_mb))


def _scores(result: Mapping[str, Any]) -> Iterable[Any]:
    for name in ("test_scores", "train_scores"):
        scores = result.get(name)
        yield from scores.values() if isinstance(scores, Mapping) else (scores,)


def _is_same(score: Any, failed: Any) -> bool:
    if not isinstance(score, numbers.Number) or not isinstance(failed, numbers.Number):
        return False
    return score == failed or (score != score and failed != failed)
