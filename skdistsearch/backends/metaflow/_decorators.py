"""The Metaflow decorators that the settings of a backend stand for."""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any, TypeAlias

import joblib

from skdistsearch.backends._threads import thread_limits
from skdistsearch.backends.metaflow._environment import metaflow_setting
from skdistsearch.backends.metaflow._settings import CONTAINERS, JOB_VARIABLE, MetaflowSettings

_Attributes: TypeAlias = dict[str, Any]
Decospec: TypeAlias = str | tuple[str, _Attributes]
"""A decorator in the syntax of Metaflow's ``--with``, or its name and its attributes."""

SETTING_OF_ATTRIBUTE = {
    "cpu": "cpu",
    "memory": "memory_mb",
    "gpu": "gpu",
    "disk": "disk_mb",
    "image": "image",
    "queue": "queue",
}
"""Attributes of Metaflow's *batch* and *kubernetes*, and our settings for them."""

# Time of a task in addition to its fits: pulling the image, installing packages, importing, and
# downloading the data.
_TASK_OVERHEAD_S = 600
_MAX_TIMEOUT_S = 2**31 - 1  # the limit of signal.alarm and of Kubernetes
# A step has one of each: attributes from the user are merged into our own decorator.
_MERGED_DECORATORS = (*CONTAINERS, "environment")


def decospecs(settings: MetaflowSettings, fits_in_largest_task: int) -> list[Decospec]:
    """Return the decorators of the step *fit*, for ``MutableStep.add_decorator``.

    The attributes of our own decorators are plain data: before 2.16.4, Metaflow keeps only the
    first attribute of a string, and every version splits values that contain ``, word=``. The
    user's decorators stay strings, because Metaflow checks attribute names only in strings.
    """
    own = {
        "retry": _retry_attributes(settings),
        "timeout": _timeout_attributes(settings, fits_in_largest_task),
        "environment": _environment_attributes(settings),
    }
    return [
        *([] if settings.compute == "local" else [(settings.compute, _container(settings))]),
        *((name, attributes) for name, attributes in own.items() if attributes),
        *(
            spec
            for spec in settings.decorators
            if parse_decorator(spec)[0] not in _MERGED_DECORATORS
        ),
    ]


def max_retries(settings: MetaflowSettings) -> int:
    """Return how often Metaflow retries a task that died."""
    if settings.retries is not None:
        return int(settings.retries)
    # A local task that died was probably killed by one of its fits. We find that fit by running the
    # suspects alone; running the whole task again would only repeat the crash.
    return 0 if settings.compute == "local" else 3


def user_attributes(settings: MetaflowSettings, decorator: str) -> _Attributes:
    """Return the attributes that the user sets for a decorator."""
    merged: _Attributes = {}
    for name, attributes in map(parse_decorator, settings.decorators):
        if name == decorator:
            merged |= attributes
    return merged


def parse_decorator(spec: str) -> tuple[str, _Attributes]:
    """Return the name and the attributes of a decorator.

    Parses as Metaflow's ``decorators.py`` does.
    """
    name, _, rest = spec.partition(":")
    pairs = (pair.partition("=") for pair in re.split(r",(?=[\s\w]+=)", rest) if pair)
    return name, {key.strip(): _parse_value(text.strip()) for key, _, text in pairs}


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text.replace('\\"', '"'))
    except json.JSONDecodeError:
        return text


def _container(settings: MetaflowSettings) -> _Attributes:
    values = {key: getattr(settings, name) for key, name in SETTING_OF_ATTRIBUTE.items()}
    own = {key: _to_builtin(value) for key, value in values.items() if value is not None}
    return own | user_attributes(settings, settings.compute)


def _retry_attributes(settings: MetaflowSettings) -> _Attributes:
    # Metaflow waits two minutes by default. A machine lost to a spot reclaim is replaced sooner.
    times = max_retries(settings)
    return {"times": times, "minutes_between_retries": 0} if times else {}


def _timeout_attributes(settings: MetaflowSettings, fits_in_largest_task: int) -> _Attributes:
    """Limit whole tasks, for those that hang outside of a fit."""
    if settings.fit_timeout_s is None:
        return {}
    seconds = math.ceil(settings.fit_timeout_s * fits_in_largest_task + _TASK_OVERHEAD_S)
    return {"seconds": min(seconds, _MAX_TIMEOUT_S)}


def _environment_attributes(settings: MetaflowSettings) -> _Attributes:
    user_vars = settings.env_vars
    if user_vars is None:
        user_vars = user_attributes(settings, "environment").get("vars", {})
    variables = _container_variables(settings)
    variables |= {name: str(value) for name, value in user_vars.items()}
    return {"vars": variables} if variables else {}


def _container_variables(settings: MetaflowSettings) -> dict[str, str]:
    """Limit the threads of a container.

    A container sees all cores of its host. Without a limit, each task would start as many threads.
    """
    if settings.compute == "local":
        return {}
    cpu = settings.cpu
    if cpu is None and settings.compute == "kubernetes":
        cpu = metaflow_setting("KUBERNETES_CPU", None)
    variables = thread_limits(workers=1, threads=math.ceil(float(cpu or 1)))
    if JOB_VARIABLE in os.environ:  # so that `skdistsearch.jobs` finds all that a driver started
        variables[JOB_VARIABLE] = os.environ[JOB_VARIABLE]
    if settings.compute == "kubernetes":
        # Metaflow needs this variable to detect spot reclaims. Its "kubernetes step" sets it only
        # if the step has no decorator *environment* (kubernetes_cli.py).
        variables["METAFLOW_FLOW_FILENAME"] = "search_flow.py"
    return variables


def worker_threads(settings: MetaflowSettings) -> dict[str, str]:
    """Return the environment variables that limit the threads of a worker."""
    if settings.compute == "local":
        return thread_limits(settings.max_workers or joblib.cpu_count())
    return thread_limits(workers=1, threads=math.ceil(float(settings.cpu or 1)))


def _to_builtin(value: str | float) -> str | int | float:
    """Convert NumPy numbers to numbers that JSON can encode."""
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(value)
