"""Does successive halving gain too?

27 candidates of three steps, of which the first two are shared, on growing samples.

Last answer (two cores, medians of 5): 0.87 s, 0.26 x HalvingGridSearchCV(n_jobs=2).

    python -m benchmarks bench_halving
"""

import numpy as np
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.sides import BASE, JOBS, OURS
from skdistsearch import DistributedHalvingGridSearchCV

PIPE = Pipeline(
    [
        ("scale", StandardScaler()),
        ("reduce", PCA(random_state=0)),
        ("model", LogisticRegression(max_iter=200)),
    ]
)
GRID = {"reduce__n_components": [5, 20, 60], "model__C": list(np.logspace(-3, 1, 9))}
TARGETS = {"GridSearchCV": 0.9}


def sides():
    X, y = make_classification(6000, 200, n_informative=20, random_state=0)
    options = {"cv": 5, "n_jobs": JOBS, "random_state": 0, "factor": 3, "min_resources": 600}
    return {
        name: lambda search=search: search(PIPE, GRID, **options).fit(X, y)
        for name, search in ((BASE, HalvingGridSearchCV), (OURS, DistributedHalvingGridSearchCV))
    }
