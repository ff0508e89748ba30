"""Validation of the settings of the Metaflow backend."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from skdistsearch.backends.metaflow._decorators import SETTING_OF_ATTRIBUTE, parse_decorator
from skdistsearch.backends.metaflow._settings import (
    COMPUTE,
    CONTAINERS,
    ENVIRONMENTS,
    MetaflowSettings,
)

_Check: TypeAlias = Callable[[object], bool]

_MAX_RETRIES = 4  # Metaflow's MAX_ATTEMPTS is 6: these, the first attempt and that of @catch
_MIN_MEMORY_MB = 256  # no task runs in less; a user who writes 16 means gigabytes
_EFFECTIVE_ON = {
    "cpu": CONTAINERS,
    "memory_mb": CONTAINERS,
    "gpu": CONTAINERS,
    "disk_mb": ("kubernetes",),
    "image": CONTAINERS,
    "queue": ("batch",),
}
_ALTERNATIVES = {
    ("disk_mb", "batch"): (
        "on EC2, tasks use the disk of the compute environment; on Fargate, set "
        'decorators=["batch:ephemeral_storage=50"], in GiB'
    ),
    ("queue", "kubernetes"): "set the namespace with METAFLOW_KUBERNETES_NAMESPACE",
}
_RESERVED_DECORATORS = {
    "retry": "use retries= instead",
    "timeout": "use fit_timeout_s= instead, which limits each fit",
    "catch": "every task already has it",
    "parallel": "not supported, because a task is one process on one machine; use more tasks",
}
_REPLACED_ATTRIBUTES = {
    "batch": SETTING_OF_ATTRIBUTE,
    "resources": SETTING_OF_ATTRIBUTE,
    # "kubernetes kill" looks for the pods of an interrupted run in the configured namespace only
    # (Metaflow's KubernetesClient).
    "kubernetes": SETTING_OF_ATTRIBUTE | {"namespace": "METAFLOW_KUBERNETES_NAMESPACE"},
}


def validation_errors(settings: MetaflowSettings) -> list[str]:
    """Return a line for each invalid setting: its name, its value and what is valid."""
    return [
        *_out_of_range(settings),
        *_without_effect(settings),
        *_environment_errors(settings),
        *_env_vars_errors(settings),
        *_decorator_errors(settings),
    ]


def _out_of_range(settings: MetaflowSettings) -> Iterator[str]:
    for name, (valid, is_valid) in _VALID.items():
        value = getattr(settings, name)
        if not is_valid(value):
            yield f"{name}={value!r}: must be {valid}"


def _without_effect(settings: MetaflowSettings) -> Iterator[str]:
    compute = settings.compute
    if compute not in COMPUTE:
        return
    for name, effective_on in _EFFECTIVE_ON.items():
        value = getattr(settings, name)
        if value is not None and compute not in effective_on:
            valid = " or ".join(f'compute="{choice}"' for choice in effective_on)
            advice = _ALTERNATIVES.get((name, compute), f"remove it, or set {valid}")
            yield f'{name}={value!r}: has no effect with compute="{compute}"; {advice}'


def _environment_errors(settings: MetaflowSettings) -> Iterator[str]:
    """Yield errors in ``environment``, without its value, which may be a mapping with secrets."""
    environment = settings.environment
    if environment is not None and environment not in ENVIRONMENTS:
        hint = "; pass variables as env_vars={...}" if isinstance(environment, Mapping) else ""
        yield f'environment: must be None, "conda" or "pypi"{hint}'
    elif environment in ENVIRONMENTS and not _decorator_names(settings) & set(ENVIRONMENTS):
        packages = f'decorators=[\'{environment}:packages={{"scikit-learn": "1.7.2", ...}}\']'
        yield (
            f'environment="{environment}": has no packages; list scikit-learn, cloudpickle, loky '
            f"and your own in {packages}"
        )


def _env_vars_errors(settings: MetaflowSettings) -> Iterator[str]:
    """Yield errors in ``env_vars``, without the values, which may be secrets."""
    if settings.env_vars is None:
        return
    if not isinstance(settings.env_vars, Mapping):
        yield "env_vars: must be None or a mapping of names to strings"
        return
    for name, value in settings.env_vars.items():
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)):
            yield f"env_vars: {name!r} is not a valid name of an environment variable"
        elif not isinstance(value, str):
            yield f"env_vars: the value of {name} must be a string"


def _decorator_errors(settings: MetaflowSettings) -> Iterator[str]:
    for spec in settings.decorators:
        if not isinstance(spec, str) or not re.fullmatch(r"[\w.]+(:\s*\w+\s*=.*)?", spec, re.S):
            yield (
                "decorators: must be strings in the syntax of Metaflow's --with: "
                "name:attribute=value"
            )
            continue
        name, attributes = parse_decorator(spec)
        for conflict in _decorator_conflicts(name, attributes, settings):
            yield f'decorators: "{name}": {conflict}'


def _decorator_conflicts(
    name: str, attributes: Mapping[str, object], settings: MetaflowSettings
) -> Iterator[str]:
    """Yield the conflicts between a decorator of the user's and our own decorators."""
    if name in _RESERVED_DECORATORS:
        yield _RESERVED_DECORATORS[name]
    if name in CONTAINERS and settings.compute != name:
        yield f'requires compute="{name}"'
    replaced = _REPLACED_ATTRIBUTES.get(name, {})
    yield from (f"set {replaced[key]} instead of {key}=" for key in attributes if key in replaced)
    if name in ENVIRONMENTS and settings.environment not in ENVIRONMENTS:
        yield f'has no effect without environment="{name}"'
    if name == "environment":
        yield from _variable_conflicts(attributes, settings)


def _variable_conflicts(
    attributes: Mapping[str, object], settings: MetaflowSettings
) -> Iterator[str]:
    if settings.env_vars is not None:
        yield "put all variables into env_vars={...}"
    if not isinstance(attributes.get("vars"), dict):
        yield "vars must be a JSON object; env_vars={...} accepts any value"


def _decorator_names(settings: MetaflowSettings) -> set[str]:
    return {spec.partition(":")[0] for spec in settings.decorators if isinstance(spec, str)}


def _is_positive(value: object) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and 0 < float(value) < math.inf
    )


def _integer_between(minimum: int, maximum: float = math.inf) -> _Check:
    def is_valid(value: object) -> bool:
        return (
            isinstance(value, numbers.Integral)
            and not isinstance(value, bool)
            and minimum <= int(value) <= maximum
        )

    return is_valid


def _has_no_space(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\S+", value) is not None


def _are_strings(values: object) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, str) for value in values)


def _none_or(is_valid: _Check) -> _Check:
    return lambda value: value is None or is_valid(value)


_VALID: dict[str, tuple[str, _Check]] = {
    "compute": (f"one of {', '.join(COMPUTE)}", lambda value: value in COMPUTE),
    "cpu": ("None or a number above 0", _none_or(_is_positive)),
    "memory_mb": (
        f"None or a number of megabytes, an integer of at least {_MIN_MEMORY_MB}",
        _none_or(_integer_between(_MIN_MEMORY_MB)),
    ),
    "gpu": ("None or an integer of at least 0", _none_or(_integer_between(0))),
    "disk_mb": ("None or an integer of at least 1", _none_or(_integer_between(1))),
    "image": ("None or the name of a container image", _none_or(_has_no_space)),
    "queue": ("None or the name of a job queue", _none_or(_has_no_space)),
    "fits_per_task": (
        '"auto" or an integer of at least 1',
        lambda value: value == "auto" or _integer_between(1)(value),
    ),
    "keep_alive_s": (
        '"auto" or a number of seconds of at least 0',
        lambda value: value == "auto" or _is_positive(value) or (value == 0 and value is not False),
    ),
    "max_workers": ("None or an integer of at least 1", _none_or(_integer_between(1))),
    "tags": ("strings", _are_strings),
    "fit_timeout_s": ("None or a number of seconds above 0", _none_or(_is_positive)),
    "retries": (
        f"None or an integer from 0 to {_MAX_RETRIES}, Metaflow's limit",
        _none_or(_integer_between(0, _MAX_RETRIES)),
    ),
}
