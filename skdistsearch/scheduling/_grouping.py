"""chunks that keep fits with shared work together."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate, groupby

from skdistsearch._batch import Batch
from skdistsearch.scheduling._chunks import GOLDEN_RATIO, Chunk, consecutive_chunks


def group_by_shared_work(batch: Batch, fits: Sequence[int]) -> list[Chunk]:
    """The fits, in groups that share data and work, in the order in which to run them.

    Where nothing is shared, all are one group.
    """
    if batch.common is None:
        return [tuple(fits)] if fits else []
    groups = defaultdict(list)
    for fit in fits:
        groups[batch.fits[fit].split, _first(batch.common.pieces[fit])].append(fit)
    found = [
        tuple(sorted(group, key=lambda fit: (_order(batch, fit), fit)))
        for _, group in sorted(groups.items())
    ]
    if batch.seconds:
        seconds = batch.seconds
        found.sort(key=lambda group: -sum(seconds.get(fit, 0.0) for fit in group))
    return found


def shares_work(batch: Batch) -> bool:
    """Whether fits share transformers, which is worth more than slices of X."""
    return batch.common is not None and any(batch.common.pieces)


def balanced_chunks(batch: Batch, fits: Sequence[int], n_chunks: int) -> list[Chunk]:
    """Chunks that take equally long, as far as is known, and cut few groups that share work.

    Chunks run apart: what two of them need, each does for itself.
    """
    order = [fit for group in group_by_shared_work(batch, fits) for fit in _mixed(batch, group)]
    known = batch.seconds or {}
    usual = statistics.fmean(known.values()) if known else 1.0
    begins = [0.0, *accumulate(known.get(fit, usual) for fit in order)]
    n_chunks = min(n_chunks, len(order))
    found = groupby(range(len(order)), lambda at: _chunk_at(begins, at, n_chunks))
    chunks = [tuple(order[at] for at in places) for _, places in found]
    return sorted(chunks, key=lambda chunk: -sum(known.get(fit, usual) for fit in chunk))


def chunk_per_group(
    batch: Batch, fits: Sequence[int], workers: int, chunks_max: int = 200
) -> list[Chunk]:
    """A chunk for each group that shares work; several where there are more workers than groups.

    For tasks that start when a worker is free, so that nobody has to know how long a group takes.
    """
    groups = [_mixed(batch, group) for group in group_by_shared_work(batch, fits)]
    if len(groups) > max(chunks_max, workers):
        return balanced_chunks(batch, fits, max(chunks_max, workers))
    n_parts = max(1, workers // len(groups))
    size = {len(group): math.ceil(len(group) / n_parts) for group in groups}
    chunks = [part for group in groups for part in consecutive_chunks(group, size[len(group)])]
    known = batch.seconds or {}
    usual = statistics.fmean(known.values()) if known else 1.0
    return sorted(chunks, key=lambda chunk: -sum(known.get(fit, usual) for fit in chunk))


def _chunk_at(begins: list[float], at: int, n_chunks: int) -> int:
    """Which chunk has the middle of a fit."""
    middle = (begins[at] + begins[at + 1]) / 2
    return int(middle / begins[-1] * n_chunks)


def _mixed(batch: Batch, group: Chunk) -> Chunk:
    """A group whose fits share all alike, in an order in which each part is like the whole."""
    if batch.common is None or len({batch.common.pieces[fit] for fit in group}) > 1:
        return group
    return tuple(
        fit for _, fit in sorted((n * GOLDEN_RATIO % 1, fit) for n, fit in enumerate(group))
    )


def _first(pieces: tuple[int | None, ...]) -> int:
    return next((number for number in pieces if number is not None), -1)


def _order(batch: Batch, fit: int) -> tuple[int, ...]:
    """Fits that have more in common are nearer to each other."""
    assert batch.common is not None
    return tuple(-1 if number is None else number for number in batch.common.pieces[fit])
