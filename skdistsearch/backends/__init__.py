"""Places where fits run: this machine, Metaflow tasks, AWS Batch, Kubernetes.

Contents
--------
- `_base`: `Backend`, the class to derive a backend of your own from, and backends by name.
- `_local`: `LocalBackend`, in this process, in worker processes, or on the user's joblib backend.
- `_worker`: the entry points of worker processes and Metaflow tasks.
- `_recording`: fits of a Metaflow task, with its journal.
- `_time_limit`: kills a task whose fit takes too long.
- `_threads`: the share of the cores that each worker gets.
- `metaflow`: `MetaflowBackend`, and everything that knows about Metaflow and AWS.

A backend never sees scores. Imports `skdistsearch.execution`, `skdistsearch.scheduling` and
`skdistsearch.storage`. Names are imported when they are first used: the processes of a Metaflow
run import single modules, without scikit-learn. Start reading at `_base`, then `_local`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch._batch import Batch, Fit
    from skdistsearch._outcome import Outcome, Raised
    from skdistsearch.backends._base import Backend, get_backend
    from skdistsearch.backends._local import LocalBackend
    from skdistsearch.backends._worker import ChunkRunner, store_batch
    from skdistsearch.backends.metaflow import MetaflowBackend, close_pools
    from skdistsearch.execution import run_chunk
    from skdistsearch.scheduling import (
        AttemptFailure,
        PendingFits,
        WorkerDeath,
        make_chunks,
        run_until_done,
    )

__all__ = [
    "AttemptFailure",
    "Backend",
    "Batch",
    "ChunkRunner",
    "Fit",
    "LocalBackend",
    "MetaflowBackend",
    "Outcome",
    "PendingFits",
    "Raised",
    "WorkerDeath",
    "close_pools",
    "get_backend",
    "make_chunks",
    "run_chunk",
    "run_until_done",
    "store_batch",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "AttemptFailure": ".scheduling",
        "Backend": "_base",
        "Batch": "._batch",
        "ChunkRunner": "_worker",
        "Fit": "._batch",
        "LocalBackend": "_local",
        "MetaflowBackend": "metaflow",
        "Outcome": "._outcome",
        "PendingFits": ".scheduling",
        "Raised": "._outcome",
        "WorkerDeath": ".scheduling",
        "close_pools": "metaflow",
        "get_backend": "_base",
        "make_chunks": ".scheduling",
        "run_chunk": ".execution",
        "run_until_done": ".scheduling",
        "store_batch": "_worker",
    },
)
