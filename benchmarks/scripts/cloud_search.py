"""Fit a search of trivial fits and print what it cost this process: ``cloud_search.py JSON``.

The JSON has the numbers of fits, tasks and workers, and whether there is a checkpoint. Without
tasks, the search is scikit-learn's.
"""

import json
import os
import sys
import time

import numpy as np
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from benchmarks.own_usage import memory_mb, peak_memory_mb, reset_peak_memory
from skdistsearch import DistributedSearchCV, MetaflowBackend

case = json.loads(sys.argv[1])
X, y = make_regression(60, 4, random_state=0)
params = {"param_grid": {"alpha": np.logspace(-3, 3, case["fits"] // 5)}, "cv": 5}
if case["tasks"]:
    backend = MetaflowBackend(
        compute="batch",
        image="any",
        fits_per_task=case["fits"] // case["tasks"],
        max_workers=case["workers"],
    )
    checkpoint = "bench" if case["checkpoint"] else None
    search = DistributedSearchCV(Ridge(), backend=backend, checkpoint=checkpoint, **params)
else:
    search = GridSearchCV(Ridge(), n_jobs=1, **params)

reset_peak_memory()
before_mb, before, begin = memory_mb(), os.times(), time.perf_counter()
search.fit(X, y)
wall_s, after = time.perf_counter() - begin, os.times()
fit_s = search.cv_results_["mean_fit_time"] + search.cv_results_["mean_score_time"]
costs = {
    "before_mb": before_mb,
    "peak_mb": peak_memory_mb(),
    "wall_s": wall_s,
    "own_cpu_s": after.user + after.system - before.user - before.system,
    "metaflow_cpu_s": after.children_user
    + after.children_system
    - before.children_user
    - before.children_system,
    "fits_s": 5 * float(fit_s.sum()),
}
print(json.dumps(costs))
