"""Which fits run together, and which are still owed."""

from __future__ import annotations

import math
from collections.abc import Sequence

Chunk = tuple[int, ...]
"""Numbers of fits that run together in one process or one Metaflow task."""

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
"""The golden section: its multiples never fall in step with a grid."""


def interleaved_chunks(fits: Sequence[int], n_chunks: int) -> list[Chunk]:
    """``n_chunks`` chunks of equal size, neighbours apart: they tend to cost the same.

    Each round begins at another chunk: a grid repeats itself, and its slow fits would meet.
    """
    chunks: list[list[int]] = [[] for _ in range(min(n_chunks, len(fits)))]
    for number, fit in enumerate(fits):
        round_, place = divmod(number, len(chunks))
        chunks[(place + int(round_ * GOLDEN_RATIO % 1 * len(chunks))) % len(chunks)].append(fit)
    return [tuple(chunk) for chunk in chunks]


def consecutive_chunks(fits: Sequence[int], size: int) -> list[Chunk]:
    """Chunks of ``size`` neighbours."""
    return [tuple(fits[first : first + size]) for first in range(0, len(fits), size)]
