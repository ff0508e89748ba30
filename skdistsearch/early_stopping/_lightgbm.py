"""LightGBM: uses its callback ``early_stopping`` with an ``eval_set``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from skdistsearch.early_stopping._base import Family, FitData, choose_metric, is_a

# LightGBM ignores n_estimators if one of its aliases is set.
_ITERATION_NAMES = (
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "nrounds",
    "num_boost_round",
    "max_iter",
)
_PATIENCE_NAMES = (
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping",
    "n_iter_no_change",
)
_BOOSTING_NAMES = ("boosting_type", "boosting", "boost")
_EVAL_NAMES = {"sample_weight": "eval_sample_weight", "init_score": "eval_init_score"}


def _matches(estimator: object) -> bool:
    return is_a(estimator, "lightgbm", "LGBMModel") and not is_a(
        estimator, "lightgbm", "LGBMRanker"
    )


def _fit_with_validation(model: Any, train: FitData, validation: FitData, patience: int) -> int:
    from lightgbm import early_stopping

    settings = model.get_params()
    _refuse_dart(settings)
    _switch_off_early_stopping(model)  # its own patience would stop it too
    stop = early_stopping(
        patience,
        first_metric_only=bool(settings.get("first_metric_only", False)),
        min_delta=settings.get("early_stopping_min_delta") or 0.0,
        verbose=False,
    )
    params = dict(train.params)
    callbacks = [*(params.pop("callbacks", None) or []), stop]
    eval_params = {
        _EVAL_NAMES[name]: [value]
        for name, value in validation.params.items()
        if name in _EVAL_NAMES
    }
    X = np.asarray(validation.X) if isinstance(validation.X, list) else validation.X
    with warnings.catch_warnings():
        # LightGBM 4.7 prefers eval_X and eval_y, but does not encode the labels in eval_y.
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        model.fit(
            train.X,
            train.y,
            eval_set=[(X, validation.y)],
            callbacks=callbacks,
            **eval_params,
            **params,
        )
    return max(1, int(model.best_iteration_))


def _refuse_dart(settings: dict[str, Any]) -> None:
    for name in _BOOSTING_NAMES:
        if settings.get(name) == "dart":
            raise ValueError(f"LightGBM has no early stopping for {name}='dart'.")


def _switch_off_early_stopping(model: Any) -> None:
    params = model.get_params()
    model.set_params(**{name: None for name in _PATIENCE_NAMES if name in params})


def _set_iterations(model: Any, n: int) -> None:
    params = model.get_params()
    iterations = [name for name in _ITERATION_NAMES if name in params] or ["n_estimators"]
    model.set_params(**dict.fromkeys(iterations, n))
    _switch_off_early_stopping(model)


def _validation_history(model: Any, best: int) -> tuple[str, Sequence[float]]:
    (series,) = model.evals_result_.values()
    return choose_metric(series, best)


FAMILY = Family(
    "LightGBM",
    _matches,
    _fit_with_validation,
    _set_iterations,
    validation_history=_validation_history,
)
