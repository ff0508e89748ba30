"""Model families that compete in one search, from a specification.

Contents
--------
- `_spec`: `contenders_from_spec`, a grid over several model families from plain data.
- `_baseline`: adds a contender that learns nothing.
- `_fit_params`: parameters of ``fit`` as parameters of an estimator.

Imports `skdistsearch.model_selection` and `skdistsearch.early_stopping`. Start reading at `_spec`.
"""

from skdistsearch.contenders._baseline import add_baseline
from skdistsearch.contenders._spec import contenders_from_spec

__all__ = [
    "add_baseline",
    "contenders_from_spec",
]
