"""XGBoost: uses its ``early_stopping_rounds`` with an ``eval_set``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skdistsearch.early_stopping._base import Family, FitData, choose_metric, is_a

_EVAL_NAMES = {
    "sample_weight": "sample_weight_eval_set",
    "base_margin": "base_margin_eval_set",
}


def _matches(estimator: object) -> bool:
    # Forests are fitted in one iteration, and rankers need rows sorted by query.
    excluded = ("XGBRanker", "XGBRFClassifier", "XGBRFRegressor")
    return is_a(estimator, "xgboost", "XGBModel") and not is_a(estimator, "xgboost", *excluded)


def _fit_with_validation(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    model.set_params(early_stopping_rounds=patience)
    eval_params = {
        _EVAL_NAMES[name]: [value]
        for name, value in validation.params.items()
        if name in _EVAL_NAMES
    }
    params = {"verbose": False, **train.params}  # the default prints the loss of each iteration
    model.fit(train.X, train.y, eval_set=[(validation.X, validation.y)], **eval_params, **params)
    return int(model.best_iteration) + 1


def _set_iterations(model: Any, n: int) -> None:
    model.set_params(n_estimators=n, early_stopping_rounds=None)


def _validation_history(model: Any, best: int) -> tuple[str, Sequence[float]]:
    (series,) = model.evals_result().values()
    return choose_metric(series, best)


FAMILY = Family(
    "XGBoost",
    _matches,
    _fit_with_validation,
    _set_iterations,
    validation_history=_validation_history,
)
