"""Fits as tasks of a Metaflow run: on this machine, on AWS Batch or on Kubernetes.

Contents
--------
- `_backend`: `MetaflowBackend`, its settings and its ``run``.
- `_settings`, `_validation`, `_decorators`: the settings, their checks, and the Metaflow
  decorators that they become.
- `_preflight`: checks that the cloud is configured, before any work starts.
- `_workspace`: the batch, the task manifest and the journal of one round, in folders or in S3.
- `_packaging`, `_environment`: the code and the environment variables of a run.
- `_process`: a Metaflow run as a subprocess; `_run_log` reads its output.
- `_run`: one Metaflow run for the fits of a batch.
- `pool`: runs whose workers stay, for one batch after the other.
- `watchdog`: a script that ends the run when the caller dies.
- `flow`: the flow itself, alone in a folder because Metaflow packages the folder.
- `card`: the card of a run.

Imports what `skdistsearch.backends` imports. Start reading at `_backend`, then `_run`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.backends.metaflow._backend import MetaflowBackend
    from skdistsearch.backends.metaflow._decorators import worker_threads
    from skdistsearch.backends.metaflow._environment import checkpoint_root_of_flow
    from skdistsearch.backends.metaflow.pool import close_pools

__all__ = [
    "MetaflowBackend",
    "checkpoint_root_of_flow",
    "close_pools",
    "worker_threads",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "MetaflowBackend": "_backend",
        "checkpoint_root_of_flow": "_environment",
        "close_pools": "pool",
        "worker_threads": "_decorators",
    },
)
