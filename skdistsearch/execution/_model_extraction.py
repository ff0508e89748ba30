"""Read numbers and predictions from a fitted model, in the process that fitted it."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context

from skdistsearch._batch import Batch, PreparedCall
from skdistsearch._outcome import Outcome
from skdistsearch._typing import ArrayLike
from skdistsearch.execution._split_data import slice_test_part
from skdistsearch.storage import MODEL, SKOPS_MODEL, dump_array, dump_model, dump_skops

Source: TypeAlias = str | Callable[[Any], Any]
"""Where a value comes from: an attribute path, or a function of the fitted model."""
Extractions: TypeAlias = Mapping[str, Source]
"""Values to extract from a fitted model, by name."""

MISSING_ATTRIBUTE = "AttributeError: "
"""Begins an extraction error if the model lacks an attribute, which other models may have."""

_NAMED_PARTS = ("named_steps", "named_transformers_", "named_transformers", "named_estimators_")
KeepModel: TypeAlias = bool | Literal["skops"]
"""Whether to keep the fitted model: as a pickle, or by skops."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class ModelExtractor:
    """Takes the fitted model out of scikit-learn's result, and reads from it what was asked for."""

    extract: Extractions
    """Numbers to extract."""
    methods: tuple[str, ...]
    """Methods whose predictions for the test part are kept."""
    keep_model: KeepModel  # not a new field: it is part of the key of a fit
    """True to keep the model itself as a pickle, "skops" to keep it without pickle."""

    def __call__(self, batch: Batch, outcome: Outcome, prepared: PreparedCall | None) -> Outcome:
        """Return the outcome without the model, with extracted values and artifacts."""
        if outcome.result is None:
            return outcome
        result = outcome.result.copy()
        model = result.pop("estimator", None)
        outcome = replace(outcome, result=result)
        if model is None or result.get("fit_error"):
            return outcome
        errors: dict[str, str] = {}
        with config_context(**batch.sklearn_config):
            extracted = self._extract_numbers(model, errors)
            artifacts = self._make_artifacts(model, _TestData(batch, outcome.fit, prepared), errors)
        return replace(outcome, extracted=extracted, extraction_errors=errors, artifacts=artifacts)

    def _extract_numbers(self, model: Any, errors: dict[str, str]) -> dict[str, float]:
        extracted = {
            name: _collect_error(errors, name, partial(extract_number, model, source))
            for name, source in self.extract.items()
        }
        return {name: math.nan if value is None else value for name, value in extracted.items()}

    def _make_artifacts(
        self, model: Any, data: _TestData, errors: dict[str, str]
    ) -> dict[str, bytes]:
        artifacts = {
            method: _collect_error(errors, method, partial(_predict_as_bytes, model, method, data))
            for method in self.methods
        }
        if self.keep_model == "skops":
            dump = partial(dump_skops, model)
            artifacts[SKOPS_MODEL] = _collect_error(errors, SKOPS_MODEL, dump)
        elif self.keep_model:
            artifacts[MODEL] = _collect_error(errors, MODEL, partial(dump_model, model))
        return {name: content for name, content in artifacts.items() if content is not None}


def _collect_error(errors: dict[str, str], name: str, read: Callable[[], _T]) -> _T | None:
    """Return the result of ``read``. If it raises, add the exception to ``errors``."""
    try:
        return read()
    except Exception as exc:  # raised by the user's code: the fit itself is valid
        is_missing = isinstance(exc, AttributeError)  # or of a subclass with another name
        prefix = MISSING_ATTRIBUTE if is_missing else f"{type(exc).__name__}: "
        errors[name] = f"{prefix}{exc}"
        return None


def extract_number(model: Any, source: Source) -> float:
    """Return a number read from a fitted model; NaN for None."""
    value = source(model) if callable(source) else _resolve_path(model, source)
    if value is None:
        return math.nan
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, numbers.Real | np.bool_):
        raise TypeError(f"the result is {value!r:.80} of type {type(value).__name__}, not a number")
    return float(value)


def _resolve_path(model: Any, path: str) -> Any:
    for name in split_path(path):
        model = _get_part(model, name)
    return model


def split_path(path: str) -> list[str]:
    """Return the names in an attribute path.

    >>> split_path("regressor___n_iter_")
    ['regressor_', 'n_iter_']
    """
    return re.split("__(?!_)", path)


def _get_part(model: Any, name: str) -> Any:
    """Return a named step or transformer of a composite model, or an attribute."""
    for attribute in _NAMED_PARTS:
        parts = getattr(model, attribute, None)
        if parts is not None and name in parts:
            return parts[name]
    return getattr(model, name)


class _TestData:
    """The test part of a fit."""

    def __init__(self, batch: Batch, fit: int, prepared: PreparedCall | None) -> None:
        self._batch, self._fit, self._prepared = batch, fit, prepared

    def slice_for(self, model: Any, *, shared: bool) -> ArrayLike:
        """Return X of the test part: the one that fits share, or one for this model only."""
        keywords, arguments = self._batch.keywords_of(self._fit), self._batch.arguments
        if shared and self._prepared is not None:
            keywords |= self._prepared.keywords
            arguments = self._prepared.arguments
        return slice_test_part(model, arguments, keywords)

    @property
    def is_read_only(self) -> bool:
        """True if the shared X may be read-only."""
        return self._prepared is not None

    @property
    def classes(self) -> list[NDArray[Any]]:
        """Classes in each output of the whole y. Empty without y."""
        y = self._batch.arguments[2]
        return [] if y is None else classes_per_output(y)


def classes_per_output(y: ArrayLike) -> list[NDArray[Any]]:
    """Return the sorted classes in each column of y."""
    y = np.asarray(y)
    return [np.unique(column) for column in (y[:, None] if y.ndim == 1 else y).T]


def _predict_as_bytes(model: Any, method: str, data: _TestData) -> bytes:
    """Return predictions for the test part, in numpy's file format."""
    predictions = _predict(model, method, data)
    if method != "predict":
        predictions = _align_classes(predictions, model, method, data.classes)
    if sparse.issparse(predictions):
        predictions = predictions.toarray()
    predictions = np.asarray(predictions)
    if predictions.dtype.hasobject:
        predictions = _without_objects(predictions)
    return dump_array(predictions)


def _predict(model: Any, method: str, data: _TestData) -> ArrayLike:
    predict = getattr(model, method)
    try:
        return predict(data.slice_for(model, shared=True))
    except Exception:
        if not data.is_read_only:
            raise
        return predict(data.slice_for(model, shared=False))  # the model may modify its input


def _without_objects(labels: NDArray[np.object_]) -> NDArray[Any]:
    """Return an array of labels of a type that numpy saves without pickle."""
    plain = np.array(labels.tolist())
    if plain.dtype.kind not in "biufU" or plain.tolist() != labels.tolist():
        raise TypeError(
            f"predictions of type {type(labels.flat[0]).__name__} cannot be stored; valid are "
            "numbers, booleans and strings"
        )
    return plain


def _align_classes(
    predictions: ArrayLike, model: Any, method: str, classes: list[NDArray[Any]]
) -> ArrayLike:
    """Return predictions with a column for each class; columns of several outputs side by side."""
    if isinstance(predictions, list):
        outputs = zip(predictions, model.classes_, classes, strict=True)
        return np.hstack([_add_missing_classes(*output, method) for output in outputs])
    if len(classes) == 1 and hasattr(model, "classes_"):
        return _add_missing_classes(predictions, model.classes_, classes[0], method)
    return predictions


def _add_missing_classes(
    predictions: NDArray[Any], seen: NDArray[Any], classes: NDArray[Any], method: str
) -> NDArray[Any]:
    """Add columns for classes that the training part lacks, as `cross_val_predict` does."""
    if len(seen) == len(classes):
        return predictions
    if np.ndim(predictions) != 2 or predictions.shape[1] != len(seen):
        raise ValueError(
            f"the training part has {len(seen)} of {len(classes)} classes, and the model's "
            f"{method} does not have a column for each of them. Use stratified splits, such as "
            "cv=StratifiedKFold(5)"
        )
    fill = np.finfo(predictions.dtype).min if method == "decision_function" else 0
    aligned = np.full((len(predictions), len(classes)), fill, dtype=predictions.dtype)
    aligned[:, np.searchsorted(classes, seen)] = predictions
    return aligned
