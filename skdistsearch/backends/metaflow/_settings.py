"""Settings of a Metaflow backend: the machines that fits run on, and how many at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COMPUTE = ("local", "batch", "kubernetes")
CONTAINERS = ("batch", "kubernetes")
ENVIRONMENTS = ("conda", "pypi")


@dataclass(frozen=True, kw_only=True)
class MetaflowSettings:
    """Settings of `MetaflowBackend`: the machines of its tasks, and their number."""

    compute: str = "local"
    """Where the tasks run: ``"local"``, on this machine; ``"batch"``, on AWS Batch;
    ``"kubernetes"``. Only fits go there: the other steps of the run stay on this machine."""
    cpu: float | None = None
    """CPUs of a task on Batch or Kubernetes, which is also how many threads BLAS and OpenMP use
    there. None: Metaflow's default, 1. Fractions are for Kubernetes and Fargate."""
    memory_mb: int | None = None
    """Memory of a task on Batch or Kubernetes, in MB. None: Metaflow's default, 4096. A limit on
    Batch; what is set aside on Kubernetes, unless ``decorators=["kubernetes:qos=guaranteed"]``."""
    gpu: int | None = None
    """GPUs of a task on Batch or Kubernetes."""
    disk_mb: int | None = None
    """Disk of a task on Kubernetes, in MB. None: Metaflow's default, 10240. Batch gives a task the
    disk of its compute environment."""
    image: str | None = None
    """Container image of a task on Batch or Kubernetes; it has what the estimators import. None:
    METAFLOW_BATCH_CONTAINER_IMAGE or METAFLOW_KUBERNETES_CONTAINER_IMAGE."""
    queue: str | None = None
    """Job queue of AWS Batch. None: METAFLOW_BATCH_JOB_QUEUE."""
    fit_timeout_s: float | None = None
    """How long a single fit may take, in seconds. The limit of a whole task follows from it. None:
    no limit of a fit, and Metaflow's limit of a task on Batch or Kubernetes, which is five days."""
    retries: int | None = None
    """How often Metaflow runs a task again that died, from 0 to 4. None: 3 on Batch and
    Kubernetes, where machines are reclaimed; 0 on this machine."""
    environment: str | None = None
    """``"conda"`` or ``"pypi"``: Metaflow builds the environment of a task from the packages that
    the decorator *conda* or *pypi* names. None: the environment of the image."""
    env_vars: Mapping[str, str] | None = field(default=None, repr=False)
    """Environment variables of a task. Anyone who can see the run can read them; for secrets there
    is Metaflow's decorator *secrets*."""
    decorators: tuple[str, ...] = ()
    """More decorators of the step *fit*, as Metaflow's ``--with`` spells them:
    ``'secrets:sources=["wandb"]'``. What *batch* and *kubernetes* have and this class has not goes
    here too: ``"kubernetes:service_account=metaflow"``."""
    fits_per_task: int | str = "auto"
    """How many fits share a Metaflow task. 1 gives every fit a task of its own. ``"auto"``: on
    this machine as many tasks as there are workers, which take the next fits themselves, because
    each costs the start of an interpreter and the imports of the estimators (1.5 s for scikit-learn
    alone); elsewhere a task for each of up to 200 fits, and 200 tasks for more."""
    max_workers: int | None = None
    """How many tasks run at the same time. None: the search's ``n_jobs``, or all cores of this
    machine, or 50 elsewhere. Each task that runs elsewhere is also watched by a process of 90 MB
    on this machine."""
    tags: tuple[str, ...] = ()
    """Tags of the run, besides ``skdistsearch``."""

    @property
    def is_remote(self) -> bool:
        """True if the tasks run on machines that do not see the files of this one."""
        return self.compute != "local"
