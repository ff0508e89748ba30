"""Check what a user asks for with ``extract=`` and ``keep=``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from sklearn.base import is_classifier

from skdistsearch._batch import Batch
from skdistsearch.execution import (
    Extractions,
    KeepModel,
    ModelExtractor,
    split_path,
    with_parameters,
)

METHODS = ("predict", "predict_proba", "decision_function")
"""Methods whose predictions can be kept."""

_KEEPABLE = ("predictions", *METHODS, "estimators", "skops")
_MODEL_NAMES = {"estimators", "skops"}
_RESERVED_NAMES = {"fit_time", "score_time", "score", "index", "params", "estimator", *METHODS}
"""Names of columns of ``cv_results_``, or of ``best_<name>_``, that a search has already."""
_INVALID_KEEP = (
    f"keep={{0!r}} is not valid. Use one of {', '.join(map(repr, _KEEPABLE))}, or a tuple of them."
)


@dataclass(frozen=True)
class OutputOptions:
    """Outputs of fitted models that a user asks for, checked."""

    extract: Extractions
    """Values to extract, by name."""
    keep: tuple[str, ...]
    """Predictions and models to keep."""

    @classmethod
    def from_params(cls, extract: object, keep: object, *, subsamples: bool) -> OutputOptions:
        """Check the parameters of a search; raise one error that names every mistake.

        Parameters
        ----------
        extract, keep
            The parameters of a search.
        subsamples : bool
            True for a search whose rounds use a part of the rows.
        """
        names = _as_names(keep)
        type_errors = [
            *_type_errors(extract),
            *([] if names is not None else [_invalid_keep(keep)]),
        ]
        if type_errors:
            raise TypeError("\n".join(type_errors))
        values: Extractions = dict(extract or {})  # type: ignore[call-overload]
        errors = [*_name_errors(values)]
        errors += [_invalid_keep(name) for name in names or () if name not in _KEEPABLE]
        if subsamples and set(names or ()) - _MODEL_NAMES:
            errors.append(
                f"keep={keep!r}: each round of a halving search predicts for a part of the rows "
                "only. Use 'estimators' or 'skops'."
            )
        if set(names or ()) >= _MODEL_NAMES:
            errors.append(f"keep={keep!r}: keep models as pickles or by skops, not both.")
        if errors:
            raise ValueError("\n".join(errors))
        if "skops" in (names or ()) and find_spec("skops") is None:
            raise ImportError('keep="skops" needs skops: pip install "skdistsearch[skops]"')
        return cls(values, names or ())

    def __bool__(self) -> bool:
        return bool(self.extract or self.keep)

    def make_extractor(self, batch: Batch) -> ModelExtractor:
        """Return the extractor for a batch: its estimator decides what "predictions" means."""
        default = "predict_proba" if is_classifying(batch) else "predict"
        names = [default if name == "predictions" else name for name in self.keep]
        methods = tuple(method for method in METHODS if method in names)
        keep_model: KeepModel = "skops" if "skops" in self.keep else "estimators" in self.keep
        return ModelExtractor(self.extract, methods, keep_model)


def is_classifying(batch: Batch) -> bool:
    """Return True if the first candidate, and so all of them, is a classifier."""
    estimator = batch.arguments[0]
    try:
        return bool(is_classifier(with_parameters(estimator, batch.fits[0].parameters)))
    except Exception:  # invalid parameters: the fit reports the error
        return bool(is_classifier(estimator))


def _invalid_keep(keep: object) -> str:
    return _INVALID_KEEP.format(keep)


def _as_names(keep: object) -> tuple[str, ...] | None:
    """Return ``keep`` as a tuple of strings; None if it has another type."""
    if isinstance(keep, str):
        return (keep,)
    is_listed = isinstance(keep, Sequence | set | frozenset)
    if is_listed and all(isinstance(name, str) for name in keep):  # type: ignore[attr-defined]
        return tuple(keep)  # type: ignore[arg-type]
    return None


def _type_errors(extract: object) -> Iterator[str]:
    if extract is None:
        return
    if not isinstance(extract, Mapping):
        yield (
            f"extract={extract!r} must be None or a dict of names to attribute paths or functions, "
            'such as {"n_iter": "model__best_iteration_"}.'
        )
        return
    for name, source in extract.items():
        if not isinstance(name, str):
            yield f"extract: the name {name!r} must be a string."
        if not (isinstance(source, str) or callable(source)):
            yield (
                f"extract[{name!r}]={source!r} must be an attribute path (a string) or a function "
                "of the fitted estimator."
            )


def _name_errors(extract: Extractions) -> Iterator[str]:
    for name, source in extract.items():
        if not name.isidentifier():
            yield f"extract: the name {name!r} must be an identifier, such as 'n_iter'."
        if name in _RESERVED_NAMES or name.startswith(("test_", "train_")):
            yield f"extract: the name {name!r} is reserved for the search itself; use another one."
        if name.startswith("error_") and name.removeprefix("error_") in extract:
            yield f"extract: two names would have the column 'std_{name}'; rename one of them."
        if isinstance(source, str) and not all(map(str.isidentifier, split_path(source))):
            yield (
                f"extract[{name!r}]={source!r} is not an attribute path: names joined by '__', "
                "such as 'model__best_iteration_'."
            )
