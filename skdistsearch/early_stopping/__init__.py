"""`EarlyStopping`, and the model families that it can stop.

Contents
--------
- `_estimator`: `skdistsearch.EarlyStopping`, the estimator.
- `_validation_split`: splits off the validation data.
- `_base`: `Family`, the description of a model family.
- `_registry`: the families there are, and `register_family` for one of your own.
- `_catboost`, `_hist_gradient_boosting`, `_keras`, `_lightgbm`, `_xgboost`: one family each.

Imports the modules beside the packages only; the model libraries are imported by the user. Start
reading at `_base`, then `_hist_gradient_boosting`.
"""

from skdistsearch.early_stopping._base import Family, Part
from skdistsearch.early_stopping._estimator import EarlyStopping
from skdistsearch.early_stopping._keras import keras
from skdistsearch.early_stopping._registry import family_of, known, register

__all__ = [
    "EarlyStopping",
    "Family",
    "Part",
    "family_of",
    "keras",
    "known",
    "register",
]
