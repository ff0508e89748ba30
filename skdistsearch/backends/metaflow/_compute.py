"""On what the tasks of the step *fit* run: this machine, AWS Batch or Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COMPUTE = ("local", "batch", "kubernetes")
ENVIRONMENTS = ("conda", "pypi")


@dataclass(frozen=True, kw_only=True)
class Compute:
    """What each task gets to run on."""

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
    timeout_s: float | None = None
    """How long a single fit may take, in seconds. The limit of a whole task follows from it. None:
    no limit of a fit, and Metaflow's limit of a task on Batch or Kubernetes, which is five days."""
    retries: int | None = None
    """How often Metaflow runs a task again that died, from 0 to 4. None: 3 on Batch and
    Kubernetes, where machines are reclaimed; 0 on this machine."""
    environment: str | Mapping[str, str] | None = field(default=None, repr=False)
    """``"conda"`` or ``"pypi"``: Metaflow makes the environment of a task, of the packages that
    the decorator *conda* or *pypi* names. A mapping: environment variables of a task, which
    anybody can read who can see the run: for secrets there is the decorator *secrets*."""
    decorators: tuple[str, ...] = ()
    """More decorators of the step *fit*, as Metaflow's ``--with`` spells them:
    ``'secrets:sources=["wandb"]'``. What *batch* and *kubernetes* have and this class has not goes
    here too: ``"kubernetes:service_account=metaflow"``."""


_CONTAINERS = ("batch", "kubernetes")
