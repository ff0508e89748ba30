"""checks extract= and keep=."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import is_classifier

from skdistsearch._batch import Batch
from skdistsearch.execution import ModelExtractor, Noted, split_path, with_parameters

METHODS = ("predict", "predict_proba", "decision_function")
_KEPT = ("predictions", *METHODS, "estimators")
_TAKEN = {"fit_time", "score_time", "score", "index", "params", "estimator", *METHODS}
"""Names whose columns, or whose ``best_..._``, a search has already, or that it needs itself."""


@dataclass(frozen=True)
class OutputOptions:
    """What a user wants to know of the fitted models, checked."""

    extract: Noted
    keep: tuple[str, ...]

    @classmethod
    def of(cls, extract: Any, keep: Any, *, subsamples: bool) -> OutputOptions:
        """What ``extract=`` and ``keep=`` ask for; an error that names every mistake in them."""
        kept = (keep,) if isinstance(keep, str) else tuple(keep) if _is_listed(keep) else None
        wrong_types = [*_wrong_types(extract), *([] if kept is not None else [_KEEP.format(keep)])]
        if wrong_types:
            raise TypeError("\n".join(wrong_types))
        wrong = [*_wrong_names(extract or {})]
        wrong += [_KEEP.format(one) for one in kept or () if one not in _KEPT]
        if subsamples and set(kept or ()) - {"estimators"}:
            wrong.append(
                f"keep={keep!r}: the rounds of a halving search predict for a part of the rows "
                "only. Valid there: 'estimators'."
            )
        if wrong:
            raise ValueError("\n".join(wrong))
        return cls(dict(extract or {}), kept or ())

    def __bool__(self) -> bool:
        return bool(self.extract or self.keep)

    def of_batch(self, batch: Batch) -> ModelExtractor:
        """The same for a batch: it depends on the estimator what predictions are."""
        usual = "predict_proba" if _classifies(batch) else "predict"
        asked = [usual if one == "predictions" else one for one in self.keep]
        methods = tuple(method for method in METHODS if method in asked)
        return ModelExtractor(self.extract, methods, "estimators" in self.keep)


_KEEP = (
    "keep={0!r} is nothing that can be kept. Valid: a string or a tuple out of "
    f"{', '.join(map(repr, _KEPT))}."
)


def _is_listed(value: Any) -> bool:
    return isinstance(value, Sequence | set | frozenset) and all(
        isinstance(one, str) for one in value
    )


def _wrong_types(extract: Any) -> Iterator[str]:
    if extract is None:
        return
    if not isinstance(extract, Mapping):
        yield (
            f"extract={extract!r} must be None or a dict of names to attribute paths or functions, "
            'such as {"n_iter": "model__best_iteration_"}.'
        )
        return
    for name, what in extract.items():
        if not isinstance(name, str):
            yield f"extract: the name {name!r} must be a string."
        if not (isinstance(what, str) or callable(what)):
            yield (
                f"extract[{name!r}]={what!r} must be an attribute path (a string) or a function of "
                "the fitted estimator."
            )


def _wrong_names(extract: Noted) -> Iterator[str]:
    for name, what in extract.items():
        if not name.isidentifier():
            yield f"extract: the name {name!r} must be an identifier, such as 'n_iter'."
        if name in _TAKEN or name.startswith(("test_", "train_")):
            yield f"extract: the name {name!r} is taken by the search itself; give it another."
        if name.removeprefix("error_") != name and name.removeprefix("error_") in extract:
            yield f"extract: 'std_{name}' would be a column of two of its names; give it another."
        if isinstance(what, str) and not all(level.isidentifier() for level in split_path(what)):
            yield (
                f"extract[{name!r}]={what!r} is no attribute path: names with '__' between them, "
                "such as 'model__best_iteration_'."
            )


def _classifies(batch: Batch) -> bool:
    """Whether the candidates are classifiers: as the first of them is."""
    try:
        return bool(is_classifier(with_parameters(batch.arguments[0], batch.fits[0].parameters)))
    except Exception:  # a candidate that cannot be set: its fit says so
        return bool(is_classifier(batch.arguments[0]))
