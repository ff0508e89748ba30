"""scikit-learn's hyper-parameter searches, whose fits run here or as Metaflow tasks."""

from typing import TYPE_CHECKING, Any

from skdistsearch import backends, exceptions
from skdistsearch._fit import Outcome
from skdistsearch._plan import Plan
from skdistsearch._search import DistributedSearchCV
from skdistsearch._siblings import (
    DistributedHalvingGridSearchCV,
    DistributedHalvingRandomSearchCV,
    DistributedRandomizedSearchCV,
)

if TYPE_CHECKING:
    from skdistsearch.backends import LocalBackend, MetaflowBackend

__all__ = [
    "DistributedHalvingGridSearchCV",
    "DistributedHalvingRandomSearchCV",
    "DistributedRandomizedSearchCV",
    "DistributedSearchCV",
    "LocalBackend",
    "MetaflowBackend",
    "Outcome",
    "Plan",
    "backends",
    "exceptions",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """A backend's class, imported with what it needs when it is first asked for."""
    if name in ("LocalBackend", "MetaflowBackend"):
        return getattr(backends, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
