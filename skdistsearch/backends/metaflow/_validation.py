"""Checks of the settings of a Metaflow backend; they name every mistake at once."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from skdistsearch.backends.metaflow._decorators import _PARAMETER_OF, _parsed
from skdistsearch.backends.metaflow._settings import (
    COMPUTE,
    CONTAINERS,
    ENVIRONMENTS,
    MetaflowSettings,
)

_RETRIES_MAX = 4  # Metaflow's MAX_ATTEMPTS is 6: the first one, these, and that of @catch
_MEMORY_MIN_MB = 256  # no task fits in less; who writes 16 means gigabytes
_EFFECTIVE_ON = {
    "cpu": CONTAINERS,
    "memory_mb": CONTAINERS,
    "gpu": CONTAINERS,
    "disk_mb": ("kubernetes",),
    "image": CONTAINERS,
    "queue": ("batch",),
}
_ELSEWHERE = {
    ("disk_mb", "batch"): (
        "on EC2 a task has the disk of its compute environment, on Fargate that of "
        'decorators=["batch:ephemeral_storage=50"] in GiB'
    ),
    ("queue", "kubernetes"): "its namespace is METAFLOW_KUBERNETES_NAMESPACE",
}
_NOT_FOR_USERS = {
    "retry": "set retries",
    "timeout": "set fit_timeout_s, which is the limit of a fit",
    "catch": "every task has it already",
    "parallel": "a task is one process on one machine; use more tasks",
}


def problems(settings: MetaflowSettings) -> list[str]:
    """Every wrong setting, as ``name=value: what is valid``."""
    return [
        *_invalid(settings),
        *_without_effect(settings),
        *_wrong_environment(settings),
        *_wrong_variables(settings),
        *_wrong_decorators(settings),
    ]


def _invalid(settings: MetaflowSettings) -> Iterator[str]:
    for name, (valid, holds) in _VALID.items():
        value = getattr(settings, name)
        if not holds(value):
            yield f"{name}={value!r}: must be {valid}"


def _without_effect(settings: MetaflowSettings) -> Iterator[str]:
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


def _wrong_environment(settings: MetaflowSettings) -> Iterator[str]:
    environment = settings.environment
    if environment is not None and environment not in ENVIRONMENTS:
        hint = "; variables are env_vars={...}" if isinstance(environment, Mapping) else ""
        yield f'environment: must be None, "conda" or "pypi"{hint}'
    elif environment in ENVIRONMENTS and not _names(settings) & set(ENVIRONMENTS):
        packages = f'decorators=[\'{environment}:packages={{"scikit-learn": "1.7.2", ...}}\']'
        yield (
            f'environment="{environment}": would have no packages; name scikit-learn, cloudpickle, '
            f"loky and yours in {packages}"
        )


def _wrong_variables(settings: MetaflowSettings) -> Iterator[str]:
    """Yield the errors in ``env_vars``, never the values, which may be secret."""
    if settings.env_vars is None:
        return
    if not isinstance(settings.env_vars, Mapping):
        yield "env_vars: must be None or a mapping of names to strings"
        return
    for name, value in settings.env_vars.items():
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)):
            yield f"env_vars: {name!r} is not a name of an environment variable"
        elif not isinstance(value, str):
            yield f"env_vars: the value of {name} must be a string"


def _wrong_decorators(settings: MetaflowSettings) -> Iterator[str]:
    for spec in settings.decorators:
        if not isinstance(spec, str) or not re.fullmatch(r"[\w.]+(:\s*\w+\s*=.*)?", spec, re.S):
            yield "decorators: must be strings that Metaflow's --with takes: name:attribute=value"
            continue
        name, attributes = _parsed(spec)
        yield from (f'decorators: "{name}": {why}' for why in _wrong(name, attributes, settings))


def _wrong(name: str, attributes: dict[str, Any], settings: MetaflowSettings) -> Iterator[str]:
    """Why a decorator of the user's does not go with our own."""
    if name in _NOT_FOR_USERS:
        yield _NOT_FOR_USERS[name]
    if name in CONTAINERS and settings.compute != name:
        yield f'set compute="{name}"'
    if name in (*CONTAINERS, "resources"):
        taken = [key for key in attributes if key in _PARAMETER_OF]
        yield from (f"instead of {key}= set {_PARAMETER_OF[key]}" for key in taken)
    if name == "kubernetes" and "namespace" in attributes:
        # The pods of a run that is interrupted are looked for there alone (KubernetesClient).
        yield "instead of namespace= set METAFLOW_KUBERNETES_NAMESPACE"
    if name in ENVIRONMENTS and settings.environment not in ENVIRONMENTS:
        yield f'has no effect without environment="{name}"'
    if name == "environment" and settings.env_vars is not None:
        yield "put all variables into env_vars={...}"
    if name == "environment" and not isinstance(attributes.get("vars"), dict):
        yield "vars must be a JSON object; env_vars={...} takes any value"


def _names(settings: MetaflowSettings) -> set[str]:
    return {spec.partition(":")[0] for spec in settings.decorators if isinstance(spec, str)}


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


def _are_strings(values: object) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


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
    "fits_per_task": (
        '"auto" or an integer of at least 1',
        lambda value: value == "auto" or _is_integer(1)(value),
    ),
    "max_workers": ("None or an integer of at least 1", _none_or(_is_integer(1))),
    "tags": ("strings", _are_strings),
    "fit_timeout_s": ("None or a number of seconds above 0", _none_or(_is_positive)),
    "retries": (
        f"None or an integer from 0 to {_RETRIES_MAX}, which is Metaflow's limit",
        _none_or(_is_integer(0, _RETRIES_MAX)),
    ),
}
