"""Searches that decide as they go: Hyperband, and Bayesian search by Optuna.

Contents
--------
- `_base`: `Strategy`, which decides which fit comes next, and `Request` and `Row`.
- `_brackets`, `_rungs`: Hyperband: sizes of the brackets, and the strategy.
- `_constant_lag`: the strategy for candidates that are proposed one by one.
- `_engine`: runs a strategy.
- `_fit_requests`: makes fits of what a strategy asks for.
- `_continuation`, `_staged_fit`: models that go on where they were paused.
- `_search`: what the searches have in common: template and replay.
- `_search_hyperband`, `_search_optuna`: the searches.
- `_optuna_space`: the search space, for Optuna.

Imports `skdistsearch.model_selection` and what that imports. Start reading at `_base`, then
`_engine` and `_search`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.adaptive._base import Request, Row, Strategy
    from skdistsearch.adaptive._search_hyperband import DistributedHyperbandSearchCV
    from skdistsearch.adaptive._search_optuna import DistributedOptunaSearchCV

__all__ = [
    "DistributedHyperbandSearchCV",
    "DistributedOptunaSearchCV",
    "Request",
    "Row",
    "Strategy",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DistributedHyperbandSearchCV": "_search_hyperband",
        "DistributedOptunaSearchCV": "_search_optuna",
        "Request": "_base",
        "Row": "_base",
        "Strategy": "_base",
    },
)
