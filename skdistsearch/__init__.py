"""scikit-learn's hyper-parameter searches, whose fits run here or as Metaflow tasks."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skdistsearch import backends, checkpoints, early_stopping, exceptions, report
    from skdistsearch._outcome import Outcome
    from skdistsearch.backends import LocalBackend, MetaflowBackend
    from skdistsearch.contenders._baseline import with_baseline
    from skdistsearch.contenders._spec import contenders_from_spec
    from skdistsearch.early_stopping._estimator import EarlyStopping
    from skdistsearch.ensemble._ensemble import Ensemble
    from skdistsearch.model_selection._one_standard_error import one_standard_error
    from skdistsearch.model_selection._plan import Plan
    from skdistsearch.model_selection._search import (
        DistributedRandomizedSearchCV,
        DistributedSearchCV,
    )
    from skdistsearch.model_selection._search_successive_halving import (
        DistributedHalvingGridSearchCV,
        DistributedHalvingRandomSearchCV,
    )

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
    "early_stopping",
    "exceptions",
    "one_standard_error",
    "report",
    "with_baseline",
]

__version__ = "0.1.0"

_MODULES = {
    "DistributedHalvingGridSearchCV": "model_selection._search_successive_halving",
    "DistributedHalvingRandomSearchCV": "model_selection._search_successive_halving",
    "DistributedRandomizedSearchCV": "model_selection._search_successive_halving",
    "DistributedSearchCV": "model_selection._search",
    "EarlyStopping": "early_stopping._estimator",
    "Ensemble": "ensemble._ensemble",
    "LocalBackend": "backends",
    "MetaflowBackend": "backends",
    "Outcome": "_batch",
    "Plan": "model_selection._plan",
    "contenders_from_spec": "contenders._spec",
    "one_standard_error": "model_selection._one_standard_error",
    "with_baseline": "contenders._baseline",
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
