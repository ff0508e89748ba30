"""Winner of the tournament, by number of categories and activation function of the nets.

Two claims are examined: with one category of rows a net wins; with two, LightGBM of depth 3 wins
and depth 1 is last. `examples/configs/grid.py` has 1,000 rows in each category, `randomized.py`
5,000.
"""

import numpy as np

from benchmarks.competitors import JOBS
from benchmarks.results import Measurement
from benchmarks.tournament import CV, describe, make_workload
from skdistsearch import DistributedSearchCV

CASES = [
    ("grid", 1, None),
    ("grid", 1, "relu"),
    ("grid", 2, None),
    ("grid", 2, "relu"),
    ("randomized", 2, None),
    ("randomized", 2, "relu"),
]


def measure(options):
    rows = []
    for case in CASES[:1] if options.quick else CASES:
        estimator, candidates, X, y = make_workload(*case, quick=options.quick)
        search = DistributedSearchCV(estimator, candidates, cv=CV, refit=False, n_jobs=JOBS)
        scores = search.fit(X, y).cv_results_["mean_test_score"]
        rows += rank_candidates(case, candidates, scores)
    return Measurement(rows)


def rank_candidates(case, candidates, scores):
    config, n_categories, activation = case
    return [
        {
            "config": config,
            "categories": n_categories,
            "activation": str(activation),
            "rank": rank,
            "mean R²": f"{scores[at]:.4f}",
            "candidate": describe(candidates[at]),
        }
        for rank, at in enumerate(np.argsort(-scores, kind="stable"), 1)
    ]
