"""Keep the fits of a path together, in the process that fits the longest of its models.

Fits are grouped and cut without those that follow another one, which are put in afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from skdistsearch._batch import Batch
from skdistsearch.scheduling._chunks import Chunk


class LeadingFits:
    """The longest fit of each path on each split, and all fits that are on no path.

    Parameters
    ----------
    batch : Batch
        The batch of the fits.
    fits : sequence of int
        Numbers of the fits to run.
    """

    def __init__(self, batch: Batch, fits: Sequence[int]) -> None:
        self._followers: dict[int, Chunk] = {}
        self.fits: Sequence[int] = fits
        """Numbers of the leading fits, in their order."""
        work = batch.context.shared_work
        if work is None or not work.paths:
            return
        paths: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
        for fit in fits:
            if member := work.paths[fit]:
                paths[member.token, batch.fits[fit].split].append((-member.cost, fit))
        for members in paths.values():
            leader, *followers = (fit for _, fit in sorted(members))
            self._followers[leader] = tuple(followers)
        following = {fit for followers in self._followers.values() for fit in followers}
        self.fits = [fit for fit in fits if fit not in following]

    def with_followers(self, chunk: Iterable[int]) -> Chunk:
        """Return leading fits, each with the shorter ones of its path behind it."""
        return tuple(fit for leader in chunk for fit in (leader, *self._followers.get(leader, ())))
