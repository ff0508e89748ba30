"""What is wanted of each fitted model, and how a worker gets it while it has the model."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from sklearn import config_context

from skdistsearch._batch import Batch, PreparedCall
from skdistsearch._outcome import Outcome
from skdistsearch.execution._split_data import test_part
from skdistsearch.storage import MODEL, array_bytes, model_bytes

Extractions: TypeAlias = Mapping[str, str | Callable[[Any], Any]]
"""Values to extract from a fitted model: an attribute path or a function of the model, by name."""

_NAMED = ("named_steps", "named_transformers_", "named_transformers", "named_estimators_")


@dataclass(frozen=True)
class ModelExtractor:
    """Notes what is wanted of the model of a fit, while it is there."""

    extract: Extractions
    """Numbers: by name an attribute path or a function of the model."""
    methods: tuple[str, ...]
    """Predictions for the test part, by these methods."""
    models: bool
    """Whether the model itself is kept."""

    def __call__(self, batch: Batch, outcome: Outcome, prepared: PreparedCall | None) -> Outcome:
        """The outcome, without the model in scikit-learn's record and with what is wanted."""
        if outcome.result is None:
            return outcome
        result = outcome.result.copy()
        model = result.pop("estimator", None)
        outcome = replace(outcome, result=result)
        if model is None or result.get("fit_error"):
            return outcome
        extraction_errors: dict[str, str] = {}
        with config_context(**batch.sklearn_config):
            extracted = {
                name: _tried(extraction_errors, name, partial(number, model, what))
                for name, what in self.extract.items()
            }
            data = _Data(batch, outcome.fit, prepared)
            files = {
                method: _tried(extraction_errors, method, partial(_predicted, model, method, data))
                for method in self.methods
            }
            if self.models:
                files[MODEL] = _tried(extraction_errors, MODEL, lambda: model_bytes(model))
        return replace(
            outcome,
            extracted={
                name: math.nan if note is None else note for name, note in extracted.items()
            },
            extraction_errors=extraction_errors,
            files={what: data for what, data in files.items() if data is not None},
        )


def _tried(extraction_errors: dict[str, str], name: str, get: Callable[[], Any]) -> Any:
    """What ``get`` gives; None, and a word in ``extraction_errors``, if it raises."""
    try:
        return get()
    except Exception as exc:  # of the user's code: the fit itself is none the worse
        extraction_errors[name] = f"{type(exc).__name__}: {exc}"
        if isinstance(exc, AttributeError):
            extraction_errors[name] = f"{MISSING_ATTRIBUTE}{exc}"
        return None


MISSING_ATTRIBUTE = "AttributeError: "
"""A trouble that begins with it is that a model has no such thing: others may have it."""


def number(model: Any, what: str | Callable[[Any], Any]) -> float:
    """A number that a fitted model tells; NaN for None."""
    value = what(model) if callable(what) else _attribute(model, what)
    if value is None:
        return math.nan
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, numbers.Real | np.bool_):
        raise TypeError(f"it gives {value!r:.80} of type {type(value).__name__}, not a number")
    return float(value)


def split_path(path: str) -> list[str]:
    """The names in an attribute path: ``"regressor___n_iter_"`` is ``regressor_``, ``n_iter_``."""
    return re.split("__(?!_)", path)


def _attribute(model: Any, path: str) -> Any:
    for name in split_path(path):
        model = _part(model, name)
    return model


def _part(model: Any, name: str) -> Any:
    """A named part of a pipeline or the like, or an attribute."""
    for group in _NAMED:
        named = getattr(model, group, None)
        if named is not None and name in named:
            return named[name]
    return getattr(model, name)


class _Data:
    """The test part of a fit, and what the labels are."""

    def __init__(self, batch: Batch, fit: int, prepared: PreparedCall | None) -> None:
        self._batch, self._fit, self._prepared = batch, fit, prepared

    def of(self, model: Any, *, shared: bool) -> Any:
        """X of the test part: what is shared with other fits, or a copy of the model's own."""
        keywords, arguments = self._batch.keywords_of(self._fit), self._batch.arguments
        if shared and self._prepared is not None:
            keywords |= self._prepared.keywords
            arguments = self._prepared.arguments
        return test_part(model, arguments, keywords)

    @property
    def is_shared(self) -> bool:
        """Whether nobody may write to it."""
        return self._prepared is not None

    @property
    def labels(self) -> list[Any]:
        """The classes that there are in all of y, for each of its columns."""
        y = self._batch.arguments[2]
        return [] if y is None else classes(y)


def classes(y: Any) -> list[Any]:
    """The labels in each column of y, sorted."""
    y = np.asarray(y)
    return [np.unique(column) for column in (y[:, None] if y.ndim == 1 else y).T]


def _predicted(model: Any, method: str, data: _Data) -> bytes:
    predict = getattr(model, method)
    try:
        found = predict(data.of(model, shared=True))
    except Exception:
        if not data.is_shared:
            raise
        found = predict(data.of(model, shared=False))  # it writes to what it gets
    if method != "predict":
        found = _in_columns(found, model, method, data.labels)
    if sparse.issparse(found):
        found = found.toarray()
    found = np.asarray(found)
    if found.dtype.hasobject:
        found = _without_objects(found)
    return array_bytes(found)


def _without_objects(values: Any) -> Any:
    """Labels as numpy saves them."""
    plain = np.array(values.tolist())
    if plain.dtype.kind not in "biufU" or plain.tolist() != values.tolist():
        raise TypeError(f"predictions of type {type(values.flat[0]).__name__} cannot be kept")
    return plain


def _in_columns(found: Any, model: Any, method: str, labels: list[Any]) -> Any:
    """A column for each label that there is, of several outputs side by side."""
    if isinstance(found, list):
        each = zip(found, model.classes_, labels, strict=True)
        return np.hstack([_for_all(*one, method) for one in each])
    if len(labels) == 1 and hasattr(model, "classes_"):
        return _for_all(found, model.classes_, labels[0], method)
    return found


def _for_all(found: Any, seen: Any, labels: Any, method: str) -> Any:
    """As `sklearn.model_selection.cross_val_predict` fills in labels that training lacked."""
    if len(seen) == len(labels):
        return found
    if np.ndim(found) != 2 or found.shape[1] != len(seen):
        raise ValueError(
            f"{method} of a model that was trained on {len(seen)} of {len(labels)} classes has "
            "no column for each class; splits that are stratified would have all"
        )
    fill = np.finfo(found.dtype).min if method == "decision_function" else 0
    whole = np.full((len(found), len(labels)), fill, dtype=found.dtype)
    whole[:, np.searchsorted(labels, seen)] = found
    return whole
