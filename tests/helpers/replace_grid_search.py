"""pytest plugin: scikit-learn's tests get `DistributedSearchCV` instead of GridSearchCV.

``SKDISTSEARCH_SUITE`` selects where the fits run: "in process", "processes" or "metaflow".
"scikit-learn" keeps GridSearchCV and gives it two processes: tests that fail then cannot be
expected to pass with `DistributedSearchCV` in two processes.
"""

import os

import sklearn.model_selection
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV

_SUITE = os.environ["SKDISTSEARCH_SUITE"]
_DEFAULTS = {
    "in process": {},
    "processes": {"n_jobs": 2},
    "metaflow": {"backend": "metaflow"},
    "scikit-learn": {"n_jobs": 2},
}

search_class = GridSearchCV if _SUITE == "scikit-learn" else DistributedSearchCV
search_class.__init__.__kwdefaults__.update(_DEFAULTS[_SUITE])
sklearn.model_selection.GridSearchCV = search_class
sklearn.model_selection._search.GridSearchCV = search_class
