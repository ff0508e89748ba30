"""Values that fits share, in a form that keeps fits from changing what other fits see.

The trick has three parts. All memory that can be made read-only is read-only. Each fit gets objects
of its own, which only share that memory: views of arrays, and shallow copies of sparse matrices,
data frames and lists. So a fit may give its object another shape, or replace the arrays of a sparse
matrix. And an object that comes back is compared with what was handed out, and the memory with a
summary of its content, because not all memory obeys the flag.

Nothing simpler works. Copying the data for each fit costs what sharing saves. The flag alone
protects neither attributes nor memory that other views or libraries may write to. In pandas < 3 a
copy of a frame may differ from it in memory layout: slices are made again for each fit there.

A type that can be modified behind an equal copy would break it: only the types below are protected,
and values of other types are computed again for each fit. ``test_protected_value.py`` in
``tests/execution`` watches the protection of each type.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Hashable, Iterable, Iterator
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skdistsearch._typing import ArrayLike
from skdistsearch.execution._state_summary import is_pandas, pandas_parts, summarize_array

_IMMUTABLE_TYPES = {str, bytes, int, float, bool, type(None)}
_SPARSE_FORMATS = ("csr", "csc", "coo", "bsr")


class DataKey(NamedTuple):
    """Identifies a value that fits share: equal keys, the same value."""

    identity: Hashable
    """Number of the computation that made the value. A value that is computed again is another
    one, because the transformer may be random."""
    part: str
    """Part of the split that the value was made from: ``"train"``, ``"test"``, or neither."""


class ProtectedValue:
    """A value that fits can share, because no change of what they get goes unnoticed."""

    def __init__(self, value: ArrayLike, key: DataKey) -> None:
        self.value = _copy_shallow(value)  # the maker of the value may have kept the original
        self.key = key
        self._content = list(map(summarize_array, _arrays_of(self.value)))

    @classmethod
    def protect(
        cls, value: ArrayLike, key: DataKey, *, can_rebuild: bool = False
    ) -> ProtectedValue | None:
        """Return the protected value, or None if values of its type cannot be protected.

        ``can_rebuild``: the value can be made again, for a fit that cannot get a copy.
        """
        if not _is_protectable(value, can_rebuild=can_rebuild):
            return None
        for array in _arrays_of(value):
            _make_read_only(array)
        return cls(value, key)

    @property
    def needs_rebuild(self) -> bool:
        """True if a copy would differ from the value: in pandas < 3, in its memory layout."""
        return is_pandas(self.value) and not _has_copy_on_write()

    def share(self) -> ArrayLike:
        """Return the value for one fit."""
        return _copy_shallow(self.value)

    def is_intact(self) -> bool:
        """Return True unless the memory of the value has been changed."""
        return list(map(summarize_array, _arrays_of(self.value))) == self._content

    def digest(self) -> bytes | None:
        """Return a hash of the whole content, or None for types without one."""
        arrays = _arrays_of(self.value)
        if isinstance(self.value, list) or is_pandas(self.value):
            return None
        if any(array.dtype.hasobject for array in arrays):
            return None
        digest = sha256(repr((type(self.value), self.value.shape)).encode())
        for array in arrays:
            digest.update(repr((array.dtype.descr, array.shape, array.strides)).encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.digest()

    def is_unchanged(self, shared: ArrayLike) -> bool:
        """Return True if ``shared``, which a fit got, is as it was."""
        return _is_same(self.value, shared) and self.is_intact()


def _is_protectable(value: ArrayLike, *, can_rebuild: bool) -> bool:
    if type(value) in (np.ndarray, np.memmap):
        return _has_immutable_items([value])
    if isinstance(value, sparse.spmatrix | sparse.sparray):
        is_own_type = type(value).__module__.partition(".")[0] == "scipy"
        return is_own_type and value.format in _SPARSE_FORMATS
    if is_pandas(value):
        return (can_rebuild or _has_copy_on_write()) and _has_immutable_items(_arrays_of(value))
    return type(value) is list and _are_immutable(value)


def _has_immutable_items(arrays: Iterable[Any]) -> bool:
    return all(not a.dtype.hasobject or _are_immutable(a.ravel().tolist()) for a in arrays)


def _are_immutable(values: list[Any]) -> bool:
    return set(map(type, values)) <= _IMMUTABLE_TYPES


def _arrays_of(value: ArrayLike) -> list[Any]:
    """Return the arrays that hold the data of a value."""
    if isinstance(value, np.ndarray):
        return [value]
    if is_pandas(value):
        return [part for part in pandas_parts(value) if isinstance(part, np.ndarray)]
    return [] if isinstance(value, list) else list(_arrays_of_sparse(value))


def _arrays_of_sparse(matrix: Any) -> Iterator[Any]:
    for part in vars(matrix).values():
        parts = part if isinstance(part, tuple) else (part,)
        yield from (array for array in parts if isinstance(array, np.ndarray))


def _make_read_only(array: Any) -> None:
    while isinstance(array, np.ndarray):  # the array that this is a view of could be modified
        array.flags.writeable = False
        array = array.base


def _copy_shallow(value: ArrayLike) -> ArrayLike:
    if isinstance(value, np.ndarray):
        return value.view()
    if isinstance(value, list):
        return list(value)
    if is_pandas(value):
        return value.copy(deep=False)
    copied = copy.copy(value)
    for name, part in vars(copied).items():
        if isinstance(part, np.ndarray):
            vars(copied)[name] = part.view()
        elif isinstance(part, tuple):
            vars(copied)[name] = tuple(p.view() if isinstance(p, np.ndarray) else p for p in part)
    return copied


def _is_same(value: ArrayLike, other: ArrayLike) -> bool:
    """Return True if a shallow copy is still a copy of the value."""
    if isinstance(value, list):
        return len(value) == len(other) and all(map(operator.is_, value, other))
    if is_pandas(value):
        return _has_same_labels(value, other) and (
            _has_same_memory(value, other) or bool(value.equals(other))
        )
    return bool(value.shape == other.shape) and _has_same_memory(value, other)


def _has_same_memory(value: ArrayLike, other: ArrayLike) -> bool:
    arrays, others = _arrays_of(value), _arrays_of(other)
    return len(arrays) == len(others) and all(
        array.__array_interface__["data"] == part.__array_interface__["data"]
        and (array.shape, array.strides) == (part.shape, part.strides)
        and array.dtype == part.dtype
        for array, part in zip(arrays, others, strict=True)
    )


def _has_same_labels(table: Any, other: Any) -> bool:
    pairs = zip(table.axes, other.axes, strict=True)
    return (
        all(axis.equals(changed) and axis.names == changed.names for axis, changed in pairs)
        and table.attrs == other.attrs
        and (table.ndim == 2 or table.name == other.name)
    )


@cache
def _has_copy_on_write() -> bool:
    """Return True if no write to a shallow copy of a frame reaches the frame: in pandas >= 3."""
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3
