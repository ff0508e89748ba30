"""Keys of parameter values: equal for two values only if no code can tell them apart.

Candidates with equal keys get each other's results, so a value has a key of its own unless it is
certain that all of it is known: plain values and containers of Python, arrays of numpy, functions,
and objects of classes written in Python that keep their state where Python puts it. Subclasses of
built-in types may hold or compare anything, and so may objects that say themselves how they are
pickled. Keys of equal values may differ. This costs time and nothing else.

Nothing simpler works. ``==`` is what the user's classes make of it, and 1 == 1.0 == True. Hashes of
pickles (`joblib.hash`) forget the order of a dict, and everything that ``__getstate__`` leaves out.
A class whose attributes depend on the object's identity would break it.
``tests/execution/test_value_key.py`` watches pairs of similar values.
"""

from __future__ import annotations

import copyreg
import functools
import hashlib
import types
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

_PLAIN_TYPES = {type(None), bool, int, str, bytes}
_IDENTIFIED_TYPES = (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class statement made the type
_MISSING = object()


def key_of(value: object) -> Hashable:
    """Return the key of a value."""
    kind: Any = type(value)
    if kind in _PLAIN_TYPES:
        return kind, value
    if find_key := _FUNCTIONS.get(kind):
        key: Hashable = find_key(value)
        return key
    if isinstance(value, np.generic) and kind.__module__ == "numpy" and kind is not np.void:
        return kind, value.dtype.str, value.tobytes()
    if not isinstance(value, _IDENTIFIED_TYPES) and _has_plain_state(kind):
        try:
            return _key_of_object(value)
        except Exception:  # of a property, or values that contain each other
            return IdentityKey(value)
    return IdentityKey(value)  # clones share their functions and classes


def _key_of_items(values: Any) -> Hashable:
    return (type(values), *map(key_of, values))


def _key_of_dict(values: Mapping[Any, object]) -> Hashable:
    return dict, tuple((key_of(name), key_of(value)) for name, value in values.items())


def _key_of_array(array: NDArray[Any]) -> Hashable:
    if array.dtype.names:
        return IdentityKey(array)
    layout = np.ndarray, array.dtype.str, array.shape, array.strides
    if array.dtype.hasobject:
        return *layout, key_of(array.tolist())
    data: Any = np.ascontiguousarray(array).view(np.uint8)
    return *layout, hashlib.blake2b(data, digest_size=20).digest()


def _key_of_partial(value: functools.partial[Any]) -> Hashable:
    return type(value), *map(key_of, (value.func, value.args, value.keywords, vars(value)))


def _key_of_random_state(value: np.random.RandomState) -> Hashable:
    return type(value), key_of(value.get_state(legacy=False))


_FUNCTIONS: dict[type, Any] = {
    float: lambda value: (float, value.hex()),  # -0.0 is not 0.0, and nan is nan
    complex: lambda value: (complex, value.real.hex(), value.imag.hex()),
    slice: lambda value: (slice, *map(key_of, (value.start, value.stop, value.step))),
    range: lambda value: (range, value.start, value.stop, value.step),
    list: _key_of_items,
    tuple: _key_of_items,
    set: _key_of_items,  # in its order, which code can see
    frozenset: _key_of_items,
    dict: _key_of_dict,
    np.ndarray: _key_of_array,
    functools.partial: _key_of_partial,
    np.random.RandomState: _key_of_random_state,
}


@functools.cache
def _has_plain_state(kind: Any) -> bool:
    """Return True if its objects consist of their attributes and slots."""
    defaults = ["__getattribute__"]
    if not issubclass(kind, BaseEstimator):  # which is cloned, and not pickled
        defaults += ["__reduce__", "__reduce_ex__", "__getstate__"]
    return all(base is object or base.__flags__ & HEAP_TYPE for base in kind.__mro__) and all(
        getattr(kind, name, None) is getattr(object, name, None) for name in defaults
    )


def _key_of_object(value: object) -> Hashable:
    state = dict(getattr(value, "__dict__", {}))
    names: list[str] = copyreg._slotnames(type(value))  # type: ignore[attr-defined]
    state |= {name: getattr(value, name) for name in names if hasattr(value, name)}
    computed = {}  # parameters that a property keeps elsewhere
    if isinstance(value, BaseEstimator):
        parameters = _parameters_of(value)
        computed = {
            name: part for name, part in parameters if state.get(name, _MISSING) is not part
        }
    return type(value), _key_of_dict(state), _key_of_dict(computed)


def _parameters_of(estimator: Any) -> Iterable[tuple[str, object]]:
    kind: Any = type(estimator)
    if kind.get_params is BaseEstimator.get_params:
        return [(name, getattr(estimator, name)) for name in _parameter_names(kind)]
    parameters: dict[str, object] = estimator.get_params(deep=False)
    return parameters.items()


@functools.cache
def _parameter_names(kind: Any) -> list[str]:
    names: list[str] = kind._get_param_names()  # inspects the signature: slow
    return names


class IdentityKey:
    """Key that is equal for the same object only, and keeps it alive."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdentityKey) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)
