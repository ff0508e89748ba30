"""Exceptions of the package.

::

    SkDistSearchError
    ├── ParamGridError (ValueError)        the parameter grid is not valid
    │   └── ParamGridTypeError (TypeError)
    ├── BackendError (RuntimeError)        the backend failed as a whole
    ├── BackendConfigError (ValueError)    a backend's name or setting is not valid
    ├── CheckpointError (ValueError)       a checkpoint's name or URL is not valid
    ├── CorruptDataError (RuntimeError)    stored bytes have changed
    ├── FamilyError (TypeError)            no family can stop the estimator early
    ├── FitLostError (RuntimeError)        the worker of a fit died each time
    ├── JobError (RuntimeError)            a detached search failed, or its name is not valid
    ├── NotPicklableError (TypeError)      an object cannot be pickled
    ├── PlanError (ValueError)             outcomes do not match the plan
    ├── ReportError (ValueError)           the search lacks the data for a report
    ├── SpecError (ValueError)             a spec of contenders is not valid
    ├── StoreError (OSError)               a store cannot be read or written
    ├── TimeBudgetError (TimeoutError)     no candidate was complete when the time was up
    └── UntrustedTypeError (TypeError)     a model without pickle has a type that is not trusted

Exceptions from the user's own estimators and scorers keep their type.

Examples
--------
Catch one kind of error, or `SkDistSearchError` for all of them:

>>> from sklearn.datasets import load_diabetes
>>> from sklearn.linear_model import Ridge
>>> from skdistsearch import DistributedSearchCV
>>> from skdistsearch.exceptions import BackendConfigError
>>> X, y = load_diabetes(return_X_y=True)
>>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1]}, backend="metflow")
>>> try:
...     search.fit(X, y)
... except BackendConfigError as error:
...     print(str(error).partition(".")[0])
backend='metflow' is not a backend

Those with a standard exception in parentheses derive from it too: ``except ValueError`` catches a
`BackendConfigError`.
"""

from __future__ import annotations

__all__ = [
    "BackendConfigError",
    "BackendError",
    "CheckpointError",
    "CorruptDataError",
    "FamilyError",
    "FitLostError",
    "JobError",
    "NotPicklableError",
    "ParamGridError",
    "ParamGridTypeError",
    "PlanError",
    "ReportError",
    "SkDistSearchError",
    "SpecError",
    "StoreError",
    "TimeBudgetError",
    "UntrustedTypeError",
]


class SkDistSearchError(Exception):
    """Base class of all errors of this package."""


class ParamGridError(SkDistSearchError, ValueError):
    """Invalid ``param_grid``. The message lists all mistakes."""


class ParamGridTypeError(ParamGridError, TypeError):
    """Invalid ``param_grid`` with values of the wrong type."""


class BackendError(SkDistSearchError, RuntimeError):
    """Failure of the backend as a whole, not caused by a single fit."""


class BackendConfigError(SkDistSearchError, ValueError):
    """Invalid name or setting of a backend."""


class CheckpointError(SkDistSearchError, ValueError):
    """Invalid name or location of a checkpoint."""


class CorruptDataError(SkDistSearchError, RuntimeError):
    """Bytes read from a store or a temporary folder differ from those that were written."""


class FamilyError(SkDistSearchError, TypeError):
    """Estimator that `~skdistsearch.EarlyStopping` cannot stop. The message lists the families."""


class FitLostError(SkDistSearchError, RuntimeError):
    """Fit whose worker died on every attempt."""


class JobError(SkDistSearchError, RuntimeError):
    """Detached search that failed or is not done, or whose name is taken or unknown."""


class NotPicklableError(SkDistSearchError, TypeError):
    """Part of a search that cannot be sent to another process. The message names it."""


class PlanError(SkDistSearchError, ValueError):
    """Outcomes that are missing, duplicated or from another plan."""


class ReportError(SkDistSearchError, ValueError):
    """Request for a report that the search has no data for. The message lists what it has."""


class SpecError(SkDistSearchError, ValueError):
    """Invalid spec of contenders. The message lists all mistakes with their keys."""


class StoreError(SkDistSearchError, OSError):
    """Folder or bucket that cannot be read or written, or an invalid S3 URL."""


class TimeBudgetError(SkDistSearchError, TimeoutError):
    """Search without a complete candidate when its time was up. The message counts its fits."""


class UntrustedTypeError(SkDistSearchError, TypeError):
    """A model that was saved without pickle has a type that is not trusted."""
