"""Models that contain the models of other candidates, such as all shorter ones of a boosting.

A path is a series of models of which one contains the others: a gradient boosting with 400 trees
contains the ones with 50, 100 and 200 trees. Candidates on a path need one fit.

Contents
--------
- `_base`: `PathFamily`, the description of the paths of a model family.
- `_registry`: the built-in families, and `register_path_family` to add another.
- `_model_path`: finds the path of a parameter in a pipeline or another composite.
- `_catboost`, `_lightgbm`, `_xgboost`: one library each.
- `_ensembles`, `_trees`, `_univariate_selection`: families of scikit-learn.

Imports only the modules outside the packages. Start reading at `_base`, then `_ensembles`.
"""

from skdistsearch.model_paths._base import PathFamily, is_exactly
from skdistsearch.model_paths._model_path import ModelPath, find_path
from skdistsearch.model_paths._registry import (
    all_path_families,
    find_path_family,
    register_path_family,
)

__all__ = [
    "ModelPath",
    "PathFamily",
    "all_path_families",
    "find_path",
    "find_path_family",
    "is_exactly",
    "register_path_family",
]
