"""scikit-learn's hyper-parameter searches, whose fits run on this machine or as Metaflow tasks."""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names
from skdistsearch._loaded_source import record_sources

if TYPE_CHECKING:
    from skdistsearch import backends, checkpoints, early_stopping, exceptions, jobs, report
    from skdistsearch._outcome import Outcome
    from skdistsearch.adaptive import DistributedHyperbandSearchCV, DistributedOptunaSearchCV
    from skdistsearch.backends import LocalBackend, MetaflowBackend
    from skdistsearch.contenders import add_baseline, contenders_from_spec
    from skdistsearch.early_stopping import EarlyStopping
    from skdistsearch.ensemble import Ensemble
    from skdistsearch.joblib_backend import parallel, register_joblib
    from skdistsearch.model_selection import (
        DistributedHalvingGridSearchCV,
        DistributedHalvingRandomSearchCV,
        DistributedRandomizedSearchCV,
        DistributedSearchCV,
        Plan,
        one_standard_error,
    )
    from skdistsearch.storage import skops_trusted_types

__all__ = [
    "DistributedHalvingGridSearchCV",
    "DistributedHalvingRandomSearchCV",
    "DistributedHyperbandSearchCV",
    "DistributedOptunaSearchCV",
    "DistributedRandomizedSearchCV",
    "DistributedSearchCV",
    "EarlyStopping",
    "Ensemble",
    "LocalBackend",
    "MetaflowBackend",
    "Outcome",
    "Plan",
    "add_baseline",
    "backends",
    "checkpoints",
    "contenders_from_spec",
    "early_stopping",
    "exceptions",
    "jobs",
    "one_standard_error",
    "parallel",
    "register_joblib",
    "report",
    "skops_trusted_types",
]

__version__ = "0.1.0"

record_sources()

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DistributedHalvingGridSearchCV": "model_selection",
        "DistributedHalvingRandomSearchCV": "model_selection",
        "DistributedHyperbandSearchCV": "adaptive",
        "DistributedOptunaSearchCV": "adaptive",
        "DistributedRandomizedSearchCV": "model_selection",
        "DistributedSearchCV": "model_selection",
        "EarlyStopping": "early_stopping",
        "Ensemble": "ensemble",
        "LocalBackend": "backends",
        "METAFLOW_PACKAGE_POLICY": "backends.metaflow._packaging",  # for Metaflow
        "MetaflowBackend": "backends",
        "Outcome": "_outcome",
        "Plan": "model_selection",
        "backends": "",
        "checkpoints": "",
        "contenders_from_spec": "contenders",
        "early_stopping": "",
        "exceptions": "",
        "jobs": "",
        "one_standard_error": "model_selection",
        "parallel": "joblib_backend",
        "register_joblib": "joblib_backend",
        "report": "",
        "skops_trusted_types": "storage",
        "add_baseline": "contenders",
    },
)
