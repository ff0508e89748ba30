"""Order of candidates and rows of a timeline, for reports and cards (standard library only)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Protocol

from skdistsearch._text import shorten

LABEL_LENGTH = 48  # characters
_MAX_WORKER_ROWS = 40


class TimedFit(Protocol):
    """A fit with a worker and times, in seconds from any origin."""

    @property
    def worker(self) -> str:
        """Name of the worker that ran the fit."""

    @property
    def started_at(self) -> float:
        """Time at which the fit started."""

    @property
    def finished_at(self) -> float:
        """Time at which the fit finished."""


def assign_rows(fits: Iterable[TimedFit]) -> dict[str, str]:
    """Return the label of each worker's row.

    Up to 40 workers have a row each. More workers share rows, called slots: workers whose fits did
    not overlap in time are in the same slot.

    Parameters
    ----------
    fits : iterable of TimedFit
        Fits in the order in which they started.

    Returns
    -------
    rows : dict of str to str
        Row labels by worker, in the order in which the workers started.
    """
    spans = _worker_spans(fits)
    if len(spans) > _MAX_WORKER_ROWS:
        return _assign_slots(spans)
    return {worker: shorten(worker, LABEL_LENGTH) for worker in spans}


def _worker_spans(fits: Iterable[TimedFit]) -> dict[str, tuple[float, float]]:
    """Return the start of each worker's first fit and the end of its last."""
    spans: dict[str, tuple[float, float]] = {}
    for fit in fits:
        started_at, finished_at = spans.get(fit.worker, (fit.started_at, fit.finished_at))
        spans[fit.worker] = started_at, max(finished_at, fit.finished_at)
    return spans


def _assign_slots(spans: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    rows: dict[str, str] = {}
    slots: list[tuple[float, int]] = []  # a heap of the time each slot gets free, and its number
    for worker, (started_at, finished_at) in spans.items():
        is_one_free = bool(slots) and slots[0][0] <= started_at
        number = heappop(slots)[1] if is_one_free else len(slots) + 1
        heappush(slots, (finished_at, number))
        rows[worker] = f"slot {number}"
    return rows


def rank_by_key(keys: Mapping[int, tuple[float, ...]]) -> dict[int, int]:
    """Return the rank of each item, the smallest key first.

    Parameters
    ----------
    keys : mapping of int to tuple of float
        The key of each item. Smaller is better. Keys must not contain NaN.

    Returns
    -------
    ranks : dict of int to int
        Ranks from 1 by item, in the order of the ranking. Items with equal keys share a rank, as in
        scikit-learn's ``rank_test_score``, and stand in the order of their numbers.

    Examples
    --------
    >>> rank_by_key({0: (0.5,), 1: (0.1,), 2: (0.5,), 3: (0.9,)})
    {1: 1, 0: 2, 2: 2, 3: 4}
    """
    order = sorted(keys, key=lambda item: (keys[item], item))
    ranks: dict[tuple[float, ...], int] = {}
    for place, item in enumerate(order, start=1):
        ranks.setdefault(keys[item], place)
    return {item: ranks[keys[item]] for item in order}
