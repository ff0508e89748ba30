"""Summaries of objects, to notice that one has been changed.

Two summaries of an object differ after nearly all changes of its state. Small arrays count
entirely, larger ones at a thousand random positions. Of long containers the length and the first
entries count, and of objects in C, which nothing can look into, the identity alone.

Nothing simpler works. A pickle of a fitted vectorizer takes as long as using it, and many changes
in place leave the identity of all objects as it is. State outside of the object, such as in its
class, in a global variable or in a file, is not seen. ``tests/execution/test_state_summary.py``
watches changes of all kinds.
"""

from __future__ import annotations

import array
import copyreg
import functools
import mmap
from collections.abc import Hashable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skdistsearch.execution._value_key import HEAP_TYPE, IdentityKey

_WHOLE_MAX_BYTES = 1 << 16  # of an array; more is sampled
_SAMPLE_SIZE = 1 << 10  # elements of a larger array: 10 µs
_ENTRIES_MAX = 200  # of a list or dict that are looked at
_OBJECTS_MAX = 5_000  # of one state that are looked at
_PLAIN_TYPES = {int, float, complex, str, bytes, bool, type(None)}
_CONTAINERS = (dict, list, tuple, set, frozenset)
_IGNORED = ("_parent_callback_ctx", "_skl_callbacks")  # scikit-learn's own, during a fit
_TABLES = ("DataFrame", "Series")
_BUFFERS = (bytearray, memoryview, array.array, mmap.mmap)


def summarize(value: object) -> Hashable:
    """Return a summary of a value's state. Equal summaries: the value is most likely unchanged."""
    return _Walk().visit(value)


def summarize_array(array: NDArray[Any]) -> Hashable:
    """Return a summary of an array's form and elements."""
    form = array.shape, array.strides, array.dtype.str
    if array.dtype.hasobject:
        return form, tuple(map(IdentityKey, array.flat[_positions(array.size)]))
    if array.nbytes <= _WHOLE_MAX_BYTES:
        return form, hash(array.tobytes())
    plain = array.T if array.flags.f_contiguous else array
    flat: Any = plain.reshape(-1) if plain.flags.c_contiguous else plain.flat
    return form, hash(flat[_positions(array.size)].tobytes())


@functools.lru_cache(maxsize=64)
def _positions(size: int) -> NDArray[np.intp]:
    """Return positions at random, the same ones for all arrays of a size."""
    if size <= _SAMPLE_SIZE:
        return np.arange(size)
    return np.unique(np.random.default_rng(0).integers(size, size=_SAMPLE_SIZE))


class _Walk:
    """A walk over everything that an object refers to."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._visited: list[object] = []  # kept, so that no two have the same id

    def visit(self, value: Any) -> Hashable:
        """Return the summary of a value, or its number if it has been visited before."""
        if type(value) in _PLAIN_TYPES:
            return type(value), value
        if id(value) in self._numbers:
            return self._numbers[id(value)]
        if len(self._visited) > _OBJECTS_MAX:
            return IdentityKey(value)
        self._numbers[id(value)] = len(self._visited)
        self._visited.append(value)
        return type(value), self._summarize(value)

    def _summarize(self, value: Any) -> Hashable:
        if isinstance(value, np.ndarray):
            return summarize_array(value), self._visit_attributes(value)
        if isinstance(value, np.generic):
            return value.dtype.str, value.tobytes()
        if isinstance(value, np.random.RandomState):
            return self.visit(value.get_state(legacy=False))
        if isinstance(value, np.random.Generator):
            return self.visit(value.bit_generator.state)
        if isinstance(value, _BUFFERS):
            return summarize_array(np.frombuffer(value, np.uint8)) if len(value) else 0
        if isinstance(value, _CONTAINERS):
            entries = value.items() if isinstance(value, dict) else value
            return len(value), self._visit_all(entries), self._visit_attributes(value)
        if sparse.issparse(value):  # its other attributes may be filled in by reading it
            arrays = (part for part in vars(value).values() if isinstance(part, np.ndarray | tuple))
            return self._visit_all(arrays)
        if is_pandas(value):
            return self._visit_all([value.shape, *map(tuple, value.axes), *pandas_parts(value)])
        return self._summarize_object(value)

    def _summarize_object(self, value: Any) -> Hashable:
        kind = type(value)
        if getattr(kind, "_checks_itself", False) or isinstance(value, type) or callable(value):
            return IdentityKey(value)
        attributes = self._visit_attributes(value)
        is_python = all(base is object or base.__flags__ & HEAP_TYPE for base in kind.__mro__)
        return attributes if is_python and attributes else (IdentityKey(value), attributes)

    def _visit_attributes(self, value: Any) -> tuple[Hashable, ...]:
        attributes = dict(getattr(value, "__dict__", {}))
        names: list[str] = copyreg._slotnames(type(value))  # type: ignore[attr-defined]
        attributes |= {name: getattr(value, name) for name in names if hasattr(value, name)}
        return tuple(
            (name, self.visit(part)) for name, part in attributes.items() if name not in _IGNORED
        )

    def _visit_all(self, values: Iterable[object]) -> tuple[Hashable, ...]:
        return tuple(map(self.visit, islice(values, _ENTRIES_MAX)))


def is_pandas(value: object) -> bool:
    """Return True for a data frame or a series of pandas itself."""
    kind = type(value)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ in _TABLES


def pandas_parts(table: Any) -> list[Any]:
    """Return the arrays that a data frame or series consists of.

    Those of pandas' own types are taken apart. pandas shows no more than views of its arrays, and
    a view does not say which arrays share their memory, hence the private names.
    """
    parts = []
    for block in table._mgr.blocks:
        values = block.values
        inner = [
            getattr(values, name, None) for name in ("_ndarray", "_data", "_mask", "_pa_array")
        ]
        parts += [values] if isinstance(values, np.ndarray) else [p for p in inner if p is not None]
    return parts
