"""Settings of the Metaflow backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COMPUTE = ("local", "batch", "kubernetes")
CONTAINERS = ("batch", "kubernetes")
ENVIRONMENTS = ("conda", "pypi")
JOB_VARIABLE = "SKDISTSEARCH_JOB"
"""Environment variable of everything that a job of `skdistsearch.jobs` starts."""


@dataclass(frozen=True, kw_only=True)
class MetaflowSettings:
    """Settings of `MetaflowBackend`: where its tasks run, with which resources, and how many."""

    compute: str = "local"
    """Where the tasks run: ``"local"`` (this machine), ``"batch"`` (AWS Batch) or
    ``"kubernetes"``. Only the step *fit* runs there; the other steps of the run always run on this
    machine."""
    cpu: float | None = None
    """CPUs of a task on Batch or Kubernetes. BLAS and OpenMP use as many threads. Fractions are
    valid on Kubernetes and Fargate. None: Metaflow's default, 1."""
    memory_mb: int | None = None
    """Memory of a task on Batch or Kubernetes, in MB. On Batch this is a limit. On Kubernetes it is
    a request, unless you set ``decorators=["kubernetes:qos=guaranteed"]``. None: Metaflow's
    default, 4096."""
    gpu: int | None = None
    """GPUs of a task on Batch or Kubernetes. None: no GPU."""
    disk_mb: int | None = None
    """Disk space of a task on Kubernetes, in MB. On Batch, tasks use the disk of their compute
    environment. None: Metaflow's default, 10240."""
    image: str | None = None
    """Container image of a task on Batch or Kubernetes. It must contain everything that the
    estimators import. None: METAFLOW_BATCH_CONTAINER_IMAGE or
    METAFLOW_KUBERNETES_CONTAINER_IMAGE."""
    queue: str | None = None
    """Job queue of AWS Batch. None: METAFLOW_BATCH_JOB_QUEUE."""
    fit_timeout_s: float | None = None
    """Time limit of a single fit, in seconds. The time limit of a task is derived from it. None: no
    limit for a fit; a task on Batch or Kubernetes has Metaflow's limit of five days."""
    retries: int | None = None
    """How often Metaflow retries a task that died, from 0 to 4. None: 3 on Batch and Kubernetes,
    where machines can be reclaimed; 0 on this machine."""
    environment: str | None = None
    """``"conda"`` or ``"pypi"``: Metaflow builds the environment of a task from the packages in the
    decorator of the same name (see ``decorators``). None: the environment of the image."""
    env_vars: Mapping[str, str] | None = field(default=None, repr=False)
    """Environment variables of a task. Anyone who can see the run can read them; pass secrets with
    Metaflow's decorator *secrets* instead."""
    decorators: tuple[str, ...] = ()
    """More decorators for the step *fit*, in the syntax of Metaflow's ``--with``:
    ``'secrets:sources=["wandb"]'``. Use it also for attributes of *batch* and *kubernetes* that
    have no parameter here: ``"kubernetes:service_account=metaflow"``."""
    fits_per_task: int | str = "auto"
    """How many fits share a Metaflow task. 1 gives each fit its own task. With ``"auto"`` on this
    machine, there is one task per worker, and tasks claim fits as they become free: starting a task
    costs an interpreter and the imports of the estimators, 1.5 s for scikit-learn alone. With
    ``"auto"`` on Batch or Kubernetes, each of up to 200 fits has its own task; more fits share 200
    tasks."""
    keep_alive_s: float | str = "auto"
    """How long the workers of a run wait for more fits, in seconds, after their last one. They then
    serve the next round, the next search with an equal backend, and other calls of scikit-learn. 0:
    each round is a run of its own. ``"auto"``: 0 for a search with one round; for a search with
    several, such as successive halving, 20 on this machine, and 60 on Batch and Kubernetes. The
    workers also end with this process, and with `skdistsearch.backends.close_pools`."""
    max_workers: int | None = None
    """How many tasks run at the same time. None: the search's ``n_jobs``. If that is not set
    either: the number of cores of this machine, or 50 on Batch and Kubernetes. Each remote task is
    monitored by a process on this machine that uses 90 MB."""
    tags: tuple[str, ...] = ()
    """Tags of the run, in addition to ``skdistsearch``."""

    @property
    def is_remote(self) -> bool:
        """True if the tasks run on machines that cannot read the files of this machine."""
        return self.compute != "local"
