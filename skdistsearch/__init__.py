"""scikit-learn's hyper-parameter searches, whose fits run here or as Metaflow tasks."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skdistsearch import backends, checkpoints, exceptions, families, report
    from skdistsearch._baseline import with_baseline
    from skdistsearch._early_stopping import EarlyStopping
    from skdistsearch._ensemble import Ensemble
    from skdistsearch._fit import Outcome
    from skdistsearch._plan import Plan
    from skdistsearch._search import DistributedSearchCV
    from skdistsearch._siblings import (
        DistributedHalvingGridSearchCV,
        DistributedHalvingRandomSearchCV,
        DistributedRandomizedSearchCV,
    )
    from skdistsearch._spec import contenders_from_spec
    from skdistsearch.backends import LocalBackend, MetaflowBackend
    from skdistsearch.report._one_standard_error import one_standard_error

__all__ = [
    "DistributedHalvingGridSearchCV",
    "DistributedHalvingRandomSearchCV",
    "DistributedRandomizedSearchCV",
    "DistributedSearchCV",
    "EarlyStopping",
    "Ensemble",
    "LocalBackend",
    "MetaflowBackend",
    "Outcome",
    "Plan",
    "backends",
    "checkpoints",
    "contenders_from_spec",
    "exceptions",
    "families",
    "one_standard_error",
    "report",
    "with_baseline",
]

__version__ = "0.1.0"

_MODULES = {
    "DistributedHalvingGridSearchCV": "_siblings",
    "DistributedHalvingRandomSearchCV": "_siblings",
    "DistributedRandomizedSearchCV": "_siblings",
    "DistributedSearchCV": "_search",
    "EarlyStopping": "_early_stopping",
    "Ensemble": "_ensemble",
    "LocalBackend": "backends",
    "MetaflowBackend": "backends",
    "Outcome": "_fit",
    "Plan": "_plan",
    "contenders_from_spec": "_spec",
    "one_standard_error": "report._one_standard_error",
    "with_baseline": "_baseline",
}


def __getattr__(name: str) -> Any:
    """A name, imported with what it needs when it is first asked for.

    Parts of a Metaflow run need a module of this package, and not scikit-learn.
    """
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
