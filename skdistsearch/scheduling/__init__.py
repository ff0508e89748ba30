"""Decide which fits run together, in which order, and which are tried again.

Contents
--------
- `_chunks`: a chunk of fits, and the two simple ways to cut fits into chunks.
- `_grouping`: chunks that keep fits with shared work together.
- `_leading_fits`: the longest fit of each path, which the shorter ones follow.
- `_factoring`: chunks of decreasing size, for containers that start at different times.
- `_work_stealing`: local workers claim the next unit of fits when they are free.
- `_retries`: fits that are pending, and how often each of them has killed a worker.

How and where a fit runs is not decided here. Imports the modules beside the packages only. Start
reading at `_chunks`, then `_retries`.
"""

from skdistsearch.scheduling._chunks import Chunk, consecutive_chunks, interleaved_chunks
from skdistsearch.scheduling._factoring import factoring_chunks, seconds_by_candidate
from skdistsearch.scheduling._grouping import (
    make_chunks,
    make_container_chunks,
    order_by_shared_work,
)
from skdistsearch.scheduling._retries import (
    AttemptFailure,
    PendingFits,
    WorkerDeath,
    run_until_done,
)
from skdistsearch.scheduling._work_stealing import (
    UnitGroups,
    all_fits,
    claim_units,
    make_units,
    split_stages,
)

__all__ = [
    "AttemptFailure",
    "Chunk",
    "PendingFits",
    "UnitGroups",
    "WorkerDeath",
    "all_fits",
    "claim_units",
    "consecutive_chunks",
    "factoring_chunks",
    "interleaved_chunks",
    "make_chunks",
    "make_container_chunks",
    "make_units",
    "order_by_shared_work",
    "run_until_done",
    "seconds_by_candidate",
    "split_stages",
]
