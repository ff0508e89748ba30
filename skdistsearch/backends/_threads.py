"""Threads of the worker processes: limits, and a warning where the user asks for too many."""

from __future__ import annotations

import numbers
import os
from typing import TypeGuard

import joblib
from joblib.parallel import ParallelBackendBase

from skdistsearch._typing import Parameters

_TENSORFLOW = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_THREAD_PARAMETERS = ("n_jobs", "num_threads", "nthread", "n_threads", "thread_count")


def thread_limits(workers: int, threads: int | None = None) -> dict[str, str]:
    """Return environment variables that divide the cores among the workers.

    They limit the thread pools of the libraries that fits use. A limit that the user has set for a
    pool is kept, unless ``threads`` is given. The number of cores is always set: LightGBM ignores
    OpenMP's variables and starts as many threads as joblib counts cores.
    """
    share = max(joblib.cpu_count() // workers, 1)
    names = (*ParallelBackendBase.MAX_NUM_THREADS_VARS, *_TENSORFLOW)
    limits = {name: str(threads or os.environ.get(name, share)) for name in names}
    return limits | {"LOKY_MAX_CPU_COUNT": str(threads or share)}


def oversubscription_warning(parameters: Parameters, workers: int, cores: int) -> str:
    """Return a warning if a parameter asks for more threads than there are cores, or ``""``."""
    for name, value in parameters.items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            if warning := oversubscription_warning(value.get_params(), workers, cores):
                return warning
        elif _is_thread_count(value, name) and value * workers > cores:
            return (
                f"{name}={value} in {workers} processes uses {value * workers} threads on {cores} "
                f"cores. Your setting is kept, but {name}={max(cores // workers, 1)} (or n_jobs=1 "
                "for the search) would be faster."
            )
    return ""


def _is_thread_count(value: object, name: str) -> TypeGuard[int]:
    is_integer = isinstance(value, numbers.Integral) and int(value) > 1
    return is_integer and name.rpartition("__")[2] in _THREAD_PARAMETERS
