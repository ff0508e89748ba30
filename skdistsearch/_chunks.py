"""Which fits run together, and which are still owed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from skdistsearch._fit import Batch, Outcome
from skdistsearch.exceptions import BackendError

Chunk = tuple[int, ...]
"""Numbers of fits that run together in one process or one Metaflow task."""

_TRIES = 2  # a fit whose worker died is tried once more, alone


def dealt(fits: Sequence[int], n_chunks: int) -> list[Chunk]:
    """``n_chunks`` chunks of equal size, neighbours apart: they tend to cost the same."""
    return [tuple(fits[first::n_chunks]) for first in range(min(n_chunks, len(fits)))]


def grouped(fits: Sequence[int], size: int) -> list[Chunk]:
    """Chunks of ``size`` neighbours."""
    return [tuple(fits[first : first + size]) for first in range(0, len(fits), size)]


def guided(fits: Sequence[int], workers: int) -> list[Chunk]:
    """Chunks that shrink, down to single fits: guided self-scheduling.

    Few chunks, and yet all workers end together although nobody knows how long a fit takes.
    """
    chunks, first = [], 0
    while first < len(fits):
        size = max(1, (len(fits) - first) // (4 * workers))
        chunks.append(tuple(fits[first : first + size]))
        first += size
    return chunks


class Ledger:
    """Which fits of a batch are owed, and how often a worker died in each."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._owed = dict.fromkeys(range(len(batch)))
        self._deaths: Counter[int] = Counter()
        self._idle_deaths = 0

    def settle(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Pass on the outcomes of fits that are owed, each once."""
        for outcome in outcomes:
            if outcome.fit in self._owed:
                del self._owed[outcome.fit]
                yield outcome

    def blame_worker(
        self, running: Iterable[int], reason: str, origin: str = ""
    ) -> Iterator[Outcome]:
        """Workers died while these fits were running: give up those that had their tries."""
        blamed = [fit for fit in running if fit in self._owed]
        self._idle_deaths = 0 if blamed else self._idle_deaths + 1
        if self._idle_deaths >= _TRIES:
            raise BackendError(
                f"Workers died {_TRIES} times in a row before they began a fit. {reason}"
            )
        for fit in blamed:
            self._deaths[fit] += 1
            if self._deaths[fit] >= _TRIES:
                del self._owed[fit]
                yield Outcome(
                    fit,
                    "lost",
                    reason=f"{self._batch.fits[fit]}: its worker died {_TRIES} times. {reason}",
                    origin=origin,
                    batch=self._batch.key,
                )

    @property
    def owed(self) -> list[int]:
        """Fits that have no outcome yet."""
        return list(self._owed)

    @property
    def innocent(self) -> list[int]:
        """Fits that are owed and in which no worker died."""
        return [fit for fit in self._owed if not self._deaths[fit]]

    @property
    def suspect(self) -> list[int]:
        """Fits that are owed and in which a worker died: each runs alone the next time."""
        return [fit for fit in self._owed if self._deaths[fit]]
