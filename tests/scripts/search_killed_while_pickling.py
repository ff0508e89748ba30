"""A search whose process is killed while it pickles the estimator, before the first fit.

Argument: the backend.
"""

import os
import signal
import sys

from sklearn.datasets import make_regression

from skdistsearch import DistributedSearchCV
from skdistsearch.testing import FaultyRegressor


class KillsWhenPickled(FaultyRegressor):
    def __getstate__(self):
        os.kill(os.getpid(), signal.SIGKILL)


X, y = make_regression(20, 2, random_state=0)
grid = {"factor": [1, 2]}
DistributedSearchCV(KillsWhenPickled(), grid, backend=sys.argv[1], n_jobs=2).fit(X, y)
