"""Find the differences between two fitted models, down to the last bit."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np

_PLAIN_TYPES = (
    *(bool, int, float, complex, str, bytes, type(None), np.generic),
    *(type, types.FunctionType, types.BuiltinFunctionType),
)


def find_differences(model: object, other: object) -> list[str]:
    """Return the places at which two objects differ, such as ``".estimators_[3].tree_.nodes"``.

    Compares what pickle would keep of them.

    Parameters
    ----------
    model, other : object
        Any two objects that can be pickled.

    Returns
    -------
    places : list of str
        Empty if the objects are equal.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch.testing import find_differences
    >>> find_differences(Ridge().fit([[1], [2]], [1, 2]), Ridge().fit([[1], [2]], [1, 3]))
    ['.coef_']
    """
    return list(_Comparison().compare(model, other, ""))


class _Comparison:
    def __init__(self) -> None:
        self._pairs: dict[tuple[int, int], tuple[object, object]] = {}

    def compare(self, a: Any, b: Any, place: str) -> Iterator[str]:
        """Yield the places within two objects at which they differ."""
        if (id(a), id(b)) in self._pairs:
            return
        self._pairs[id(a), id(b)] = a, b  # kept, so that no other object gets the same id
        if type(a) is not type(b):
            yield place
        elif isinstance(a, _PLAIN_TYPES):
            if a != b and not (a != a and b != b):  # NaN
                yield place
        elif isinstance(a, np.ndarray):
            yield from self._compare_arrays(a, b, place)
        elif isinstance(a, dict):
            yield from self._compare_dicts(a, b, place)
        elif isinstance(a, list | tuple):
            yield from self._compare_items(a, b, place)
        else:
            yield from self._compare_states(a, b, place)

    def _compare_arrays(self, a: Any, b: Any, place: str) -> Iterator[str]:
        if a.dtype != b.dtype or a.shape != b.shape:
            yield place
        elif a.dtype.names:  # not the bytes between the fields, which are arbitrary
            for name in a.dtype.names:
                yield from self._compare_arrays(a[name], b[name], f"{place}[{name!r}]")
        elif a.dtype.hasobject:
            yield from self._compare_items(a.ravel().tolist(), b.ravel().tolist(), place)
        elif a.tobytes() != b.tobytes():
            yield place

    def _compare_dicts(self, a: Any, b: Any, place: str) -> Iterator[str]:
        for key in [*a, *(key for key in b if key not in a)]:
            inner = f"{place}.{key}" if isinstance(key, str) else f"{place}[{key!r}]"
            if key in a and key in b:
                yield from self.compare(a[key], b[key], inner)
            else:
                yield inner

    def _compare_items(self, a: Any, b: Any, place: str) -> Iterator[str]:
        if len(a) != len(b):
            yield place
            return
        for number, (item, other) in enumerate(zip(a, b, strict=True)):
            yield from self.compare(item, other, f"{place}[{number}]")

    def _compare_states(self, a: Any, b: Any, place: str) -> Iterator[str]:
        """Compare what the objects tell pickle about themselves."""
        (_, arguments, *state), (_, others, *other_state) = a.__reduce_ex__(4), b.__reduce_ex__(4)
        yield from self._compare_items(arguments, others, place)
        for part, other in zip(state[:1], other_state[:1], strict=True):
            yield from self.compare(part, other, place)
