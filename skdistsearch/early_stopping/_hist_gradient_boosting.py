"""scikit-learn's histogram gradient boosting: uses its early stopping, or before 1.7 our own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from skdistsearch._typing import ArrayLike
from skdistsearch.early_stopping._base import Family, FitData, is_a

Predictions: TypeAlias = NDArray[np.float64]
"""Predictions after one iteration: targets, or probabilities of classes."""


def _matches(estimator: object) -> bool:
    names = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
    return is_a(estimator, "sklearn", *names)


def _fit_with_validation(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    if "X_val" not in inspect.signature(model.fit).parameters:  # scikit-learn < 1.7
        return _fit_and_look_back(model, train, validation, patience)
    model.set_params(early_stopping=True, n_iter_no_change=patience)
    model.fit(
        train.X,
        train.y,
        X_val=validation.X,
        y_val=validation.y,
        sample_weight_val=validation.params.get("sample_weight"),
        **train.params,
    )
    # The first score is that of the model without trees.
    return max(1, int(np.argmax(model.validation_score_)))


def _fit_and_look_back(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    """Fit without validation data, and score all iterations so far after each doubling of trees."""
    loss, staged_predict = _loss_function(model)
    weights = validation.params.get("sample_weight")
    n_trees, max_trees = 0, model.max_iter
    model.set_params(early_stopping=False, warm_start=True)
    while True:
        n_trees = min(max_trees, max(2 * n_trees, 2 * patience))
        model.set_params(max_iter=n_trees).fit(train.X, train.y, **train.params)
        predictions = staged_predict(validation.X)
        losses = [loss(validation.y, p, sample_weight=weights) for p in predictions]
        best, stopped = _best_iteration(losses, patience)
        if stopped or n_trees == max_trees:
            # Like later versions but for the scale: no trees come first, and higher is better.
            recorded = losses[: best + patience + 1]
            model.validation_score_ = np.array([np.nan, *np.negative(recorded)])
            return best + 1


def _best_iteration(losses: Sequence[float], patience: int) -> tuple[int, bool]:
    """Return the index of the smallest loss, and True if ``patience`` larger ones follow it."""
    best = 0
    for number, loss in enumerate(losses):
        if loss < losses[best]:
            best = number
        elif number - best >= patience:
            return best, True
    return best, False


def _loss_function(
    model: Any,
) -> tuple[Callable[..., float], Callable[[ArrayLike], Iterator[Predictions]]]:
    """Return the model's loss, up to a constant, and the method that predicts what it scores."""
    if model.scoring != "loss":
        raise ValueError(
            f"EarlyStopping over {type(model).__name__}(scoring={model.scoring!r}) needs "
            "scikit-learn 1.7 or later. With this version use scoring='loss', the default."
        )
    if hasattr(model, "staged_predict_proba"):
        return _log_loss(model), model.staged_predict_proba
    functions: dict[str, Callable[..., float]] = {
        "squared_error": metrics.mean_squared_error,
        "absolute_error": metrics.mean_absolute_error,
        "gamma": metrics.mean_gamma_deviance,
        "poisson": metrics.mean_poisson_deviance,
        "quantile": partial(metrics.mean_pinball_loss, alpha=model.quantile),
    }
    return functions[model.loss], model.staged_predict


def _log_loss(model: Any) -> Callable[..., float]:
    """Return scikit-learn's ``log_loss``, which on its own rejects a single class."""

    def log_loss(
        y: ArrayLike, probabilities: Predictions, sample_weight: ArrayLike | None
    ) -> float:
        columns = np.searchsorted(model.classes_, np.ravel(y))
        likelihoods = probabilities[np.arange(len(columns)), columns]
        logarithms = np.log(np.maximum(likelihoods, np.finfo(probabilities.dtype).eps))
        return -float(np.average(logarithms, weights=sample_weight))

    return log_loss


def _set_iterations(model: Any, n: int) -> None:
    model.set_params(max_iter=n, early_stopping=False)


def _validation_history(model: Any, best: int) -> tuple[str, Sequence[float]]:
    scores = model.validation_score_[1:]
    if model.scoring == "loss":
        return model.loss, np.negative(scores)
    return model.scoring if isinstance(model.scoring, str) else "score", scores


FAMILY = Family(
    "HistGradientBoosting",
    _matches,
    _fit_with_validation,
    _set_iterations,
    restores_best=False,
    validation_history=_validation_history,
)
