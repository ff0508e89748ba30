"""Progress of a round: finished fits, best score so far, time left, and a fit that is slow."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from skdistsearch._batch import Batch, Fit
from skdistsearch._outcome import Outcome
from skdistsearch._typing import FitResult

_MIN_TIMED = 3  # finished fits of a kind, before anything is said about the duration of others
_SLOW_FACTOR = 3.0  # slow: more than this times the median of its kind,
_SLOW_S = 10.0  # and more than this

Kind = tuple[str, ...]
"""Names of a candidate's parameters. Contenders differ in them, and in how long their fits take."""


class Progress:
    """State of one round, as text for the terminal, a notebook and the log.

    Parameters
    ----------
    batch : Batch
        The fits of the round.
    round_number : int or None, default=None
        Number of the round, from 1. None if the search has only one.
    """

    def __init__(self, batch: Batch, round_number: int | None = None) -> None:
        self._batch, self.round_number = batch, round_number
        self.n_fits = len(batch)
        self._n_by_status: Counter[str] = Counter()
        self._scores = ScoresByCandidate()
        self._n_splits = Counter(fit.candidate for fit in batch.fits)
        self._first_fits = {fit.candidate: fit for fit in reversed(batch.fits)}
        self._durations = Durations(batch.fits)
        self._begun_at = self._changed_at = time.monotonic()

    @property
    def n_done(self) -> int:
        """Number of finished fits."""
        return sum(self._n_by_status.values())

    @property
    def elapsed_s(self) -> float:
        """Seconds since the round began."""
        return time.monotonic() - self._begun_at

    def add_outcome(self, outcome: Outcome) -> None:
        """Count an outcome."""
        if outcome.status == "skipped":
            self.n_fits -= 1
            self._durations.remove(self._batch.fits[outcome.fit])
            return
        is_failed = outcome.status == "raised" or bool(outcome.fit_error)
        self._n_by_status["failed" if is_failed else outcome.status] += 1
        fit = self._batch.fits[outcome.fit]
        self._scores.add(fit.candidate, _first_score(outcome.result))
        seconds = outcome.finished_at - outcome.started_at
        self._durations.add(fit, seconds, is_new=not outcome.is_persisted)
        self._changed_at = time.monotonic()

    def to_fields(self) -> dict[str, Any]:
        """Return the numbers of fits, and the best candidate so far, as plain data."""
        best = self._describe_best()
        fit = self._first_fits[best[1]] if best else None
        return {
            "done": self.n_done,
            "total": self.n_fits,
            "failed": self._n_by_status["failed"],
            "lost": self._n_by_status["lost"],
            "best_score": best[0] if best else None,
            "best_candidate": " ".join(self._describe_candidate(fit).split()) if fit else "",
        }

    def short_text(self) -> str:
        """Return the progress in less than 70 characters."""
        best, left = self._describe_best(), self._describe_time_left()
        parts = [f"{self.n_done}/{self.n_fits} fits{self._describe_failures()}"]
        if best is not None:
            parts.append(f"best {best[0]:.5g}{best[2].replace(' of ', '/')}")
        if self.n_done == self.n_fits:
            parts.append(format_seconds(self.elapsed_s))
        return "  ".join(parts + [left] * bool(left))

    def __str__(self) -> str:
        text = f"{self.n_done} of {self.n_fits} fits are done{self._describe_failures()}"
        if (best := self._describe_best()) is not None:
            score, candidate, splits = best
            description = self._describe_candidate(self._first_fits[candidate])
            text += f"; best mean score so far {score:.6g}{splits}: {description}"
        for part in (self._describe_time_left(), self._describe_slow_fit()):
            text += f"; {part}" if part else ""
        return " ".join(text.split())  # the text of an estimator has several lines

    def _describe_failures(self) -> str:
        counts = [(self._n_by_status[status], status) for status in ("failed", "lost")]
        return "".join(f", {count} {status}" for count, status in counts if count)

    def _describe_best(self) -> tuple[float, int, str] | None:
        """Return the best mean score, its candidate, and its splits if some are missing."""
        if (best := self._scores.best()) is None:
            return None
        score, candidate, n_done = best
        n_splits = self._n_splits[candidate]
        return score, candidate, "" if n_done == n_splits else f" ({n_done} of {n_splits} splits)"

    def _describe_time_left(self) -> str:
        now, running = time.monotonic(), self._running_fits()
        n_workers = max(len(running), self._durations.busy_s / (now - self._begun_at + 1e-9))
        if not (work_s := self._durations.expected_work()) or not n_workers:
            return ""
        left = work_s / n_workers - (now - self._changed_at)
        return f"about {_round_seconds(left)} left" if left > 0 else ""

    def _describe_slow_fit(self) -> str:
        for fit, seconds in sorted(self._running_fits(), key=lambda item: -item[1])[:1]:
            median = self._durations.median(fit)
            if median is not None and seconds > max(_SLOW_S, _SLOW_FACTOR * median):
                times = f"{format_seconds(seconds)} (median {format_seconds(median)})"
                return (
                    f"slow: {self._describe_candidate(fit)}, split {fit.split}, running for {times}"
                )
        return ""

    def _describe_candidate(self, fit: Fit) -> str:
        """Return the candidate's number, and the parameters in which it differs from others."""
        varying = self._varying_parameters[_kind(fit)]
        names = _short_names(varying)
        parameters = {names[name]: _shorten(fit.parameters[name]) for name in varying}
        text = replace(fit, parameters=parameters).describe_candidate()
        return text if parameters else text.removesuffix(" ()")

    @cached_property
    def _varying_parameters(self) -> dict[Kind, list[str]]:
        values: defaultdict[Kind, defaultdict[str, set[int]]]
        values = defaultdict(lambda: defaultdict(set))
        for fit in self._batch.fits:
            for name, value in fit.parameters.items():
                values[_kind(fit)][name].add(id(value))  # a grid has one object for all candidates
        n_candidates = len(self._first_fits)
        return {
            kind: [name for name, ids in by_name.items() if len(ids) > 1 or n_candidates == 1]
            for kind, by_name in values.items()
        } | {(): []}

    def _running_fits(self) -> Sequence[tuple[Fit, float]]:
        monitor = self._batch.local.monitor
        return () if monitor is None else monitor.running_fits()


class ScoresByCandidate:
    """Mean scores of candidates, over the splits that are done."""

    def __init__(self) -> None:
        self._sums: defaultdict[int, float] = defaultdict(float)
        self._n_splits: Counter[int] = Counter()
        self._best: dict[int, tuple[float, int]] = {}  # by number of splits

    def add(self, candidate: int, score: float) -> None:
        """Add the score of a split."""
        self._sums[candidate] += score
        self._n_splits[candidate] += 1
        n_splits = self._n_splits[candidate]
        mean = self._sums[candidate] / n_splits
        if mean > self._best.get(n_splits, (-math.inf,))[0]:  # False for NaN
            self._best[n_splits] = mean, candidate

    def best(self) -> tuple[float, int, int] | None:
        """Return the best mean, its candidate, and the number of splits that it is the mean of.

        That number is the largest for which there is a mean. None if there is no score yet.
        """
        if not self._best:
            return None
        n_splits = max(self._best)
        return *self._best[n_splits], n_splits


class Durations:
    """Durations of finished fits, and what they say about the others."""

    def __init__(self, fits: Sequence[Fit]) -> None:
        self._n_pending = Counter(map(_kind, fits))
        self._seconds: dict[Kind, list[float]] = {kind: [] for kind in self._n_pending}
        self.busy_s = 0.0
        """Seconds that workers have spent in fits of this round."""

    def add(self, fit: Fit, seconds: float, *, is_new: bool) -> None:
        """Add a finished fit; ``is_new`` unless an earlier search ran it."""
        kind = _kind(fit)
        self._n_pending[kind] -= 1
        if seconds > 0:
            self._seconds[kind].append(seconds)
            self.busy_s += seconds if is_new else 0

    def remove(self, fit: Fit) -> None:
        """Count a fit that will not run."""
        self._n_pending[_kind(fit)] -= 1

    def median(self, fit: Fit) -> float | None:
        """Return the median of fits of the same kind, or None if too few have finished."""
        seconds = self._seconds[_kind(fit)]
        return statistics.median(seconds) if len(seconds) >= _MIN_TIMED else None

    def expected_work(self) -> float | None:
        """Return the seconds that a single worker would need for the fits that are left.

        None if too few fits of one of their kinds have finished.
        """
        pending = [(self._seconds[kind], count) for kind, count in self._n_pending.items() if count]
        if any(len(seconds) < _MIN_TIMED for seconds, _ in pending):
            return None
        return sum(count * statistics.fmean(seconds) for seconds, count in pending)


def _kind(fit: Fit) -> Kind:
    return tuple(fit.parameters)


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Return the names of parameters without their steps, as long as they stay different."""
    last = [name.rpartition("__")[2] for name in names]
    return dict(zip(names, last if len(set(last)) == len(last) else names, strict=True))


def _shorten(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _first_score(result: FitResult | None) -> float:
    """Return the score of a fit; the first one, if there are several metrics."""
    scores = math.nan if result is None else result.get("test_scores", math.nan)
    if isinstance(scores, dict):
        scores = next(iter(scores.values()), math.nan)
    return float(scores) if isinstance(scores, int | float) else math.nan


def format_seconds(seconds: float) -> str:
    """Return a duration as text."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _round_seconds(seconds: float) -> str:
    """Return an estimate as text, without digits that it cannot have."""
    if seconds < 55:
        return f"{10 * math.ceil(seconds / 10)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
