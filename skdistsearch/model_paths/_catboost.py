"""CatBoost: the first trees of a model are the model with fewer trees.

Without a learning rate CatBoost derives one from the number of trees: such models are no path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skdistsearch.model_paths._base import PathFamily, is_exactly

_HARMLESS_PARAMETERS = {
    "allow_writing_files",
    "bagging_temperature",
    "border_count",
    "bootstrap_type",
    "class_weights",
    "colsample_bylevel",
    "depth",
    "grow_policy",
    "iterations",
    "l2_leaf_reg",
    "learning_rate",
    "logging_level",
    "loss_function",
    "max_depth",
    "min_data_in_leaf",
    "n_estimators",
    "random_seed",
    "random_state",
    "random_strength",
    "reg_lambda",
    "rsm",
    "silent",
    "subsample",
    "thread_count",
    "verbose",
}


def _matches(model: object) -> bool:
    return is_exactly(model, "catboost", "CatBoostClassifier", "CatBoostRegressor")


def _make_prefix(parameter: str) -> Callable[[Any, int], Any]:
    def prefix(model: Any, n: int) -> Any:
        if model.tree_count_ < n:  # it stopped by itself
            return None
        shorter = model.copy()
        shorter.shrink(ntree_end=n)
        shorter._init_params = model._init_params | {parameter: n}  # set_params refuses
        return shorter

    return prefix


def _can_share(model: Any, n_samples: int) -> bool:
    # without a seed, CatBoost draws the same numbers in each fit
    params = model.get_params()
    return params.get("learning_rate") is not None and set(params) <= _HARMLESS_PARAMETERS


def _family(parameter: str) -> PathFamily:
    return PathFamily(
        f"CatBoost ({parameter})",
        _matches,
        parameter,
        _make_prefix(parameter),
        can_share=_can_share,
        differs_in=("feature_importances_", "evals_result_", "get_all_params"),
    )


FAMILIES = (_family("iterations"), _family("n_estimators"))
