"""What can go wrong, as a tree.

::

    SkDistSearchError
    ├── ParamGridError (ValueError)        the candidates asked for make no sense
    │   └── ParamGridTypeError (TypeError)
    ├── BackendError (RuntimeError)        the place where fits run failed as a whole
    ├── BackendConfigError (ValueError)    a backend was named or configured wrongly
    ├── CheckpointError (ValueError)       a checkpoint's name is none
    ├── FamilyError (TypeError)            nobody knows how such a model stops early
    ├── FitLostError (RuntimeError)        one fit's machine died, again and again
    ├── NotPicklableError (TypeError)      something cannot travel to another process
    ├── PlanError (ValueError)             outcomes do not belong to the plan
    ├── RecordError (RuntimeError)         bytes from a store are not what was written
    ├── ReportError (ValueError)           a report of what a search does not have
    ├── SpecError (ValueError)             a spec of contenders has mistakes
    └── StoreError (OSError)               a store cannot be read or written to

What a user's own estimator or scorer raises keeps its own type.
"""

from __future__ import annotations

__all__ = [
    "BackendConfigError",
    "BackendError",
    "CheckpointError",
    "FamilyError",
    "FitLostError",
    "NotPicklableError",
    "ParamGridError",
    "ParamGridTypeError",
    "PlanError",
    "RecordError",
    "ReportError",
    "SkDistSearchError",
    "SpecError",
    "StoreError",
]


class SkDistSearchError(Exception):
    """Base class of all errors of this package."""


class ParamGridError(SkDistSearchError, ValueError):
    """``param_grid`` has mistakes; the message names every one."""


class ParamGridTypeError(ParamGridError, TypeError):
    """``param_grid`` has mistakes, and the values are of a wrong type."""


class BackendError(SkDistSearchError, RuntimeError):
    """The place where fits run failed as a whole: no fit is to blame."""


class BackendConfigError(SkDistSearchError, ValueError):
    """A backend's name or one of its settings is not valid."""


class CheckpointError(SkDistSearchError, ValueError):
    """What was given as a checkpoint's name or place is neither."""


class FamilyError(SkDistSearchError, TypeError):
    """An estimator is of no family that `EarlyStopping` knows; the message lists those."""


class FitLostError(SkDistSearchError, RuntimeError):
    """A fit's worker died each time the fit was tried."""


class NotPicklableError(SkDistSearchError, TypeError):
    """A part of the search cannot travel to another process; the message names it."""


class PlanError(SkDistSearchError, ValueError):
    """Outcomes are missing, doubled, or belong to another plan."""


class RecordError(SkDistSearchError, RuntimeError):
    """Bytes read from a store or a temporary folder are not what was written."""


class ReportError(SkDistSearchError, ValueError):
    """A report is asked for what the search does not have; the message lists what it has."""


class SpecError(SkDistSearchError, ValueError):
    """A spec of contenders has mistakes; the message names every one with its key."""


class StoreError(SkDistSearchError, OSError):
    """A folder or a bucket cannot be read or written to; the message says which, and why."""
