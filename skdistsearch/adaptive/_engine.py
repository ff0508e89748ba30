"""Run a strategy: ask for fits, run them, and tell it their scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from skdistsearch._batch import Batch, Run, closing_outcomes
from skdistsearch._outcome import ArtifactRef, Outcome
from skdistsearch._typing import FitResult
from skdistsearch.adaptive._base import FitId, Request, Strategy
from skdistsearch.budgets import with_deadline
from skdistsearch.exceptions import FitLostError
from skdistsearch.storage import read_verified

Score = Callable[[FitResult], float]
"""Returns the score that decides, of scikit-learn's result of a fit."""


def run_strategy(
    strategy: Strategy,
    make_batch: Callable[[Sequence[Request]], Batch],
    run: Run,
    score_of: Score,
    error_score: float | str,
    *,
    deadline: float = math.inf,
    n_fits_max: int | None = None,
) -> tuple[dict[FitId, Outcome], bool]:
    """Run all fits that a strategy asks for. Returns outcomes, and True if it was stopped.

    Fits run in waves: all that can be asked for at once. A wave is a batch, and so runs on any
    backend. The strategy is stopped if the time is up before all of its fits are done.

    Parameters
    ----------
    strategy : Strategy
        Decides which fits run.
    make_batch : callable
        Returns the fits of some requests as a batch, in their order.
    run : Run
        Runs a batch.
    score_of : callable
        Returns the score of a result.
    error_score : float or "raise"
        Score of a fit that is lost.
    deadline : float, default=inf
        Time on the monotonic clock after which no fit begins.
    n_fits_max : int or None, default=None
        Number of fits of a wave. The smaller, the more of the fits that were asked for are done
        at the deadline.
    """
    outcomes: dict[FitId, Outcome] = {}
    n_asked = 0
    while requests := sorted(
        islice(iter(strategy.ask, None), n_fits_max), key=_expected_work, reverse=True
    ):
        n_asked += len(requests)
        batch = with_deadline(make_batch(requests), deadline)
        if batch.is_overdue:
            break
        with closing_outcomes(run(batch)) as finished:
            for outcome in finished:
                request = requests[outcome.fit]
                _raise_error(outcome, error_score)
                outcomes[request.fit_id] = _with_own_artifacts(outcome)
                score = math.nan if outcome.result is None else score_of(outcome.result)
                strategy.tell(request, score)
        if len(outcomes) < n_asked:
            break
    if is_stopped := len(outcomes) < n_asked:
        strategy.stop()
    return outcomes, is_stopped


def _expected_work(request: Request) -> int:
    """Return the amount of the resource that the fit adds: long fits begin first."""
    return request.amount - (request.stages[-2] if len(request.stages) > 1 else 0)


def _raise_error(outcome: Outcome, error_score: float | str) -> None:
    if outcome.raised is not None:
        raise outcome.raised.to_exception()
    if outcome.status == "lost" and error_score == "raise":
        raise FitLostError(outcome.reason)


def _with_own_artifacts(outcome: Outcome) -> Outcome:
    """Read artifacts from a folder that is removed with the wave."""
    artifacts = {
        name: read_verified(file) if _is_temporary(file, outcome) else file
        for name, file in outcome.artifacts.items()
    }
    return replace(outcome, artifacts=artifacts)


def _is_temporary(file: bytes | ArtifactRef, outcome: Outcome) -> bool:
    is_file = isinstance(file, ArtifactRef) and not file.url.startswith("s3://")
    return is_file and not outcome.is_persisted
