"""A limit of time for a search: no fit begins after it.

The candidates are tried in a random order, in blocks, with all splits of a block before the next
block begins. So most of the candidates that were begun are complete when the time is up. The order
of a grid would try the first values of its first parameter only, and the usual order, split by
split, has no complete candidate until the last split.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from skdistsearch._batch import Batch, Run, closing_outcomes
from skdistsearch._outcome import Outcome
from skdistsearch.budgets._skipped_fits import SkippedFits
from skdistsearch.exceptions import TimeBudgetError

_FITS_PER_WORKER = 2  # in a block: enough to keep all of them busy, few enough to be complete
_ORDER_SEED = 0
ADVICE = (
    "Increase it, or use fewer splits. With a checkpoint, the same search goes on where this one "
    "ended."
)
"""Advice for a search without a result."""


def limit_rounds(run: Run, seconds: float, skipped: SkippedFits) -> Run:
    """Wrap ``run`` so that a round that is not complete after some seconds from now is an error.

    Takes the same parameters as `limit_time`. Raises `TimeBudgetError` at the end of the time.
    """
    deadline = deadline_after(seconds)

    def run_round(batch: Batch) -> Generator[Outcome]:
        n_done = 0
        with closing_outcomes(run(with_deadline(batch, deadline))) as outcomes:
            for outcome in outcomes:
                n_done += 1
                yield outcome
        if n_done < len(batch):
            skipped.reason = "time_budget_s"
            raise TimeBudgetError(
                f"time_budget_s={seconds:g} was too short: {n_done} of {len(batch)} fits of the "
                f"first round ended. {ADVICE}"
            )

    return run_round


def limit_time(
    run: Run, seconds: float, skipped: SkippedFits, n_workers: int, random_state: object = None
) -> Run:
    """Wrap ``run`` so that no fit begins after a number of seconds from now.

    Parameters
    ----------
    run : Run
        The ``run`` of a backend, or a wrapper around it.
    seconds : float
        Time from now.
    skipped : SkippedFits
        Collects what was run.
    n_workers : int
        Number of fits that run at the same time.
    random_state : int or other, default=None
        Seed of the order of the candidates. What is not an int stands for 0.
    """
    deadline = deadline_after(seconds)
    seed = random_state if isinstance(random_state, int) else _ORDER_SEED

    def run_until_deadline(batch: Batch) -> Generator[Outcome]:
        batch = with_deadline(batch, deadline)
        n_done: dict[int, int] = defaultdict(int)
        left = dict.fromkeys(range(len(batch)))
        for block in _blocks(batch, n_workers, seed):
            if batch.is_overdue:
                break
            with closing_outcomes(run(batch.subset(block))) as outcomes:
                for outcome in outcomes:
                    outcome = outcome.with_fit(block[outcome.fit])
                    skipped.add(batch, outcome)
                    n_done[batch.fits[outcome.fit].candidate] += 1
                    del left[outcome.fit]
                    yield outcome
        if left:
            _check_any_is_complete(batch, n_done, seconds)
            skipped.reason = "time_budget_s"
        yield from skipped.skip(batch, left)
        skipped.finish()

    return run_until_deadline


def deadline_after(seconds: float) -> float:
    """Return the time on the monotonic clock, some seconds from now. Checks ``time_budget_s``."""
    if not seconds > 0:
        raise ValueError(f"time_budget_s={seconds!r} must be None or more than 0 seconds.")
    return time.monotonic() + seconds


def with_deadline(batch: Batch, deadline: float) -> Batch:
    """Return a batch of which no fit begins after the deadline."""
    return replace(batch, local=replace(batch.local, deadline=deadline))


def _blocks(batch: Batch, n_workers: int, seed: int) -> list[list[int]]:
    """Return the fits of all candidates in a random order, in blocks of whole candidates."""
    fits_of: dict[int, list[int]] = defaultdict(list)
    for number, fit in enumerate(batch.fits):
        fits_of[fit.candidate].append(number)
    order = np.random.default_rng(seed).permutation(list(fits_of))
    n_splits = max(map(len, fits_of.values()))
    size = math.ceil(fits_at_once(n_workers) / n_splits)
    return [
        [fit for candidate in order[first : first + size] for fit in fits_of[int(candidate)]]
        for first in range(0, len(order), size)
    ]


def fits_at_once(n_workers: int) -> int:
    """Return the number of fits to begin before the others."""
    return _FITS_PER_WORKER * n_workers


def _check_any_is_complete(batch: Batch, n_done: dict[int, int], seconds: float) -> None:
    n_splits: dict[int, int] = defaultdict(int)
    for fit in batch.fits:
        n_splits[fit.candidate] += 1
    if any(n_done[candidate] == n for candidate, n in n_splits.items()):
        return
    raise TimeBudgetError(
        f"time_budget_s={seconds:g} was too short: {sum(n_done.values())} of {len(batch)} fits "
        f"ended, and no candidate has been fitted on all of its {max(n_splits.values())} splits. "
        f"{ADVICE}"
    )
