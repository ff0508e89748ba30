"""Use, list, inspect and delete a checkpoint in S3. Argument: the folder in which fits are counted.

Prints the error for a misspelt name.
"""

import json
import sys

from helpers.counting_estimator import CountingRegressor
from sklearn.datasets import make_regression

from skdistsearch import DistributedSearchCV, checkpoints
from skdistsearch.backends import get_backend
from skdistsearch.checkpoints import checkpoint_url
from skdistsearch.exceptions import CheckpointError

X, y = make_regression(40, 3, random_state=0)
url = checkpoint_url("mine", get_backend("batch").checkpoint_root())


def run_search(n_jobs, **grid):
    model = CountingRegressor(folder=sys.argv[1])
    options = {"cv": 2, "refit": False, "n_jobs": n_jobs, "checkpoint": url}
    return DistributedSearchCV(model, grid, **options).fit(X, y).cv_results_


def as_text(results):
    names = [name for name in results if name != "params" and not name.startswith("param_")]
    return json.dumps({name: list(map(float, results[name])) for name in names})


run_search(1, factor=[1.0])
results = run_search(2, factor=[1.0, 2.0])
assert as_text(run_search(1, factor=[1.0, 2.0])) == as_text(results)
(listed,) = checkpoints.list("batch")
assert (listed.name, listed.url, listed.n_fits) == ("mine", url, 4), listed
assert listed.size_bytes > 1000
inspected = checkpoints.inspect(url)
assert inspected.n_fits == 4
assert inspected.searches[0].count == 3
assert checkpoints.inspect("mine", "batch").searches == inspected.searches
try:
    checkpoints.delete("mime", backend="batch")
except CheckpointError as exc:
    sys.stdout.write(f"{exc}\n")
checkpoints.delete("mine", backend="batch")
assert checkpoints.list("batch") == []
