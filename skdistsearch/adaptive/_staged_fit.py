"""Fits in stages: load a paused model, train it for the rest of the resource, and pause it again.

The trick: scikit-learn's function gets an estimator whose ``fit`` is replaced, for one call, by the
training of the rest; of a pipeline, that of its last step. So it scores, measures and handles
errors as for any fit. A model that is not there, because its process died or the search was
interrupted, is trained from the start.

Nothing simpler works: scikit-learn's function always calls ``fit``, and a copy of it would break
with its next release. An estimator without ``__dict__``, or a ``fit`` that is looked up on the
class, would break it. ``tests/adaptive/test_search_hyperband.py`` watches it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
from sklearn.base import clone

from skdistsearch._batch import FitFunction
from skdistsearch._typing import ArrayLike, FitResult, Parameters
from skdistsearch.adaptive._continuation import (
    PASSES,
    Continuation,
    find_continuation,
    find_model,
)
from skdistsearch.execution import with_parameters


@dataclass(frozen=True)
class Stages:
    """Training of the model of one fit."""

    amounts: tuple[int, ...]
    """Amounts of the resource at which the model is or was paused, and at last that of the fit."""
    goes_on: bool
    """True if the model goes on from a paused one."""
    is_exact: bool
    """True if it makes no difference at which amounts the model was paused."""
    paused: str = ""
    """Path of the model's files, without the amount; empty if paused models are not kept."""
    pauses: bool = False
    """Whether to keep the model after this fit."""


@dataclass(frozen=True)
class StagedFit:
    """Stands for scikit-learn's function; see `FitFunction`."""

    function: FitFunction
    """scikit-learn's function."""
    resource: str
    """The resource."""
    n_rows: int
    """Number of rows of all splits."""

    def __call__(
        self,
        estimator: Any,
        X: ArrayLike,
        y: ArrayLike,
        *,
        parameters: Parameters,
        stages: Stages,
        trained_by: object = None,
        return_estimator: bool = False,
        **keywords: Any,
    ) -> FitResult:
        """Run a fit. ``trained_by`` is for the key of the fit alone."""
        model, had = _load(stages)
        if model is None:
            model = with_parameters(estimator, parameters)
        continuation = find_continuation(model, self.resource, self.n_rows)
        if continuation is not None and (stages.goes_on or self.resource == PASSES):
            left = [amount for amount in stages.amounts if amount > had]
            steps = left[-1:] if stages.is_exact else left
            replace_fit(model, self.resource, continuation, had, steps, y)
        result = self.function(model, X, y, parameters=None, return_estimator=True, **keywords)
        fitted: Any = result["estimator"]
        if stages.paused and result["fit_error"] is None:
            if stages.pauses:
                _dump(fitted, f"{stages.paused}-{stages.amounts[-1]}")
            if had:
                Path(f"{stages.paused}-{had}").unlink(missing_ok=True)
        if not return_estimator:
            del result["estimator"]
        return result


def _load(stages: Stages) -> tuple[Any, int]:
    """Return the paused model of the latest stage, and the amount that it has had."""
    for amount in reversed(stages.amounts[:-1] if stages.paused else ()):
        try:
            with open(f"{stages.paused}-{amount}", "rb") as file:
                return pickle.load(file), amount
        except FileNotFoundError:
            continue
    return None, 0


def _dump(model: Any, path: str) -> None:
    """Write a model; a fit that is tried again may find a file that is complete, or none."""
    with open(f"{path}.{os.getpid()}", "wb") as file:
        file.write(cloudpickle.dumps(model))
    os.replace(file.name, path)


def replace_fit(
    estimator: Any,
    resource: str,
    continuation: Continuation,
    had: int,
    steps: Sequence[int],
    all_y: ArrayLike,
) -> None:
    """Make the next ``fit`` of the model within an estimator train it in steps."""
    model = find_model(estimator, resource)

    def fit(X: ArrayLike, y: ArrayLike = None, **params: Any) -> Any:
        del vars(model)["fit"]
        reached = had
        for amount in steps:
            continuation.train(model, reached, amount, X, y, all_y, params)
            reached = amount
        return model

    vars(model)["fit"] = fit


class PassesRefit:
    """``fit`` of a clone: passes of ``partial_fit``. See `refit_by_passes`."""

    def __init__(self, estimator: Any, n_passes: int) -> None:
        self._estimator, self._n_passes = estimator, n_passes

    def __call__(self, X: ArrayLike, y: ArrayLike = None, **params: Any) -> Any:
        """Train the estimator, which becomes an ordinary one."""
        estimator = self._estimator
        for name in ("fit", "__sklearn_clone__"):
            vars(estimator).pop(name, None)
        continuation = find_continuation(estimator, PASSES, 0)
        assert continuation is not None
        replace_fit(estimator, PASSES, continuation, 0, [self._n_passes], y)
        return estimator.fit(X, y, **params)


def refit_by_passes(estimator: Any, n_passes: int) -> Any:
    """Return a clone whose own clones are fitted by passes of ``partial_fit``, once.

    scikit-learn clones the search's estimator for the refit and calls ``fit``, which would train
    with the stopping rule of ``fit`` instead. An instance may say how it is cloned
    (``__sklearn_clone__``), and a clone so made has its own ``fit`` for one call.
    """
    marked = clone(estimator)
    marked.fit = PassesRefit(marked, n_passes)
    marked.__sklearn_clone__ = lambda: refit_by_passes(without_refit(marked), n_passes)
    return marked


def without_refit(estimator: Any) -> Any:
    """Return a clone of an estimator that is not, or no longer, what `refit_by_passes` made."""
    names = ("fit", "__sklearn_clone__")
    hidden = {name: vars(estimator).pop(name) for name in names if name in vars(estimator)}
    try:
        return clone(estimator)
    finally:
        vars(estimator).update(hidden)
