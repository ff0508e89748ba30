"""Where fits run."""

from skdistsearch._fit import Batch, Fit, Outcome, Raised
from skdistsearch.backends._base import Backend, resolve
from skdistsearch.backends._local import LocalBackend
from skdistsearch.backends._metaflow import MetaflowBackend

__all__ = [
    "Backend",
    "Batch",
    "Fit",
    "LocalBackend",
    "MetaflowBackend",
    "Outcome",
    "Raised",
    "resolve",
]
