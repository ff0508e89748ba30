"""`EarlyStopping`, and the model families that it can stop.

Contents
--------
- `_estimator`: `skdistsearch.EarlyStopping`, the estimator.
- `_fixed_iterations`: `replace_early_stopping`, for a refit on all rows.
- `_validation_split`: splits off the validation data.
- `_base`: `Family`, the description of a model family.
- `_registry`: the built-in families, and `register_family` to add another.
- `_catboost`, `_hist_gradient_boosting`, `_keras`, `_lightgbm`, `_xgboost`: one family each.

Imports only the modules outside the packages; users import the model libraries themselves. Start
reading at `_base`, then `_hist_gradient_boosting`.
"""

from skdistsearch.early_stopping._base import Family, FitData
from skdistsearch.early_stopping._estimator import EarlyStopping
from skdistsearch.early_stopping._fixed_iterations import replace_early_stopping
from skdistsearch.early_stopping._keras import keras_family
from skdistsearch.early_stopping._registry import all_families, find_family, register_family

__all__ = [
    "EarlyStopping",
    "Family",
    "FitData",
    "all_families",
    "find_family",
    "keras_family",
    "register_family",
    "replace_early_stopping",
]
