"""Keep fits with shared work together: in groups, and in chunks made of groups."""

from __future__ import annotations

import math
import numbers
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain, groupby

from skdistsearch._batch import Batch, SharedWork
from skdistsearch.scheduling._chunks import (
    GOLDEN_RATIO,
    Chunk,
    consecutive_chunks,
    interleaved_chunks,
)
from skdistsearch.scheduling._factoring import factoring_chunks
from skdistsearch.scheduling._leading_fits import LeadingFits


def make_chunks(
    batch: Batch, fits: Sequence[int], n_chunks: int, *, fits_per_chunk: int | str = "auto"
) -> list[Chunk]:
    """Cut fits into chunks, and keep fits with shared work together.

    Parameters
    ----------
    batch : Batch
        The batch of the fits.
    fits : sequence of int
        Numbers of the fits to run.
    n_chunks : int
        Number of chunks, with ``fits_per_chunk="auto"``: fewer if there are fewer fits.
    fits_per_chunk : int or "auto", default="auto"
        Size of a chunk.

    Returns
    -------
    chunks : list of tuple of int
        Numbers of fits that should run together.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.backends import make_chunks
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=2)
    >>> batch = search.plan(X, y).batch
    >>> make_chunks(batch, range(len(batch)), 2)
    [(0, 3, 4), (1, 2, 5)]
    >>> make_chunks(batch, [0, 1, 2, 3, 4], 2, fits_per_chunk=3)
    [(0, 1, 2), (3, 4)]
    """
    leading = LeadingFits(batch, fits)
    return list(map(leading.with_followers, _cut(batch, leading.fits, n_chunks, fits_per_chunk)))


def _cut(
    batch: Batch, fits: Sequence[int], n_chunks: int, fits_per_chunk: int | str
) -> list[Chunk]:
    if isinstance(fits_per_chunk, numbers.Integral):
        return consecutive_chunks(_in_shared_order(batch, fits), int(fits_per_chunk))
    if shares_transformers(batch) and len(fits) > n_chunks:
        return balanced_chunks(batch, fits, n_chunks)
    return interleaved_chunks(fits, n_chunks)


def make_container_chunks(batch: Batch, fits: Sequence[int], n_workers: int) -> list[Chunk]:
    """Cut fits into chunks for tasks that each start a container, ``n_workers`` at a time."""
    leading = LeadingFits(batch, fits)
    if shares_transformers(batch) and len(leading.fits) > n_workers:
        chunks = chunk_per_group(batch, leading.fits, n_workers)
    else:
        seconds = batch.context.expected_seconds
        chunks = factoring_chunks(leading.fits, n_workers, seconds=seconds)
    return list(map(leading.with_followers, chunks))


def shares_transformers(batch: Batch) -> bool:
    """Return True if fits share transformers, which saves more than sharing slices of X."""
    work = batch.context.shared_work
    return work is not None and any(work.tokens)


def order_by_shared_work(batch: Batch, fits: Sequence[int]) -> list[int]:
    """Return the fits in an order in which those with shared work follow each other."""
    leading = LeadingFits(batch, fits)
    return list(leading.with_followers(_in_shared_order(batch, leading.fits)))


def group_by_shared_work(batch: Batch, fits: Sequence[int]) -> list[Chunk]:
    """Return the fits in groups that share data and work, in the order in which to run them.

    Without shared work, all fits are one group. Pass the `LeadingFits` of paths only.
    """
    work = batch.context.shared_work
    if work is None:
        return [tuple(fits)] if fits else []
    groups = defaultdict(list)
    for fit in fits:
        groups[batch.fits[fit].split, _first_token(work, fit)].append(fit)
    ordered = [
        # fits that have more in common are closer to each other
        tuple(sorted(group, key=lambda fit: (_sort_key(work.tokens[fit]), fit)))
        for _, group in sorted(groups.items())
    ]
    seconds = batch.context.expected_seconds
    if seconds and not work.has_large_data:  # whose splits are worked on one after the other
        ordered.sort(key=lambda group: -sum(seconds.get(fit, 0.0) for fit in group))
    return ordered


def _in_shared_order(batch: Batch, fits: Sequence[int]) -> list[int]:
    """Return the fits in an order in which those with shared work are neighbours."""
    return list(chain.from_iterable(group_by_shared_work(batch, fits)))


def balanced_chunks(batch: Batch, fits: Sequence[int], n_chunks: int) -> list[Chunk]:
    """Cut fits into chunks that take equally long, as far as is known, and split few groups.

    Each chunk does work that it shares with another chunk for itself.
    """
    order = [fit for group in group_by_shared_work(batch, fits) for fit in _mix_group(batch, group)]
    seconds_of = _expected_seconds(batch)
    starts = [0.0, *accumulate(map(seconds_of, order))]
    n_chunks = min(n_chunks, len(order))

    def chunk_of(position: int) -> int:
        middle = (starts[position] + starts[position + 1]) / 2
        return int(middle / starts[-1] * n_chunks)

    cut = groupby(range(len(order)), chunk_of)
    chunks = [tuple(order[position] for position in positions) for _, positions in cut]
    return _longest_first(chunks, seconds_of)


def chunk_per_group(
    batch: Batch, fits: Sequence[int], n_workers: int, chunks_max: int = 200
) -> list[Chunk]:
    """Make one chunk of each group, or several if there are more workers than groups.

    For tasks that start when a worker is free, so that the duration of a group need not be known.
    """
    groups = [_mix_group(batch, group) for group in group_by_shared_work(batch, fits)]
    if len(groups) > max(chunks_max, n_workers):
        return balanced_chunks(batch, fits, max(chunks_max, n_workers))
    n_parts = max(1, n_workers // len(groups))
    chunks = chain.from_iterable(
        consecutive_chunks(group, math.ceil(len(group) / n_parts)) for group in groups
    )
    return _longest_first(chunks, _expected_seconds(batch))


def _expected_seconds(batch: Batch) -> Callable[[int], float]:
    """Return a function that gives the expected duration of a fit: the mean where unknown."""
    seconds = batch.context.expected_seconds
    mean = statistics.fmean(seconds.values()) if seconds else 1.0
    return lambda fit: seconds.get(fit, mean)


def _longest_first(chunks: Iterable[Chunk], seconds_of: Callable[[int], float]) -> list[Chunk]:
    return sorted(chunks, key=lambda chunk: -sum(map(seconds_of, chunk)))


def _mix_group(batch: Batch, group: Chunk) -> Chunk:
    """Reorder a group of fits that share all the same work, so that each part is like the whole."""
    work = batch.context.shared_work
    if work is None or len({work.tokens[fit] for fit in group}) > 1:
        return group
    return tuple(
        fit for _, fit in sorted((n * GOLDEN_RATIO % 1, fit) for n, fit in enumerate(group))
    )


def _first_token(work: SharedWork, fit: int) -> int:
    """Return the token of the first work that a fit shares, or -1."""
    token = next((token for token in work.tokens[fit] if token is not None), -1)
    return work.bases[token].token if token in work.bases else token


def _sort_key(tokens: Iterable[int | None]) -> tuple[int, ...]:
    return tuple(-1 if token is None else token for token in tokens)
