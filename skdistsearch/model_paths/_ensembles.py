"""Ensembles of scikit-learn: a model with fewer estimators is the beginning of a longer one.

The seeds of the estimators are drawn one after the other, so that the first ones do not depend on
the number of those that follow.
"""

from __future__ import annotations

from typing import Any

from skdistsearch.model_paths._base import PathFamily, has_seed, is_exactly, shortened

_HIST_UNSEEDED_MAX = 10_000  # rows; with more, early_stopping="auto" holds out random rows


def _is_hist(model: Any) -> bool:
    names = "HistGradientBoostingClassifier", "HistGradientBoostingRegressor"
    return is_exactly(model, "sklearn", *names)


def _is_hist_with_random_features(model: Any) -> bool:
    return _is_hist(model) and getattr(model, "max_features", 1.0) != 1.0


def _hist_prefix(model: Any, n: int) -> Any:
    shorter = shortened(model, "max_iter", n, "_predictors")
    for name in ("train_score_", "validation_score_"):  # the first score is that of no tree
        setattr(shorter, name, getattr(model, name)[: n + 1])
    return shorter


def _can_share_hist(model: Any, n_samples: int) -> bool:
    if model.warm_start:
        return False
    early_stopping = model.early_stopping
    is_random = early_stopping is True or getattr(model, "max_features", 1.0) != 1.0
    is_small = early_stopping is False or n_samples <= _HIST_UNSEEDED_MAX
    return has_seed(model) or (not is_random and is_small and n_samples <= 200_000)


def _is_gradient_boosting(model: object) -> bool:
    names = "GradientBoostingClassifier", "GradientBoostingRegressor"
    return is_exactly(model, "sklearn", *names)


def _gradient_boosting_prefix(model: Any, n: int) -> Any:
    attributes = "estimators_", "train_score_", "oob_improvement_", "oob_scores_"
    shorter = shortened(model, "n_estimators", n, *attributes)
    shorter.n_estimators_ = min(n, model.n_estimators_)
    if hasattr(shorter, "oob_scores_"):
        shorter.oob_score_ = shorter.oob_scores_[-1]
    return shorter


def _can_share_gradient_boosting(model: Any, n_samples: int) -> bool:
    return has_seed(model) and not model.warm_start and model.init in (None, "zero")


def _is_forest(model: object) -> bool:
    trees = "RandomForest", "ExtraTrees"
    names = [tree + kind for tree in trees for kind in ("Classifier", "Regressor")]
    return is_exactly(model, "sklearn", *names)


def _forest_prefix(model: Any, n: int) -> Any:
    return shortened(model, "n_estimators", n, "estimators_")


def _can_share_forest(model: Any, n_samples: int) -> bool:
    return has_seed(model) and not model.warm_start and not model.oob_score


def _is_bagging(model: object) -> bool:
    return is_exactly(model, "sklearn", "BaggingClassifier", "BaggingRegressor")


def _bagging_prefix(model: Any, n: int) -> Any:
    attributes = "estimators_", "estimators_features_", "_seeds", "_estimators_samples"
    return shortened(model, "n_estimators", n, *attributes)


def _can_share_bagging(model: Any, n_samples: int) -> bool:
    return _can_share_forest(model, n_samples) and _has_known_estimator(model)


def _is_ada_boost(model: object) -> bool:
    return is_exactly(model, "sklearn", "AdaBoostClassifier", "AdaBoostRegressor")


def _ada_boost_prefix(model: Any, n: int) -> Any:
    attributes = "estimators_", "estimator_weights_", "estimator_errors_"
    return shortened(model, "n_estimators", n, *attributes)


def _can_share_ada_boost(model: Any, n_samples: int) -> bool:
    return has_seed(model) and _has_known_estimator(model)


def _has_known_estimator(model: Any) -> bool:
    """Return True if all randomness of the inner estimator comes from the ensemble's seed."""
    estimator = model.estimator
    return estimator is None or type(estimator).__module__.partition(".")[0] == "sklearn"


FAMILIES = (
    PathFamily(
        "HistGradientBoosting with max_features",
        _is_hist_with_random_features,
        "max_iter",
        _hist_prefix,
        can_share=_can_share_hist,
        differs_in=("_feature_subsample_rng",),  # its state at the end of the fit
    ),
    PathFamily(
        "HistGradientBoosting", _is_hist, "max_iter", _hist_prefix, can_share=_can_share_hist
    ),
    PathFamily(
        "GradientBoosting",
        _is_gradient_boosting,
        "n_estimators",
        _gradient_boosting_prefix,
        can_share=_can_share_gradient_boosting,
        differs_in=("_rng", "estimators_[...].random_state"),  # its state at the end of the fit
    ),
    PathFamily("forest", _is_forest, "n_estimators", _forest_prefix, can_share=_can_share_forest),
    PathFamily(
        "Bagging", _is_bagging, "n_estimators", _bagging_prefix, can_share=_can_share_bagging
    ),
    PathFamily(
        "AdaBoost",
        _is_ada_boost,
        "n_estimators",
        _ada_boost_prefix,
        can_share=_can_share_ada_boost,
    ),
)
