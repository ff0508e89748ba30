"""The workload of ``bench_lightgbm`` where its user has set LightGBM's ``n_jobs=1``."""

from functools import partial

from benchmarks import bench_lightgbm
from benchmarks.sides import LIMIT

TARGETS = {"GridSearchCV": 0.73, LIMIT: 1.05}
sides = partial(bench_lightgbm.sides, n_jobs=1)
