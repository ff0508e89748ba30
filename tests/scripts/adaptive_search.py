"""Search adaptively with a checkpoint, and write the results: class, checkpoint, file."""

import json
import sys
import time

import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import make_regression
from sklearn.ensemble import GradientBoostingRegressor

from skdistsearch import DistributedHyperbandSearchCV, DistributedOptunaSearchCV


class SlowBoosting(GradientBoostingRegressor):
    """Takes a while, so that it can be killed while it is fitted."""

    def fit(self, X, y):
        time.sleep(0.05)
        return super().fit(X, y)


def make_search(name, checkpoint):
    space = {"learning_rate": loguniform(0.05, 1), "max_depth": [1, 2, 3]}
    options = {"cv": 2, "n_jobs": 2, "random_state": 0, "checkpoint": checkpoint}
    if name == "Optuna":
        return DistributedOptunaSearchCV(
            SlowBoosting(n_estimators=5, random_state=0), space, n_trials=24, n_pending=3, **options
        )
    return DistributedHyperbandSearchCV(
        SlowBoosting(random_state=0),
        space,
        resource="n_estimators",
        max_resources=9,
        resume=True,  # of a subclass: the stages count
        **options,
    )


if __name__ == "__main__":
    name, checkpoint, path = sys.argv[1:]
    X, y = make_regression(60, 4, noise=10, random_state=0)
    search = make_search(name, checkpoint or None).fit(X, y)
    results = {
        key: [float(value).hex() for value in np.asarray(values, float)]
        for key, values in search.cv_results_.items()
        if "test_score" in key or key.startswith(("param_", "n_", "iter", "bracket"))
    }
    results["predictions"] = [float(value).hex() for value in search.predict(X)]
    with open(path, "w") as file:
        json.dump(results, file)
