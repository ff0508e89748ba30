"""A search on AWS Batch for test_persistent_faults.py: prints "equal" if the results are right."""

import sys

import numpy as np
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.backends.metaflow import _workspace
from skdistsearch.testing import FaultyRegressor

_workspace._UNREACHABLE_MAX_S = 5.0  # instead of ten minutes

X, y = make_regression(40, 2, random_state=0)
grid = {"factor": [1.0, 1.5, 2.0]}
backend = MetaflowBackend(compute="batch", image="any", fits_per_task=3, retries=1)
search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, backend=backend).fit(X, y)
expected = GridSearchCV(FaultyRegressor(), grid, cv=2).fit(X, y)
np.testing.assert_array_equal(
    search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
)
sys.stdout.write("equal\n")
