"""Chunks of fits, and the two simple ways to cut fits into chunks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Chunk: TypeAlias = tuple[int, ...]
"""Numbers of fits that run together, in one process or one Metaflow task."""

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
"""Its multiples modulo 1 never fall in step with the repetitions of a grid."""


def interleaved_chunks(fits: Sequence[int], n_chunks: int) -> list[Chunk]:
    """Deal fits to ``n_chunks`` chunks of equal size.

    Neighbours go to different chunks, so that chunks tend to take equally long. Each round of
    dealing starts at another chunk: a grid repeats itself, and its slow fits would meet in one.
    """
    chunks: list[list[int]] = [[] for _ in range(min(n_chunks, len(fits)))]
    for number, fit in enumerate(fits):
        round_, position = divmod(number, len(chunks))
        start = int(round_ * GOLDEN_RATIO % 1 * len(chunks))
        chunks[(position + start) % len(chunks)].append(fit)
    return [tuple(chunk) for chunk in chunks]


def consecutive_chunks(fits: Sequence[int], size: int) -> list[Chunk]:
    """Cut fits into chunks of ``size`` neighbours."""
    return [tuple(fits[first : first + size]) for first in range(0, len(fits), size)]
