"""LightGBM: the first trees of a booster are the booster with fewer trees."""

from __future__ import annotations

import copy
from typing import Any

from skdistsearch.model_paths._base import PathFamily, is_exactly

_NAMES_OF_ITERATIONS = ("n_estimators", "num_iterations")  # in the parameters of a booster
_BOOSTING_TYPES = ("gbdt", "gbrt", "rf", "random_forest", "goss")  # "dart" changes earlier trees
# Parameters outside the signature that neither say how many trees there are nor when to stop
_HARMLESS_PARAMETERS = {
    "bagging_fraction",
    "bagging_freq",
    "bagging_seed",
    "cat_l2",
    "cat_smooth",
    "data_sample_strategy",
    "deterministic",
    "extra_seed",
    "extra_trees",
    "feature_fraction",
    "feature_fraction_bynode",
    "feature_fraction_seed",
    "force_col_wise",
    "force_row_wise",
    "is_unbalance",
    "lambda_l1",
    "lambda_l2",
    "linear_tree",
    "max_bin",
    "max_cat_threshold",
    "max_cat_to_onehot",
    "max_delta_step",
    "metric",
    "min_data_in_bin",
    "min_data_in_leaf",
    "min_gain_to_split",
    "min_sum_hessian_in_leaf",
    "monotone_constraints",
    "monotone_constraints_method",
    "num_class",
    "num_leaves",
    "num_threads",
    "other_rate",
    "path_smooth",
    "pos_bagging_fraction",
    "neg_bagging_fraction",
    "scale_pos_weight",
    "seed",
    "top_rate",
    "verbose",
    "verbosity",
}


def _matches(model: object) -> bool:
    return is_exactly(model, "lightgbm", "LGBMClassifier", "LGBMRegressor")


def _prefix(model: Any, n: int) -> Any:
    shorter = copy.copy(model)
    shorter._other_params = dict(model._other_params)  # where set_params writes too
    shorter.set_params(n_estimators=n)
    shorter._Booster = _first_iterations(model._Booster, model.n_estimators, n)
    return shorter


def _first_iterations(booster: Any, n_all: int, n: int) -> Any:
    """Return what a pickle of the booster with ``n`` iterations would become."""
    text = booster.model_to_string(num_iteration=n)
    params = {name: n for name in _NAMES_OF_ITERATIONS if name in booster.params}
    state = vars(booster) | {
        "_handle": text.replace(f"[num_iterations: {n_all}]", f"[num_iterations: {n}]"),
        "params": booster.params | params,
    }
    shorter = object.__new__(type(booster))
    shorter.__setstate__(state)
    return shorter


def _can_share(model: Any, n_samples: int) -> bool:
    # without a seed, LightGBM draws the same numbers in each fit
    others = set(model.get_params()) - set(model._get_param_names())
    return model.boosting_type in _BOOSTING_TYPES and others <= _HARMLESS_PARAMETERS


FAMILIES = (PathFamily("LightGBM", _matches, "n_estimators", _prefix, can_share=_can_share),)
