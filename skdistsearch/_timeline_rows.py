"""rows of a timeline (standard library only)."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

_WORKERS = 40  # as rows with a name each; more of them share rows
_LABEL_LENGTH = 48


def rows_of(timed: Iterable[Any]) -> dict[str, str]:
    """The row of each worker; where they are many, one row for several that did not overlap.

    ``timed`` are fits by when they began.
    """
    spans: dict[str, tuple[float, float]] = {}
    for fit in timed:
        started_at, finished_at = spans.get(fit.worker, (fit.started_at, fit.finished_at))
        spans[fit.worker] = started_at, max(finished_at, fit.finished_at)
    if len(spans) <= _WORKERS:
        return {worker: _clipped(worker, _LABEL_LENGTH) for worker in spans}
    rows: dict[str, str] = {}
    slots: list[tuple[float, int]] = []  # a heap of when each is free, and its number
    for worker, (started_at, finished_at) in spans.items():
        is_one_free = bool(slots) and slots[0][0] <= started_at
        number = heappop(slots)[1] if is_one_free else len(slots) + 1
        heappush(slots, (finished_at, number))
        rows[worker] = f"slot {number}"
    return rows


def _clipped(text: Any, length: int) -> str:
    """On one line, no longer than ``length``."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 1] + "…"
