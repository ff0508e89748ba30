"""Worker processes that grow are replaced, and no fit is lost."""

import os
import sys
import time
from functools import partial

import numpy as np
import pytest
from helpers.probing_regressor import ProbingRegressor
from sklearn.datasets import load_diabetes

from skdistsearch import DistributedSearchCV

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="resident memory is read from /proc"
)
X, y = load_diabetes(return_X_y=True)


def grow_as_with_tensorflow(mb=0, limit_mb=-1):
    """Keep ``mb`` of memory in this worker, and set the limit of its growth; return its id."""
    from skdistsearch.backends import _worker

    sys.modules.setdefault("tensorflow", sys)
    _worker._GROWTH_MAX_MB = limit_mb
    _worker.kept_memory = np.ones(int(mb * 1e6) // 8)
    time.sleep(0.2)  # so that each process gets some fits
    return os.getpid()


def test_worker_that_grows_is_replaced_and_no_fit_is_lost():
    grid = {"probe": [grow_as_with_tensorflow], "number": list(range(3))}
    search = DistributedSearchCV(ProbingRegressor(), grid, cv=2, n_jobs=2, refit=False).fit(X, y)
    pids = [search.cv_results_[f"split{split}_test_score"] for split in range(2)]
    assert len(np.unique(pids)) >= 3  # two processes at a time, each for one fit
    assert np.isfinite(pids).all()


def test_growth_is_measured_over_several_searches():
    def worker_ids(mb):
        grid = {"probe": [partial(grow_as_with_tensorflow, mb, 50)]}
        search = DistributedSearchCV(ProbingRegressor(), grid, cv=6, n_jobs=2, refit=False)
        results = search.fit(X, y).cv_results_
        return {results[f"split{split}_test_score"][0] for split in range(6)}

    first, second = worker_ids(0), worker_ids(100)
    assert first & second  # workers of the first search were reused
    assert second - first  # and then replaced
