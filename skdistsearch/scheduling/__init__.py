"""Which fits run together, in which order, and which are tried again.

Contents
--------
- `_chunks`: a chunk of fits, and the two simple ways to cut fits into chunks.
- `_grouping`: chunks that keep fits with shared work together.
- `_factoring`: chunks of decreasing size, for containers that start at different times.
- `_work_stealing`: local workers claim the next unit of fits when they are free.
- `_retries`: fits that are pending, and how often each of them has killed a worker.

Knows nothing of how a fit runs, or where. Imports the modules beside the packages only. Start
reading at `_chunks`, then `_retries`.
"""

from skdistsearch.scheduling._chunks import Chunk, dealt, grouped
from skdistsearch.scheduling._factoring import seconds_by_candidate, sized
from skdistsearch.scheduling._grouping import arranged, by_group, shares_work, spread
from skdistsearch.scheduling._retries import Death, Ledger
from skdistsearch.scheduling._work_stealing import Groups, taken, units

__all__ = [
    "Chunk",
    "Death",
    "Groups",
    "Ledger",
    "arranged",
    "by_group",
    "dealt",
    "grouped",
    "seconds_by_candidate",
    "shares_work",
    "sized",
    "spread",
    "taken",
    "units",
]
