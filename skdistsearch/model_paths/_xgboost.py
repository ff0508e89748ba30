"""XGBoost: the first trees of a booster are the booster with fewer trees."""

from __future__ import annotations

import copy
from typing import Any

from skdistsearch.model_paths._base import PathFamily, is_exactly


def _matches(model: object) -> bool:
    return is_exactly(model, "xgboost", "XGBClassifier", "XGBRegressor")


def _prefix(model: Any, n: int) -> Any:
    shorter = copy.copy(model)
    shorter.n_estimators = n
    shorter._Booster = model.get_booster()[:n]
    return shorter


def _can_share(model: Any, n_samples: int) -> bool:
    # without a seed, XGBoost draws the same numbers in each fit; "dart" changes earlier trees
    stops = (model.early_stopping_rounds, model.callbacks, getattr(model, "kwargs", None))
    return model.booster in (None, "gbtree") and not any(stops)


FAMILIES = (PathFamily("XGBoost", _matches, "n_estimators", _prefix, can_share=_can_share),)
