"""Results of a run, read from plain data."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

from skdistsearch._report_rows import rank_by_key
from skdistsearch._text import shorten

OutcomeFields: TypeAlias = Mapping[str, Any]
"""An outcome as `Outcome.to_fields` returns it."""
Status: TypeAlias = Literal["done", "failed", "lost"]
STATUSES: tuple[Status, ...] = ("done", "failed", "lost")
"""All statuses of a fit, from good to bad."""

TEXT_LENGTH = 300  # characters of the parameters of a candidate or the last line of an error
_VALUE_LENGTH = 80  # characters of one parameter


class RunInfo(TypedDict):
    """Description of the search that a run belongs to."""

    search: str
    """Name of the search."""
    candidates: Sequence[Mapping[str, str]]
    """Parameters of each candidate, as text."""
    fits: Sequence[tuple[int, int]]
    """Candidate and split of each fit."""
    n_splits: int
    """Number of splits."""
    begun: float
    """Start of the run, in seconds since 1970."""


class FitResult(NamedTuple):
    """Outcome of one fit. Unknown times are NaN."""

    candidate: int
    """Number of the candidate."""
    split: int
    """Number of the split."""
    status: Status
    """Whether the fit succeeded, failed or was lost with its worker."""
    scores: Mapping[str, float] | float | None
    """One score, one per metric, or None."""
    fit_time: float
    """Duration of the training, in seconds."""
    error: str
    """Traceback, or the reason why the fit was lost. Empty if the fit succeeded."""
    task: str
    """Pathspec of the Metaflow task that ran the fit."""
    worker: str
    """Name of the worker that ran the fit."""
    started_at: float
    """Start, in seconds since 1970."""
    finished_at: float
    """End, in seconds since 1970."""

    @classmethod
    def from_fields(cls, fields: OutcomeFields, fits: Sequence[tuple[int, int]]) -> FitResult:
        """Read an outcome."""
        result = fields.get("result") or {}
        error = _error_text(fields, result)
        candidate, split = fits[fields["fit"]]
        return cls(
            candidate,
            split,
            status="lost" if fields["status"] == "lost" else "failed" if error else "done",
            scores=result.get("test_scores"),
            fit_time=_float_or_nan(result.get("fit_time")),
            error=error,
            task=fields.get("task_pathspec") or "",
            worker=fields.get("worker") or fields.get("task_pathspec") or "",
            started_at=_float_or_nan(fields.get("started_at") or None),
            finished_at=_float_or_nan(fields.get("finished_at") or None),
        )

    def __str__(self) -> str:
        return f"candidate {self.candidate}, split {self.split}"

    def score(self, metric: str) -> float | None:
        """Return the score by a metric. A failed fit may have one score for all metrics."""
        score = self.scores.get(metric) if isinstance(self.scores, Mapping) else self.scores
        return None if score is None else float(score)


class CandidateResult(NamedTuple):
    """Results of one candidate."""

    candidate: int
    """Number of the candidate."""
    parameters: str
    """Parameters, as text on one line."""
    scores: Mapping[str, Sequence[float]]
    """Scores by metric, of the fits that have one."""
    fit_times: Sequence[float]
    """Training times that are known, in seconds."""
    n_failed: int
    """Number of fits that failed or were lost."""
    n_fits: int
    """Number of fits, with or without an outcome."""
    rank: int = 0
    """Rank from 1. Candidates with equal results share a rank."""

    def ranking_key(self, metric: str) -> tuple[bool, bool, float]:
        """Return a key for sorting, smaller is better.

        Candidates with scores on only some splits come after those with scores on all splits,
        because their means are not comparable. Candidates without a mean are last.
        """
        mean = mean_of(self.scores[metric])
        if math.isnan(mean):
            return True, True, 0.0
        return False, len(self.scores[metric]) < self.n_fits, -mean


class RunResults(NamedTuple):
    """All that a card shows."""

    info: RunInfo
    """Description of the search."""
    metrics: Sequence[str]
    """Names of the metrics. The first one ranks."""
    fits: Sequence[FitResult]
    """Fits with an outcome."""
    ranking: Sequence[CandidateResult]
    """All candidates, best first."""


def read_results(info: RunInfo, outcomes: Sequence[OutcomeFields]) -> RunResults:
    """Read the outcomes of a run and rank its candidates."""
    metrics = _metric_names(outcomes)
    fits = [FitResult.from_fields(fields, info["fits"]) for fields in outcomes]
    return RunResults(info, metrics, fits, _rank_candidates(info, metrics, fits))


def finite_values(values: Iterable[float]) -> list[float]:
    """Return the values that a chart can draw. JSON has no NaN or Infinity."""
    return [value for value in values if abs(value) < 1e300]


def mean_of(values: Sequence[float]) -> float:
    """Return the mean; NaN without values."""
    return sum(values) / len(values) if values else math.nan


def population_std(values: Sequence[float]) -> float:
    """Return the population standard deviation, as in ``cv_results_``; NaN without values."""
    mean = mean_of(values)
    return math.sqrt(mean_of([(value - mean) * (value - mean) for value in values]))


def _metric_names(outcomes: Iterable[OutcomeFields]) -> list[str]:
    """Return the names of the metrics; a single metric is called ``"score"``."""
    for fields in outcomes:
        scores = (fields["result"] or {}).get("test_scores")
        if isinstance(scores, Mapping) and scores:
            return list(scores)
    return ["score"]


def _error_text(fields: OutcomeFields, result: Mapping[str, Any]) -> str:
    if fields["status"] == "lost":
        return fields.get("reason") or "Unknown reason."
    raised = fields.get("raised") or {}
    return (
        raised.get("traceback")
        or raised.get("message")
        or result.get("fit_error")
        or ("No message." if fields["status"] == "raised" else "")
    )


def _float_or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _rank_candidates(
    info: RunInfo, metrics: Sequence[str], fits: Iterable[FitResult]
) -> list[CandidateResult]:
    """Return all candidates, best first."""
    n_fits = Counter(candidate for candidate, _ in info["fits"])
    fits_of: dict[int, list[FitResult]] = defaultdict(list)
    for fit in fits:
        fits_of[fit.candidate].append(fit)
    candidates = [
        _summarize_candidate(number, parameters, fits_of[number], n_fits[number], metrics)
        for number, parameters in enumerate(info["candidates"])
    ]
    keys = {result.candidate: result.ranking_key(metrics[0]) for result in candidates}
    return [candidates[number]._replace(rank=rank) for number, rank in rank_by_key(keys).items()]


def _summarize_candidate(
    candidate: int,
    parameters: Mapping[str, str],
    fits: Sequence[FitResult],
    n_fits: int,
    metrics: Sequence[str],
) -> CandidateResult:
    text = ", ".join(
        f"{name}={shorten(value, _VALUE_LENGTH)}" for name, value in parameters.items()
    )
    return CandidateResult(
        candidate,
        parameters=shorten(text, TEXT_LENGTH) or "(no parameters)",
        scores={
            metric: [score for fit in fits if (score := fit.score(metric)) is not None]
            for metric in metrics
        },
        fit_times=finite_values(fit.fit_time for fit in fits),
        n_failed=sum(fit.status != "done" for fit in fits),
        n_fits=n_fits,
    )
