"""XGBoost: its ``early_stopping_rounds``, on its ``eval_set``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skdistsearch.early_stopping._base import Family, FitData, is_a, watched_series

_FOR_VALIDATION = {
    "sample_weight": "sample_weight_eval_set",
    "base_margin": "base_margin_eval_set",
}


def _matches(estimator: Any) -> bool:
    # A forest is fitted in one iteration; rankers need rows sorted by query.
    others = ("XGBRanker", "XGBRFClassifier", "XGBRFRegressor")
    return is_a(estimator, "xgboost", "XGBModel") and not is_a(estimator, "xgboost", *others)


def _fit_with_validation(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    model.set_params(early_stopping_rounds=patience)
    watched = {
        _FOR_VALIDATION[name]: [value]
        for name, value in validation.params.items()
        if name in _FOR_VALIDATION
    }
    params = {"verbose": False, **train.params}  # by default it prints each iteration's loss
    model.fit(train.X, train.y, eval_set=[(validation.X, validation.y)], **watched, **params)
    return int(model.best_iteration) + 1


def _set_iterations(model: Any, n: int) -> None:
    model.set_params(n_estimators=n, early_stopping_rounds=None)


def _validation_history(model: Any, best: int) -> tuple[str, Sequence[float]]:
    (series,) = model.evals_result().values()
    return watched_series(series, best)


FAMILY = Family(
    "XGBoost",
    _matches,
    _fit_with_validation,
    _set_iterations,
    validation_history=_validation_history,
)
