"""On what the tasks of the step *fit* run: this machine, AWS Batch or Kubernetes."""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import numbers
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skdistsearch.backends._threads import thread_limits
from skdistsearch.backends.metaflow._environment import _config, _metaflow, _user
from skdistsearch.exceptions import BackendConfigError

Decospec = str | tuple[str, dict[str, Any]]
"""A decorator as Metaflow's ``--with`` spells it, or its name and its attributes."""

COMPUTE = ("local", "batch", "kubernetes")
ENVIRONMENTS = ("conda", "pypi")

_RETRIES_MAX = 4  # Metaflow's MAX_ATTEMPTS is 6: the first one, these, and that of @catch
_MEMORY_MIN_MB = 256  # no task fits in less; who writes 16 means gigabytes
_SLACK_S = 600  # of a whole task: the pull of its image, installations, imports, the data
_TIMEOUT_MAX_S = 2**31 - 1  # neither signal.alarm nor Kubernetes takes more


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
_EFFECTIVE_ON = {
    "cpu": _CONTAINERS,
    "memory_mb": _CONTAINERS,
    "gpu": _CONTAINERS,
    "disk_mb": ("kubernetes",),
    "image": _CONTAINERS,
    "queue": ("batch",),
}
_ELSEWHERE = {
    ("disk_mb", "batch"): (
        "on EC2 a task has the disk of its compute environment, on Fargate that of "
        'decorators=["batch:ephemeral_storage=50"] in GiB'
    ),
    ("queue", "kubernetes"): "its namespace is METAFLOW_KUBERNETES_NAMESPACE",
}
_PARAMETER_OF = {
    "cpu": "cpu",
    "memory": "memory_mb",
    "gpu": "gpu",
    "disk": "disk_mb",
    "image": "image",
    "queue": "queue",
}
_NOT_FOR_USERS = {
    "retry": "set retries",
    "timeout": "set timeout_s, which is the limit of a fit",
    "catch": "every task has it already",
    "parallel": "a task is one process on one machine; use more tasks",
}
_MERGED = (*_CONTAINERS, "environment")  # the user's attributes join ours: a step has one of each


def problems(settings: Compute) -> list[str]:
    """Every wrong setting, as ``name=value: what is valid``."""
    return [
        *_invalid(settings),
        *_without_effect(settings),
        *_wrong_environment(settings),
        *_wrong_decorators(settings),
    ]


def _invalid(settings: Compute) -> Iterator[str]:
    for name, (valid, holds) in _VALID.items():
        value = getattr(settings, name)
        if not holds(value):
            yield f"{name}={value!r}: must be {valid}"


def _without_effect(settings: Compute) -> Iterator[str]:
    if settings.compute not in COMPUTE:
        return
    for name, places in _EFFECTIVE_ON.items():
        value = getattr(settings, name)
        if value is not None and settings.compute not in places:
            instead = _ELSEWHERE.get(
                (name, settings.compute),
                "leave it out, or set compute=" + " or ".join(f'"{place}"' for place in places),
            )
            yield f'{name}={value!r}: has no effect with compute="{settings.compute}"; {instead}'


def _wrong_environment(settings: Compute) -> Iterator[str]:
    """What is wrong with ``environment``; never the values, which may be secret."""
    environment = settings.environment
    if isinstance(environment, Mapping):
        for name, value in environment.items():
            if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)):
                yield f"environment: {name!r} is not a name of an environment variable"
            elif not isinstance(value, str):
                yield f"environment: the value of {name} must be a string"
    elif environment is not None and environment not in ENVIRONMENTS:
        yield 'environment: must be None, "conda", "pypi", or a mapping of variables'
    elif environment in ENVIRONMENTS and not _names(settings) & set(ENVIRONMENTS):
        packages = f'decorators=[\'{environment}:packages={{"scikit-learn": "1.7.2", ...}}\']'
        yield (
            f'environment="{environment}": would have no packages; name scikit-learn, cloudpickle, '
            f"loky and yours in {packages}"
        )


def _wrong_decorators(settings: Compute) -> Iterator[str]:
    for spec in settings.decorators:
        if not isinstance(spec, str) or not re.fullmatch(r"[\w.]+(:\s*\w+\s*=.*)?", spec, re.S):
            yield "decorators: must be strings that Metaflow's --with takes: name:attribute=value"
            continue
        name, attributes = _parsed(spec)
        yield from (f'decorators: "{name}": {why}' for why in _wrong(name, attributes, settings))


def _wrong(name: str, attributes: dict[str, Any], settings: Compute) -> Iterator[str]:
    """Why a decorator of the user's does not go with our own."""
    if name in _NOT_FOR_USERS:
        yield _NOT_FOR_USERS[name]
    if name in _CONTAINERS and settings.compute != name:
        yield f'set compute="{name}"'
    if name in (*_CONTAINERS, "resources"):
        taken = [key for key in attributes if key in _PARAMETER_OF]
        yield from (f"instead of {key}= set {_PARAMETER_OF[key]}" for key in taken)
    if name == "kubernetes" and "namespace" in attributes:
        # The pods of a run that is interrupted are looked for there alone (KubernetesClient).
        yield "instead of namespace= set METAFLOW_KUBERNETES_NAMESPACE"
    if name in ENVIRONMENTS and settings.environment not in ENVIRONMENTS:
        yield f'has no effect without environment="{name}"'
    if name == "environment" and isinstance(settings.environment, Mapping):
        yield "put all variables into environment={...}"
    if name == "environment" and not isinstance(attributes.get("vars"), dict):
        yield "vars must be a JSON object; environment={...} takes any value"


def decospecs(settings: Compute, fits_in_largest_task: int) -> list[Decospec]:
    """Decorators of the step *fit*, for ``MutableStep.add_decorator``.

    Ours have their attributes as plain data: Metaflow before 2.16.4 keeps only the first attribute
    of a string, and every version tears a value apart in which ``, word=`` occurs. The user's are
    strings still, because Metaflow checks the attributes' names of these alone.
    """
    ours = {
        "retry": _retry(settings),
        "timeout": _timeout(settings, fits_in_largest_task),
        "environment": _variables(settings),
    }
    theirs = [spec for spec in settings.decorators if _parsed(spec)[0] not in _MERGED]
    return [
        *([] if settings.compute == "local" else [(settings.compute, _container(settings))]),
        *((name, attributes) for name, attributes in ours.items() if attributes),
        *theirs,
    ]


def retries(settings: Compute) -> int:
    """How often Metaflow runs a task again that died."""
    if settings.retries is not None:
        return int(settings.retries)
    # On this machine what killed a task is likely a fit of it, which is then found and run alone.
    return 0 if settings.compute == "local" else 3


def _container(settings: Compute) -> dict[str, Any]:
    values = {name: getattr(settings, parameter) for name, parameter in _PARAMETER_OF.items()}
    asked = {name: _plain(value) for name, value in values.items() if value is not None}
    return asked | _attributes(settings, settings.compute)


def _retry(settings: Compute) -> dict[str, Any]:
    # Metaflow's own pause is two minutes, in which the machine of a spot reclaim is long replaced.
    times = retries(settings)
    return {"times": times, "minutes_between_retries": 0} if times else {}


def _timeout(settings: Compute, fits_in_largest_task: int) -> dict[str, Any]:
    """The net below the limit of each fit, for tasks that hang elsewhere."""
    if settings.timeout_s is None:
        return {}
    seconds = math.ceil(settings.timeout_s * fits_in_largest_task + _SLACK_S)
    return {"seconds": min(seconds, _TIMEOUT_MAX_S)}


def _variables(settings: Compute) -> dict[str, Any]:
    given = _attributes(settings, "environment").get("vars", {})
    if isinstance(settings.environment, Mapping):
        given = settings.environment
    variables = _limits(settings) | {name: str(value) for name, value in given.items()}
    return {"vars": variables} if variables else {}


def _limits(settings: Compute) -> dict[str, str]:
    """A container sees all cores of its host: without these, each task would use all of them."""
    if settings.compute == "local":
        return {}
    cpu = settings.cpu
    if cpu is None and settings.compute == "kubernetes":
        cpu = _config("KUBERNETES_CPU", None)
    threads = math.ceil(float(cpu or 1))
    limits = thread_limits(workers=1, threads=threads)
    if settings.compute == "kubernetes":
        # Metaflow's "kubernetes step" sets it only where no @environment is (kubernetes_cli.py);
        # its watch for spot reclaims needs it.
        limits["METAFLOW_FLOW_FILENAME"] = "search_flow.py"
    return limits


def check_configured(settings: Compute) -> None:
    """Raise `BackendConfigError` unless tasks can be sent where ``settings`` say.

    Nothing is sent yet, and the message has all that is missing. Only the search for credentials
    may use the network: two seconds, on a machine without any.
    """
    if settings.compute == "local":
        return
    found = _missing_on_batch if settings.compute == "batch" else _missing_on_kubernetes
    missing = [*_missing_store(), *found(settings), *_missing_image(settings)]
    missing += [*_missing_credentials(settings), *_unknown_attributes(settings)]
    if missing:
        raise BackendConfigError(f'compute="{settings.compute}" cannot start:{_lines(missing)}')


def check_store(settings: Compute) -> None:
    """Raise `BackendConfigError` unless the datastore, all a checkpoint needs, can be reached."""
    if missing := [*_missing_store(), *_missing_credentials(settings)]:
        raise BackendConfigError(f"The datastore cannot be reached:{_lines(missing)}")


def _lines(missing: Iterable[str]) -> str:
    return "".join(f"\n  - {line}" for line in missing)


def _missing_store() -> Iterator[str]:
    store = _config("DEFAULT_DATASTORE", "local")
    if store != "s3":
        yield (
            f'the datastore is "{store}", and only Amazon S3 is supported for tasks that run '
            "elsewhere: METAFLOW_DEFAULT_DATASTORE=s3"
        )
    if not str(_config("DATASTORE_SYSROOT_S3", None)).startswith("s3://"):
        yield "no place in S3: METAFLOW_DATASTORE_SYSROOT_S3=s3://bucket/prefix"


def _missing_on_batch(settings: Compute) -> Iterator[str]:
    if not (settings.queue or _config("BATCH_JOB_QUEUE", None)):
        # Metaflow would take any queue of the account (Batch.launch_job).
        yield "no job queue: queue=... or METAFLOW_BATCH_JOB_QUEUE=..."
    if not (
        _attributes(settings, "batch").get("iam_role") or _config("ECS_S3_ACCESS_IAM_ROLE", None)
    ):
        yield (
            "no role that lets the tasks use S3: "
            "METAFLOW_ECS_S3_ACCESS_IAM_ROLE=arn:aws:iam::ACCOUNT:role/NAME"
        )
    user = _config("USER", None) or _user(dict(os.environ))
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", user, re.ASCII):
        # It is part of a job's name: https://github.com/Netflix/metaflow/issues/1432
        valid = re.sub(r"[^\w-]+", "-", user, flags=re.ASCII).strip("-_") or "me"
        yield f"AWS Batch does not accept the user name {user!r}: METAFLOW_USER={valid}"


def _missing_on_kubernetes(settings: Compute) -> Iterator[str]:
    if not _installed("kubernetes"):
        yield "no client of Kubernetes: pip install kubernetes"
    files = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    if "KUBERNETES_SERVICE_HOST" not in os.environ and not any(
        file and Path(file).expanduser().is_file() for file in files
    ):
        yield (
            f"no cluster: none of {', '.join(files)} exists; KUBECONFIG=... or, for Amazon EKS, "
            "aws eks update-kubeconfig --name CLUSTER"
        )


def _missing_image(settings: Compute) -> Iterator[str]:
    variable = f"{settings.compute.upper()}_CONTAINER_IMAGE"
    if settings.image or settings.environment in ENVIRONMENTS or _config(variable, None):
        return
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    yield (
        f"no image: Metaflow would take python:{version}, which lacks scikit-learn: image=... of "
        f"one with Python {version} and what the estimators import, or METAFLOW_{variable}=..., or "
        'environment="pypi"'
    )


def _missing_credentials(settings: Compute) -> Iterator[str]:
    if not _installed("boto3"):
        yield "no boto3: pip install boto3"
        return
    # An extension of Metaflow, or its sandbox, may have its own way to get them.
    if _config("AWS_SANDBOX_ENABLED", False):
        return
    if _config("DEFAULT_AWS_CLIENT_PROVIDER", "boto3") != "boto3":
        return
    error = importlib.import_module("botocore.exceptions").BotoCoreError
    session = importlib.import_module("botocore.session").Session()
    # On EC2 they come from the machine; anywhere else nobody answers: one second for each of the
    # two questions, once, whatever the user's profile says.
    session.set_config_variable("metadata_service_timeout", 1)
    session.set_config_variable("metadata_service_num_attempts", 1)
    try:
        if session.get_credentials() is None:
            yield "no AWS credentials: aws configure, or AWS_PROFILE=..."
        region = session.get_config_variable("region")
    except error as exc:  # its text may quote what a credential process wrote
        yield (
            f"AWS credentials cannot be read ({type(exc).__name__}): AWS_PROFILE=... of a profile "
            "for which aws sts get-caller-identity works"
        )
        return
    if settings.compute == "batch" and not region:
        yield "no AWS region: AWS_DEFAULT_REGION=... (boto3 does not read AWS_REGION)"


def _unknown_attributes(settings: Compute) -> Iterator[str]:
    """Attributes that the user gives to a decorator of ours: Metaflow does not check these."""
    given = _attributes(settings, settings.compute)
    if not given:
        return
    _metaflow()
    known = next(
        decorator.defaults
        for decorator in importlib.import_module("metaflow.plugins").STEP_DECORATORS
        if decorator.name == settings.compute
    )
    for name in given.keys() - known.keys():
        yield f'decorators: "{settings.compute}" of this Metaflow has no attribute {name}'


def _attributes(settings: Compute, wanted: str) -> dict[str, Any]:
    """Attributes that the user gives to the decorator ``wanted``."""
    found: dict[str, Any] = {}
    for name, attributes in map(_parsed, settings.decorators):
        if name == wanted:
            found |= attributes
    return found


def _names(settings: Compute) -> set[str]:
    return {spec.partition(":")[0] for spec in settings.decorators if isinstance(spec, str)}


def _parsed(spec: str) -> tuple[str, dict[str, Any]]:
    """Name and attributes of a decorator, read as Metaflow reads them (``decorators.py``)."""
    name, _, rest = spec.partition(":")
    pairs = (pair.partition("=") for pair in re.split(r",(?=[\s\w]+=)", rest) if pair)
    return name, {key.strip(): _value(text.strip()) for key, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text.replace('\\"', '"'))
    except json.JSONDecodeError:
        return text


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _plain(value: Any) -> Any:
    """``value`` as JSON has it, whatever NumPy type it is of."""
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(value)


def _is_positive(value: object) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and 0 < float(value) < math.inf
    )


def _is_integer(least: int, most: float = math.inf) -> Callable[[object], bool]:
    def holds(value: object) -> bool:
        return (
            isinstance(value, numbers.Integral)
            and not isinstance(value, bool)
            and least <= int(value) <= most
        )

    return holds


def _is_word(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\S+", value) is not None


def _none_or(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or holds(value)


_VALID: dict[str, tuple[str, Callable[[object], bool]]] = {
    "compute": (f"one of {', '.join(COMPUTE)}", lambda value: value in COMPUTE),
    "cpu": ("None or a number above 0", _none_or(_is_positive)),
    "memory_mb": (
        f"None or an integer of at least {_MEMORY_MIN_MB}: it counts megabytes",
        _none_or(_is_integer(_MEMORY_MIN_MB)),
    ),
    "gpu": ("None or an integer of at least 0", _none_or(_is_integer(0))),
    "disk_mb": ("None or an integer of at least 1", _none_or(_is_integer(1))),
    "image": ("None or the name of a container image", _none_or(_is_word)),
    "queue": ("None or the name of a job queue", _none_or(_is_word)),
    "timeout_s": ("None or a number of seconds above 0", _none_or(_is_positive)),
    "retries": (
        f"None or an integer from 0 to {_RETRIES_MAX}, which is Metaflow's limit",
        _none_or(_is_integer(0, _RETRIES_MAX)),
    ),
}
