"""Contenders: model families that compete in one search.

Contents
--------
- `_spec`: `contenders_from_spec`, which builds a grid over model families from plain data.
- `_baseline`: `add_baseline`, which adds a contender that ignores the features.
- `_fit_params`: makes parameters of ``fit`` parameters of an estimator.

Imports `skdistsearch.model_selection` and `skdistsearch.early_stopping`. Start reading at `_spec`.
"""

from skdistsearch.contenders._baseline import add_baseline
from skdistsearch.contenders._spec import contenders_from_spec

__all__ = [
    "add_baseline",
    "contenders_from_spec",
]
