"""Which work fits have in common: the transformers that get the same data with the same parameters.

A *piece* is a transformer in its place: in a Pipeline, what comes before it in the pipeline; in a
FeatureUnion or ColumnTransformer, its input and columns. Two candidates with the same piece would
fit it on the same data, split by split, and transform the same data with it.
"""

from __future__ import annotations

import hashlib
import math
import numbers
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

_MAY_WRITE = ("copy", "copy_X", "copy_x")  # if False
_NO_TRANSFORMER = (None, "passthrough", "drop")


@dataclass(frozen=True)
class TransformerSlot:
    """A transformer within an estimator, and where it is."""

    transformer: Any
    key: Any
    """Equal to that of another one if both would do the same work."""
    columns: Any
    """Key of the columns that it gets of its ColumnTransformer's input; None elsewhere."""
    replace: Callable[[Any], None]
    """Puts another object in its place."""


def iter_slots(estimator: Any, context: Any = ()) -> Iterator[TransformerSlot]:
    """The transformers whose work can be shared, in the order in which data comes to them.

    Only of scikit-learn's own classes, because a subclass may do anything with its steps, and not
    of a Pipeline with a ``memory``: its user has chosen another way.
    """
    if type(estimator) is Pipeline and estimator.memory is None:
        yield from _of_pipeline(estimator, context)
    elif type(estimator) is FeatureUnion and estimator.n_jobs in (None, 1):
        yield from _of_branches(estimator, "transformer_list", context)
    elif type(estimator) is ColumnTransformer and estimator.n_jobs in (None, 1):
        yield from _of_branches(estimator, "transformers", context)


def _of_pipeline(pipeline: Pipeline, context: Any) -> Iterator[TransformerSlot]:
    for number, (name, step) in enumerate(pipeline.steps):
        if number == len(pipeline.steps) - 1:
            yield from iter_slots(step, context)  # a Pipeline as the last step of another
        elif not _is_none(step):
            key = (context, key_of(step))
            yield from iter_slots(step, context)
            yield TransformerSlot(step, key, None, _setter(pipeline.steps, number, name))
            context = key


def _of_branches(union: Any, attribute: str, context: Any) -> Iterator[TransformerSlot]:
    branches = getattr(union, attribute)
    for number, (name, branch, *rest) in enumerate(branches):
        if _is_none(branch):
            continue
        columns = ("columns", *map(key_of, rest)) if rest else None
        inner = (context, columns) if rest else context
        yield from iter_slots(branch, inner)
        replace = _setter(branches, number, name, *rest)
        yield TransformerSlot(branch, (inner, key_of(branch)), columns, replace)


def _is_none(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step in _NO_TRANSFORMER)


def _setter(steps: list[Any], number: int, name: str, *rest: Any) -> Callable[[Any], None]:
    def replace(other: Any) -> None:
        steps[number] = (name, other, *rest)

    return replace


def with_parameters(estimator: Any, parameters: Any) -> Any:
    """A clone of ``estimator`` with a candidate's parameters, made as scikit-learn makes it."""
    return clone(estimator).set_params(**clone(dict(parameters), safe=False))


def may_modify_input(estimator: Any) -> bool:
    """Whether a part of the estimator was told that it may write to what it is given.

    Of what is read-only scikit-learn's estimators then make a copy, without a word.
    """
    return any(
        value is False and name.rpartition("__")[2] in _MAY_WRITE
        for name, value in estimator.get_params().items()
    )


def is_pairwise(estimator: Any, X: Any) -> bool:
    """Whether X is a matrix of kernel values or distances, to be sliced both ways."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) == 2 and shape[0] != shape[1]:
        return False
    if hasattr(estimator, "__sklearn_tags__"):
        return bool(estimator.__sklearn_tags__().input_tags.pairwise)
    return bool(estimator._get_tags()["pairwise"])  # scikit-learn < 1.6


def key_of(value: Any) -> Any:
    """Something hashable that is equal for two values only if no code can tell them apart.

    It may differ for values that are alike, which costs time and no more.
    """
    if value is None or isinstance(value, bool | str | bytes | int):
        return type(value), value
    if isinstance(value, float):
        return type(value), repr(value)  # -0.0 is not 0.0, and nan is nan
    if isinstance(value, list | tuple):
        return (type(value), *map(key_of, value))
    if isinstance(value, BaseEstimator):  # what clone keeps: parameters, set_output, requests
        return type(value), key_of(vars(value))
    if type(value) is dict:
        return dict, tuple((key_of(name), key_of(inner)) for name, inner in value.items())
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        data = np.ascontiguousarray(value).view(np.uint8)
        return np.ndarray, str(value.dtype), value.shape, value.strides, _digest(data)
    if isinstance(value, np.generic) and isinstance(value, numbers.Number):
        return type(value), str(value.dtype), repr(value)
    return _key_of_object(value)


def _digest(data: Any) -> bytes:
    return hashlib.blake2b(data, digest_size=20).digest()


def _key_of_object(value: Any) -> Any:
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        return Same(value)  # a function or class is itself in all clones
    try:
        return type(value), joblib.hash(value, hash_name="sha1")
    except Exception:  # whatever its __reduce__ raises: it is like no other
        return Same(value)


class Same:
    """A key that only the same object has, and that keeps it alive."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._value is other._value

    def __hash__(self) -> int:
        return id(self._value)


def size_mb(value: Any, depth: int = 3) -> float:
    """About how much memory a fitted transformer or its output takes."""
    if value is None or isinstance(value, bool | int | float | str | bytes | type):
        return 0.0
    found = getattr(value, "nbytes", None)
    if isinstance(found, numbers.Integral):
        return float(found) / 1e6
    if hasattr(value, "memory_usage"):  # pandas
        return float(np.sum(value.memory_usage(deep=False))) / 1e6
    if depth == 0:
        return 0.0
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _size_of_container_mb(value, depth)
    inner = getattr(value, "__dict__", {})
    return math.fsum(size_mb(part, depth - 1) for part in inner.values())


_ENTRY_MB = 150e-6  # of a dict: its share of the table, a short string and a number
_LOOKED_AT = 100  # of a container's entries: the others are taken to be like them


def _size_of_container_mb(value: Any, depth: int) -> float:
    parts = value.values() if isinstance(value, dict) else value
    seen = [size_mb(part, depth - 1) for _, part in zip(range(_LOOKED_AT), parts, strict=False)]
    return len(value) * (_ENTRY_MB + math.fsum(seen) / max(len(seen), 1))
