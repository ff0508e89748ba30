"""scikit-learn's histogram gradient boosting: its own stopping, or before 1.7 a look back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn import metrics

from skdistsearch.early_stopping._base import Family, FitData, is_a


def _matches(estimator: Any) -> bool:
    names = ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor")
    return is_a(estimator, "sklearn", *names)


def _fit_with_validation(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    if "X_val" not in inspect.signature(model.fit).parameters:  # scikit-learn < 1.7
        return _watched_from_outside(model, train, validation, patience)
    model.set_params(early_stopping=True, n_iter_no_change=patience)
    weights = validation.params.get("sample_weight")
    model.fit(
        train.X,
        train.y,
        X_val=validation.X,
        y_val=validation.y,
        sample_weight_val=weights,
        **train.params,
    )
    return max(1, int(np.argmax(model.validation_score_)))  # the first is that of no tree


def _watched_from_outside(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    """The same where scikit-learn takes no validation part: twice as many trees at each look."""
    loss, staged = _loss(model)
    weights = validation.params.get("sample_weight")
    trees, trees_max = 0, model.max_iter
    model.set_params(early_stopping=False, warm_start=True)
    while True:
        trees = min(trees_max, max(2 * trees, 2 * patience))
        model.set_params(max_iter=trees).fit(train.X, train.y, **train.params)
        losses = [loss(validation.y, p, sample_weight=weights) for p in staged(validation.X)]
        best, stopped = _best(losses, patience)
        if stopped or trees == trees_max:
            # As later versions have it, but for its scale: first no tree, higher is better
            seen = losses[: best + patience + 1]
            model.validation_score_ = np.array([np.nan, *np.negative(seen)])
            return best + 1


def _best(losses: list[float], patience: int) -> tuple[int, bool]:
    """Where the least loss is, and whether ``patience`` worse ones follow it."""
    best = 0
    for number, loss in enumerate(losses):
        if loss < losses[best]:
            best = number
        elif number - best >= patience:
            return best, True
    return best, False


def _loss(model: Any) -> tuple[Callable[..., float], Callable[[Any], Iterator[Any]]]:
    """The model's loss, up to what is the same for all numbers of trees, and what it is of."""
    if model.scoring != "loss":
        raise ValueError(
            f"EarlyStopping over {type(model).__name__}(scoring={model.scoring!r}) needs "
            "scikit-learn 1.7 or later; scoring='loss', the default, works here too."
        )
    if hasattr(model, "staged_predict_proba"):
        return _log_loss(model), model.staged_predict_proba
    of_loss: dict[str, Callable[..., float]] = {
        "squared_error": metrics.mean_squared_error,
        "absolute_error": metrics.mean_absolute_error,
        "gamma": metrics.mean_gamma_deviance,
        "poisson": metrics.mean_poisson_deviance,
        "quantile": partial(metrics.mean_pinball_loss, alpha=model.quantile),
    }
    return of_loss[model.loss], model.staged_predict


def _log_loss(model: Any) -> Callable[..., float]:
    """As scikit-learn's, which does not take a single class."""

    def log_loss(y: Any, probabilities: Any, sample_weight: Any) -> float:
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
