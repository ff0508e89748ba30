"""All of scikit-learn on remote workers: a joblib backend over the backends of this package.

Contents
--------
- `_context`: `parallel` and `register_joblib`, the two ways to use it.
- `_backend`: the joblib backend.
- `_calls`: the calls of a joblib ``Parallel`` as a `Batch`.
- `_results`: their results on the way back, as data or, if they are objects, as pickles.
- `_trial`: calls that are done here sooner than a worker is ready.

Imports `skdistsearch.backends` and packages below it. Start reading at `_backend`, then `_calls`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.joblib_backend._context import parallel, register_joblib

__all__ = [
    "parallel",
    "register_joblib",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "parallel": "_context",
        "register_joblib": "_context",
    },
)
