"""Where fits run."""

from typing import TYPE_CHECKING, Any

from skdistsearch._batch import Batch, Fit
from skdistsearch._outcome import Outcome, Raised
from skdistsearch.backends._base import Backend, resolve

if TYPE_CHECKING:
    from skdistsearch.backends._local import LocalBackend
    from skdistsearch.backends.metaflow._backend import MetaflowBackend

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


def __getattr__(name: str) -> Any:
    """A backend, imported with what it needs when it is first asked for."""
    if name == "LocalBackend":
        from skdistsearch.backends._local import LocalBackend

        return LocalBackend
    if name == "MetaflowBackend":
        from skdistsearch.backends.metaflow._backend import MetaflowBackend

        return MetaflowBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
