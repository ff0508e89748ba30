"""Searches that decide as they go: Hyperband.

Contents
--------
- `_base`: `Strategy`, which decides which fit comes next, and `Request` and `Row`.
- `_brackets`, `_rungs`: Hyperband: sizes of the brackets, and the strategy.
- `_constant_lag`: the strategy for candidates that are proposed one by one.
- `_engine`: runs a strategy.
- `_fit_requests`: makes fits of what a strategy asks for.
- `_continuation`, `_staged_fit`: models that go on where they were paused.
- `_search`: what the searches have in common: template and replay.
- `_search_hyperband`: the search.

Imports `skdistsearch.model_selection` and what that imports. Start reading at `_base`, then
`_engine` and `_search`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.adaptive._base import Request, Row, Strategy
    from skdistsearch.adaptive._search_hyperband import DistributedHyperbandSearchCV

__all__ = [
    "DistributedHyperbandSearchCV",
    "Request",
    "Row",
    "Strategy",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DistributedHyperbandSearchCV": "_search_hyperband",
        "Request": "_base",
        "Row": "_base",
        "Strategy": "_base",
    },
)
