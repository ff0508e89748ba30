"""The searches: what users construct, fit, plan and assemble.

Contents
--------
- `_distributed`: the mixin that makes a distributed search of any of scikit-learn's.
- `_search`: `DistributedSearchCV` and `DistributedRandomizedSearchCV`.
- `_search_successive_halving`: the two halving searches.
- `_joblib_capture`: the joblib backend that collects the calls of a round as a batch.
- `_pipeline`: the wrappers around a backend, in their order.
- `_param_grid`: ``param_grid`` to candidates.
- `_plan`: a search in three steps, for a Metaflow flow of the user's own.
- `_progress_log`, `_progress`: what a search shows and logs while it runs.
- `_signals`: the end of a search by a signal.
- `_one_standard_error`: a rule for ``refit=``.
- `_docstring`: parts of docstrings that all searches share.

Imports `skdistsearch.backends`, `skdistsearch.checkpoints`, `skdistsearch.model_outputs` and what
these import. Names are imported when they are first used, because importing the halving searches
enables scikit-learn's experimental ones. Start reading at `_distributed`.
"""

from typing import TYPE_CHECKING

from skdistsearch._lazy import lazy_names

if TYPE_CHECKING:
    from skdistsearch.model_selection._distributed import BACKEND_CONSTRAINTS as BACKEND_CONSTRAINTS
    from skdistsearch.model_selection._distributed import (
        DistributedSearchMixin as DistributedSearchMixin,
    )
    from skdistsearch.model_selection._docstring import fill_docstring as fill_docstring
    from skdistsearch.model_selection._joblib_capture import SklearnCall as SklearnCall
    from skdistsearch.model_selection._one_standard_error import one_standard_error
    from skdistsearch.model_selection._param_grid import N_ITER
    from skdistsearch.model_selection._param_grid import check_param_grid as check_param_grid
    from skdistsearch.model_selection._plan import BatchReady as BatchReady
    from skdistsearch.model_selection._plan import Plan
    from skdistsearch.model_selection._plan import stop_before_running as stop_before_running
    from skdistsearch.model_selection._progress import Progress as Progress
    from skdistsearch.model_selection._progress_log import observe_progress as observe_progress
    from skdistsearch.model_selection._search import (
        DistributedRandomizedSearchCV,
        DistributedSearchCV,
    )
    from skdistsearch.model_selection._search_successive_halving import (
        DistributedHalvingGridSearchCV,
        DistributedHalvingRandomSearchCV,
    )

__all__ = [
    "N_ITER",
    "DistributedHalvingGridSearchCV",
    "DistributedHalvingRandomSearchCV",
    "DistributedRandomizedSearchCV",
    "DistributedSearchCV",
    "Plan",
    "one_standard_error",
]

# Not for users: for searches in other packages
_SHARED = {
    "BACKEND_CONSTRAINTS": "_distributed",
    "BatchReady": "_plan",
    "DistributedSearchMixin": "_distributed",
    "Progress": "_progress",
    "SklearnCall": "_joblib_capture",
    "check_param_grid": "_param_grid",
    "fill_docstring": "_docstring",
    "observe_progress": "_progress_log",
    "stop_before_running": "_plan",
}

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DistributedHalvingGridSearchCV": "_search_successive_halving",
        "DistributedHalvingRandomSearchCV": "_search_successive_halving",
        "DistributedRandomizedSearchCV": "_search",
        "DistributedSearchCV": "_search",
        "N_ITER": "_param_grid",
        "Plan": "_plan",
        "one_standard_error": "_one_standard_error",
        **_SHARED,
    },
)
