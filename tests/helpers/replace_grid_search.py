"""pytest plugin: scikit-learn's tests get this package's searches instead of scikit-learn's.

``SKDISTSEARCH_SUITE`` selects where the fits run: "in process", "processes" or "metaflow".
"scikit-learn" keeps scikit-learn's searches and gives them two processes: tests that fail then
cannot be expected to pass with ours in two processes.
"""

import os

import sklearn.model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import skdistsearch

_SUITE = os.environ["SKDISTSEARCH_SUITE"]
_DEFAULTS = {
    "in process": {},
    "processes": {"n_jobs": 2},
    "metaflow": {"backend": "metaflow"},
    "scikit-learn": {"n_jobs": 2},
}
_REPLACEMENTS = {
    "GridSearchCV": skdistsearch.DistributedSearchCV,
    "RandomizedSearchCV": skdistsearch.DistributedRandomizedSearchCV,
    "HalvingGridSearchCV": skdistsearch.DistributedHalvingGridSearchCV,
    "HalvingRandomSearchCV": skdistsearch.DistributedHalvingRandomSearchCV,
}
_MODULES = (
    sklearn.model_selection,
    sklearn.model_selection._search,
    sklearn.model_selection._search_successive_halving,
)

for name, replacement in _REPLACEMENTS.items():
    ours = _SUITE != "scikit-learn"
    search_class = replacement if ours else getattr(sklearn.model_selection, name)
    search_class.__init__.__kwdefaults__.update(_DEFAULTS[_SUITE])
    for module in _MODULES:
        if hasattr(module, name):
            setattr(module, name, search_class)
