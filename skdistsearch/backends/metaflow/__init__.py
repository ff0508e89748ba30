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
    from skdistsearch.backends.metaflow._decorators import user_attributes as user_attributes
    from skdistsearch.backends.metaflow._decorators import worker_threads
    from skdistsearch.backends.metaflow._environment import checkpoint_root_of_flow
    from skdistsearch.backends.metaflow._environment import default_user as default_user
    from skdistsearch.backends.metaflow._environment import metaflow_setting as metaflow_setting
    from skdistsearch.backends.metaflow._environment import s3_root as s3_root
    from skdistsearch.backends.metaflow._packaging import requirements as requirements
    from skdistsearch.backends.metaflow._packaging import stage as stage
    from skdistsearch.backends.metaflow._process import FLOW_NAME as FLOW_NAME
    from skdistsearch.backends.metaflow._settings import JOB_VARIABLE as JOB_VARIABLE
    from skdistsearch.backends.metaflow.flow.search_flow import (
        check_environment as check_environment,
    )
    from skdistsearch.backends.metaflow.pool import close_pools

__all__ = [
    "MetaflowBackend",
    "checkpoint_root_of_flow",
    "close_pools",
    "worker_threads",
]

# Not for users: for `skdistsearch.jobs`
_SHARED = {
    "FLOW_NAME": "_process",
    "JOB_VARIABLE": "_settings",
    "check_environment": "flow.search_flow",
    "default_user": "_environment",
    "metaflow_setting": "_environment",
    "requirements": "_packaging",
    "s3_root": "_environment",
    "stage": "_packaging",
    "user_attributes": "_decorators",
}

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "MetaflowBackend": "_backend",
        "checkpoint_root_of_flow": "_environment",
        "close_pools": "pool",
        "worker_threads": "_decorators",
        **_SHARED,
    },
)
