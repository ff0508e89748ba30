"""pytest plugin: scikit-learn's tests meet `DistributedSearchCV` under GridSearchCV's name.

``SKDISTSEARCH_SUITE`` says where the fits run: "here", "processes" or "metaflow". "scikit-learn"
leaves GridSearchCV in place and gives it two processes: what fails so is not ours to pass.
"""

import os

import sklearn.model_selection
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV

WHERE = os.environ["SKDISTSEARCH_SUITE"]
DEFAULTS = {
    "here": {},
    "processes": {"n_jobs": 2},
    "metaflow": {"backend": "metaflow"},
    "scikit-learn": {"n_jobs": 2},
}

search = GridSearchCV if WHERE == "scikit-learn" else DistributedSearchCV
search.__init__.__kwdefaults__.update(DEFAULTS[WHERE])
sklearn.model_selection.GridSearchCV = search
sklearn.model_selection._search.GridSearchCV = search
