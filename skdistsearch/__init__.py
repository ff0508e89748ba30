"""scikit-learn's hyper-parameter searches, whose fits run here or as Metaflow tasks."""

from skdistsearch import exceptions
from skdistsearch._fit import Outcome
from skdistsearch._plan import Plan
from skdistsearch._search import (
    DistributedHalvingGridSearchCV,
    DistributedHalvingRandomSearchCV,
    DistributedRandomizedSearchCV,
    DistributedSearchCV,
)
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
    "exceptions",
]

__version__ = "0.1.0"
