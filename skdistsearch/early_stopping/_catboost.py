"""CatBoost: uses its overfitting detector with an ``eval_set``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skdistsearch.early_stopping._base import Family, FitData, choose_metric, is_a

_ITERATION_NAMES = ("iterations", "n_estimators", "num_boost_round", "num_trees")  # one at most
_COLUMN_NAMES = ("cat_features", "text_features", "embedding_features")
_DETECTOR_NAMES = ("od_pval", "od_type", "od_wait", "early_stopping_rounds")


def _matches(estimator: object) -> bool:
    return is_a(estimator, "catboost", "CatBoost") and not is_a(
        estimator, "catboost", "CatBoostRanker"
    )


def _fit_with_validation(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    from catboost import Pool

    params = {**model.get_params(), **train.params}
    pool = Pool(
        validation.X,
        validation.y,
        weight=validation.params.get("sample_weight"),
        baseline=validation.params.get("baseline"),
        **{name: params[name] for name in _COLUMN_NAMES if name in params},
    )
    model.fit(
        train.X,
        train.y,
        eval_set=pool,
        early_stopping_rounds=patience,
        use_best_model=True,
        **train.params,
    )
    return int(model.get_best_iteration()) + 1


def _set_iterations(model: Any, n: int) -> None:
    params = model.get_params()
    iterations = next((name for name in _ITERATION_NAMES if name in params), "iterations")
    off = {name: None for name in (*_DETECTOR_NAMES, "use_best_model") if name in params}
    model.set_params(**{iterations: n}, **off)


def _validation_history(model: Any, best: int) -> tuple[str, Sequence[float]]:
    return choose_metric(model.get_evals_result()["validation"], best)


FAMILY = Family(
    "CatBoost",
    _matches,
    _fit_with_validation,
    _set_iterations,
    validation_history=_validation_history,
)
