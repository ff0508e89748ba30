"""threads per worker."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from typing import Any

import joblib
from joblib.parallel import ParallelBackendBase

_TENSORFLOW = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_THREADS = ("n_jobs", "num_threads", "nthread", "n_threads", "thread_count")


def thread_limits(workers: int, threads: int | None = None) -> dict[str, str]:
    """Each worker's share of the cores, for the thread pools of what fits use.

    What the user has set for a pool holds. Not so the number of cores, which counts for all of them
    together: LightGBM takes as many threads as joblib counts cores, whatever OpenMP is told.
    """
    share = max(joblib.cpu_count() // workers, 1)
    names = (*ParallelBackendBase.MAX_NUM_THREADS_VARS, *_TENSORFLOW)
    limits = {name: str(threads or os.environ.get(name, share)) for name in names}
    return limits | {"LOKY_MAX_CPU_COUNT": str(threads or share)}


def oversubscription_warning(parameters: Mapping[str, Any], workers: int, cores: int) -> str:
    """What to say of a number of threads that the user has set; empty if all is well."""
    for name, value in parameters.items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            if said := oversubscription_warning(value.get_params(), workers, cores):
                return said
            continue
        asked = name.rpartition("__")[2] in _THREADS and isinstance(value, numbers.Integral)
        if asked and value > 1 and value * workers > cores:
            return (
                f"{name}={value} in {workers} processes asks for {value * workers} threads on "
                f"{cores} cores, which wait for each other. It stays, as you have set it; faster "
                f"is {name}={max(cores // workers, 1)}, or n_jobs=1 of the search."
            )
    return ""
