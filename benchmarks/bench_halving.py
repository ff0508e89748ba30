"""Gain of shared work in a successive halving search.

27 candidates of a pipeline with three steps, the first two of which are shared, on samples that
grow from round to round.
"""

import numpy as np
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.competitors import BASE, JOBS, OURS, compare
from skdistsearch import DistributedHalvingGridSearchCV

PIPE = Pipeline(
    [
        ("scale", StandardScaler()),
        ("reduce", PCA(random_state=0)),
        ("model", LogisticRegression(max_iter=200)),
    ]
)
GRID = {"reduce__n_components": [5, 20, 60], "model__C": list(np.logspace(-3, 1, 9))}
TARGETS = {"wall / GridSearchCV": 0.9}


def measure(options):
    n_rows = 1200 if options.quick else 6000
    X, y = make_classification(n_rows, 200, n_informative=20, random_state=0)
    params = {
        "cv": 5,
        "n_jobs": JOBS,
        "random_state": 0,
        "factor": 3,
        "min_resources": n_rows // 10,
    }
    return compare(
        {
            BASE: lambda: HalvingGridSearchCV(PIPE, GRID, **params).fit(X, y),
            OURS: lambda: DistributedHalvingGridSearchCV(PIPE, GRID, **params).fit(X, y),
        },
        options,
    )
