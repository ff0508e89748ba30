"""Workers that stay: Metaflow runs whose tasks take one batch after the other from a queue.

Contents
--------
- `_queue`: waves of units that workers claim, in a folder or in S3.
- `_worker`: the task of a run: takes waves from the queue until none comes for a while.
- `_pool`: the runs that serve one queue: start, count and end their workers.
- `_table`: all pools of this process, and their end with it.
- `_batch`: one batch on a pool: publish its fits, publish again what died with a worker.
- `_late_modules`: modules that were imported after a run began.

Waves hold plain data. Outcomes travel in journals, as without a pool. Imports what
`skdistsearch.backends.metaflow` imports. Start reading at `_batch`, then `_worker`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.backends.metaflow.pool._batch import run_on_pool
    from skdistsearch.backends.metaflow.pool._table import close_pools, close_pools_of, warm_workers
    from skdistsearch.backends.metaflow.pool._worker import PoolWorker

__all__ = [
    "PoolWorker",
    "close_pools",
    "close_pools_of",
    "run_on_pool",
    "warm_workers",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "PoolWorker": "_worker",
        "close_pools": "_table",
        "close_pools_of": "_table",
        "run_on_pool": "_batch",
        "warm_workers": "_table",
    },
)
