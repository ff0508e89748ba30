"""A search that test_stopped_caller.py stops at any moment.

Arguments: the backend ("local", "metaflow", "batch", "pool" or "pool on batch"), the folder in
which each fit leaves a file, the seconds of a fit, and the checkpoint. Prints "begin" before the
search, and "equal" after it if the results are right.
"""

import sys

import numpy as np
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.testing import FaultyRegressor

name, folder, duration_s, checkpoint = sys.argv[1:]
backends = {
    "batch": MetaflowBackend(compute="batch", image="any", fits_per_task=6),
    "pool": MetaflowBackend(keep_alive_s=60),
    "pool on batch": MetaflowBackend(compute="batch", image="any", keep_alive_s=60),
}

X, y = make_regression(40, 2, random_state=0)
grid = {"factor": [1.0, 1.5, 2.0, 2.5]}
expected = GridSearchCV(FaultyRegressor(), grid, cv=3, refit=False).fit(X, y)
search = DistributedSearchCV(
    FaultyRegressor(folder=folder, duration_s=float(duration_s)),
    grid,
    cv=3,
    n_jobs=2,
    refit=False,
    backend=backends.get(name, name),
    checkpoint=checkpoint,
)
print("begin", flush=True)  # noqa: T201
try:
    search.fit(X, y)
except KeyboardInterrupt:
    print("KeyboardInterrupt", flush=True)  # noqa: T201
    sys.exit(3)
for key, values in expected.cv_results_.items():
    if not key.endswith("_time"):
        np.testing.assert_array_equal(search.cv_results_[key], values, err_msg=key)
print("equal", flush=True)  # noqa: T201
