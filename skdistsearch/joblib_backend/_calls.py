"""The calls of a joblib ``Parallel`` as a batch.

- The trick: each call is pickled on its own, so that what a call changes is its own, as in a
  process of loky's. Arrays are left out: those with the same memory are held once in the batch,
  however many calls, closures and estimators refer to them. In a worker, a call gets a copy of a
  small array, and a read-only view of a big one, as loky's memory maps are.
- Why nothing simpler works: one pickle of all calls would make them share what they change, and
  with a pickle for each call, 1,000 calls would send 1,000 copies of X. Protocols that scatter
  arguments ahead of the calls have cost other backends years of races.
- It breaks if an array is changed by another thread while its call is pickled.
  tests/joblib_backend/test_calls.py watches it.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

import joblib
import numpy as np
from joblib.parallel import BACKENDS

from skdistsearch._batch import Batch, Fit, FitContext
from skdistsearch.exceptions import NotPicklableError
from skdistsearch.joblib_backend._results import ResultExtractor
from skdistsearch.storage import ModulePickler

Item: TypeAlias = tuple[Any, tuple[Any, ...], dict[str, Any]]
"""A call: function, positional arguments, keyword arguments."""

_SHARED_MIN = 1_000  # bytes of an array that is worth looking up
_READ_ONLY_MIN = 1_000_000  # joblib's max_nbytes: arrays of this size are memory maps under loky


@dataclass(frozen=True)
class Call(Fit):
    """One call. In a batch, it has the place of a fit."""

    name: str = ""
    """Name of its function."""

    def describe_candidate(self) -> str:
        """Return number and function as text."""
        return f"call {self.candidate} of {self.name}"

    def __str__(self) -> str:
        return self.describe_candidate()


@dataclass(frozen=True, eq=False)
class SharedArrays:
    """Arrays that the calls of a batch refer to by their number."""

    arrays: Sequence[Any]

    def get(self, number: int) -> Any:
        """Return a copy of a small array, and a read-only view of a big one."""
        array = self.arrays[number]
        if array.nbytes < _READ_ONLY_MIN:
            return array.copy(order="K")
        view = array.view()
        view.flags.writeable = False
        return view


def make_batch(
    items: Iterable[Item], n_jobs: int | None, *, objects: str, is_remote: bool
) -> Batch:
    """Return a batch that runs calls.

    Parameters
    ----------
    items : iterable of tuple
        The calls.
    n_jobs : int or None
        Number of workers.
    objects : {"allow", "refuse"}
        What happens to results that are no data.
    is_remote : bool
        Whether each call has a container for itself.
    """
    table, modules = _ArrayTable(), set[str]()
    calls = [_make_call(number, item, table, modules) for number, item in enumerate(items)]
    return Batch(
        key=uuid.uuid4().hex,
        function=run_call,
        arguments=(SharedArrays(table.arrays),),
        common_keywords={"nested": "container" if is_remote else "threads"},
        fits=calls,
        n_jobs=n_jobs,
        context=FitContext(modules=frozenset(modules), extractor=ResultExtractor(objects)),
    )


def run_call(arrays: SharedArrays, *, call: bytes, nested: str) -> Any:
    """Run a call in a worker; return its value as a result that an outcome can have."""
    function, args, kwargs = _CallUnpickler(call, arrays).load()
    began = time.perf_counter()
    with _nested_parallelism(nested):
        value = function(*args, **kwargs)
    return {"fit_time": time.perf_counter() - began, "value": value}


def _nested_parallelism(nested: str) -> AbstractContextManager[Any]:
    """Choose where a ``Parallel`` within a call runs: it never leaves the worker.

    On this machine in threads, as under loky: processes would be too many. A container belongs to
    the call, and joblib's default uses its CPUs.
    """
    if nested == "container":
        return contextlib.nullcontext()
    threads = BACKENDS["threading"](nesting_level=1)
    config: AbstractContextManager[Any] = joblib.parallel_config(backend=threads, n_jobs=None)
    return config


def _make_call(number: int, item: Item, table: _ArrayTable, modules: set[str]) -> Call:
    name = function_name(item[0])
    file = io.BytesIO()
    pickler = _CallPickler(file, table)
    try:
        pickler.dump(tuple(item))
    except Exception as exc:
        raise NotPicklableError(
            f"Call {number} of {name} cannot be sent to another process: "
            f"{type(exc).__name__}: {exc}"
        ) from exc
    modules |= pickler.modules
    return Call(number, 0, {}, {"call": file.getvalue()}, name)


def function_name(function: Any) -> str:
    """Return the name of a function, also of one that scikit-learn has wrapped."""
    function = getattr(function, "function", function)
    return getattr(function, "__name__", type(function).__name__)


class _ArrayTable:
    """Arrays, each memory once."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, array: Any) -> int:
        interface = array.__array_interface__
        key = (interface["data"][0], array.shape, array.strides, array.dtype.str)
        if key not in self._numbers:
            self._numbers[key] = len(self.arrays)
            self.arrays.append(np.asarray(array))  # keeps the memory: its address stays unique
        return self._numbers[key]


class _CallPickler(ModulePickler):
    """Pickler that leaves out arrays, and collects modules."""

    def __init__(self, file: io.BytesIO, table: _ArrayTable) -> None:
        super().__init__(file, protocol=5)
        self._table = table

    def persistent_id(self, obj: Any) -> int | None:
        if type(obj) not in (np.ndarray, np.memmap) or obj.nbytes < _SHARED_MIN:
            return None
        return None if obj.dtype.hasobject else self._table.number(obj)


class _CallUnpickler(pickle.Unpickler):
    def __init__(self, data: bytes, arrays: SharedArrays) -> None:
        super().__init__(io.BytesIO(data))
        self._arrays = arrays
        self._loaded: dict[int, Any] = {}

    def persistent_load(self, number: Any) -> Any:
        """Return an array: the same object wherever the call refers to it."""
        if number not in self._loaded:
            self._loaded[number] = self._arrays.get(number)
        return self._loaded[number]
