"""skdistsearch/backends/metaflow/_decorators.py."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from skdistsearch.backends._threads import thread_limits
from skdistsearch.backends.metaflow._environment import _config
from skdistsearch.backends.metaflow._settings import CONTAINERS, MetaflowSettings

Decospec = str | tuple[str, dict[str, Any]]
"""A decorator as Metaflow's ``--with`` spells it, or its name and its attributes."""
_SLACK_S = 600  # of a whole task: the pull of its image, installations, imports, the data
_TIMEOUT_MAX_S = 2**31 - 1  # neither signal.alarm nor Kubernetes takes more
_PARAMETER_OF = {
    "cpu": "cpu",
    "memory": "memory_mb",
    "gpu": "gpu",
    "disk": "disk_mb",
    "image": "image",
    "queue": "queue",
}
_MERGED = (*CONTAINERS, "environment")  # the user's attributes join ours: a step has one of each


def decospecs(settings: MetaflowSettings, fits_in_largest_task: int) -> list[Decospec]:
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


def retries(settings: MetaflowSettings) -> int:
    """How often Metaflow runs a task again that died."""
    if settings.retries is not None:
        return int(settings.retries)
    # On this machine what killed a task is likely a fit of it, which is then found and run alone.
    return 0 if settings.compute == "local" else 3


def _container(settings: MetaflowSettings) -> dict[str, Any]:
    values = {name: getattr(settings, parameter) for name, parameter in _PARAMETER_OF.items()}
    asked = {name: _plain(value) for name, value in values.items() if value is not None}
    return asked | _attributes(settings, settings.compute)


def _retry(settings: MetaflowSettings) -> dict[str, Any]:
    # Metaflow's own pause is two minutes, in which the machine of a spot reclaim is long replaced.
    times = retries(settings)
    return {"times": times, "minutes_between_retries": 0} if times else {}


def _timeout(settings: MetaflowSettings, fits_in_largest_task: int) -> dict[str, Any]:
    """The net below the limit of each fit, for tasks that hang elsewhere."""
    if settings.fit_timeout_s is None:
        return {}
    seconds = math.ceil(settings.fit_timeout_s * fits_in_largest_task + _SLACK_S)
    return {"seconds": min(seconds, _TIMEOUT_MAX_S)}


def _variables(settings: MetaflowSettings) -> dict[str, Any]:
    given = _attributes(settings, "environment").get("vars", {})
    if settings.env_vars is not None:
        given = settings.env_vars
    variables = _limits(settings) | {name: str(value) for name, value in given.items()}
    return {"vars": variables} if variables else {}


def _limits(settings: MetaflowSettings) -> dict[str, str]:
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


def _attributes(settings: MetaflowSettings, wanted: str) -> dict[str, Any]:
    """Attributes that the user gives to the decorator ``wanted``."""
    found: dict[str, Any] = {}
    for name, attributes in map(_parsed, settings.decorators):
        if name == wanted:
            found |= attributes
    return found


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


def _plain(value: Any) -> Any:
    """``value`` as JSON has it, whatever NumPy type it is of."""
    if isinstance(value, str):
        return value
    return int(value) if float(value).is_integer() else float(value)
