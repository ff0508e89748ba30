"""Find the transformers within an estimator, and identify the work that each of them does.

A slot is the position of a transformer in an estimator. Its key covers everything that determines
the transformer's input: the steps before it in a Pipeline, and the columns that a ColumnTransformer
selects for it. If two candidates have slots with equal keys, both fit the transformer on the same
data, split by split, and transform the same data with it.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skdistsearch._typing import Parameters
from skdistsearch.execution._value_key import key_of
from skdistsearch.model_paths import PathFamily

_COPY_PARAMETERS = ("copy", "copy_X", "copy_x")  # if False, the estimator may modify its input
_PLACEHOLDERS = (None, "passthrough", "drop")
_ENTRY_MB = 150e-6  # entry of a dict: its share of the table, a short string and a number
_SAMPLED_ENTRIES = 100  # of a container: the others are assumed to be of the same size


@dataclass(frozen=True)
class TransformerSlot:
    """A transformer within an estimator, and its position."""

    transformer: Any
    """The transformer."""
    key: tuple[Hashable, Hashable]
    """Keys of the input and of the transformer. Equal for two slots if they do the same work."""
    columns: Hashable
    """Key of the columns that a ColumnTransformer selects for it. None in other estimators."""
    replace: Callable[[object], None]
    """Puts another object in the slot."""

    def base_key(self, family: PathFamily) -> Hashable:
        """Return a key of the work that does not depend on the parameter of a path family."""
        context, _ = self.key
        base = clone(self.transformer).set_params(**{family.parameter: family.base_value})
        return "base", context, key_of(base)


def iter_slots(estimator: Any, context: Hashable = ()) -> Iterator[TransformerSlot]:
    """Yield the transformers whose work can be shared, in the order in which data reaches them.

    Covers scikit-learn's own classes only, because a subclass may do anything with its steps.
    Leaves out a Pipeline with ``memory``, whose user has chosen another cache.

    Parameters
    ----------
    estimator : estimator
        A Pipeline, FeatureUnion or ColumnTransformer. Others have no slots.
    context : hashable, default=()
        Key of the estimator's input. Slots are comparable within the same context.
    """
    if type(estimator) is Pipeline and estimator.memory is None:
        yield from _pipeline_slots(estimator, context)
    elif type(estimator) is FeatureUnion and estimator.n_jobs in (None, 1):
        yield from _branch_slots(estimator.transformer_list, context)
    elif type(estimator) is ColumnTransformer and estimator.n_jobs in (None, 1):
        yield from _branch_slots(estimator.transformers, context)


def _pipeline_slots(pipeline: Pipeline, context: Hashable) -> Iterator[TransformerSlot]:
    for position, (name, step) in enumerate(pipeline.steps):
        if position == len(pipeline.steps) - 1:
            if type(step) is not ColumnTransformer:  # its parts need a stand-in around them
                yield from iter_slots(step, context)  # a Pipeline as the last step of another
        elif not _is_placeholder(step):
            key = (context, key_of(step))
            yield from iter_slots(step, context)
            yield TransformerSlot(step, key, None, _make_setter(pipeline.steps, position, name))
            context = key


def _branch_slots(branches: list[tuple[Any, ...]], context: Hashable) -> Iterator[TransformerSlot]:
    for position, (name, branch, *columns) in enumerate(branches):
        if _is_placeholder(branch):
            continue
        columns_key = ("columns", *map(key_of, columns)) if columns else None
        branch_context = (context, columns_key) if columns else context
        yield from iter_slots(branch, branch_context)
        replace = _make_setter(branches, position, name, *columns)
        yield TransformerSlot(branch, (branch_context, key_of(branch)), columns_key, replace)


def _is_placeholder(step: object) -> bool:
    return step is None or (isinstance(step, str) and step in _PLACEHOLDERS)


def _make_setter(
    steps: list[tuple[Any, ...]], position: int, name: str, *columns: object
) -> Callable[[object], None]:
    def replace(transformer: object) -> None:
        steps[position] = (name, transformer, *columns)

    return replace


def with_parameters(estimator: Any, parameters: Parameters) -> Any:
    """Return a clone of ``estimator`` with a candidate's parameters, set as scikit-learn does."""
    return clone(estimator).set_params(**clone(dict(parameters), safe=False))


def may_modify_input(estimator: Any) -> bool:
    """Return True if a parameter allows a part of the estimator to modify its input.

    scikit-learn's estimators silently copy an input that is read-only, which would hide it.
    """
    return any(
        value is False and name.rpartition("__")[2] in _COPY_PARAMETERS
        for name, value in estimator.get_params().items()
    )


def is_pairwise(estimator: Any, X: Any) -> bool:
    """Return True if X is a matrix of kernel values or distances: splits slice both axes."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) == 2 and shape[0] != shape[1]:
        return False
    if hasattr(estimator, "__sklearn_tags__"):
        return bool(estimator.__sklearn_tags__().input_tags.pairwise)
    return bool(estimator._get_tags()["pairwise"])  # scikit-learn < 1.6


def size_mb(value: Any, depth: int = 3) -> float:
    """Return the approximate size in memory of a fitted transformer or its output, in MB."""
    if value is None or isinstance(value, bool | int | float | str | bytes | type):
        return 0.0
    if getattr(type(value), "_checks_itself", False):
        return 0.0  # a stand-in: its transformer has a size of its own
    n_bytes = getattr(value, "nbytes", None)
    if isinstance(n_bytes, numbers.Integral):
        return float(n_bytes) / 1e6
    if hasattr(value, "memory_usage"):  # pandas
        return float(np.sum(value.memory_usage(deep=False))) / 1e6
    if depth == 0:
        return 0.0
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _container_size_mb(value, depth)
    attributes = getattr(value, "__dict__", {})
    return math.fsum(size_mb(part, depth - 1) for part in attributes.values())


def _container_size_mb(container: Collection[object], depth: int) -> float:
    entries = container.values() if isinstance(container, dict) else container
    sizes = [
        size_mb(entry, depth - 1)
        for _, entry in zip(range(_SAMPLED_ENTRIES), entries, strict=False)
    ]
    return len(container) * (_ENTRY_MB + math.fsum(sizes) / max(len(sizes), 1))
