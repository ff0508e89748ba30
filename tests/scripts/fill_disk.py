"""Run a search while no file can grow beyond 900 bytes, then again without the limit.

Arguments: the folder in which fits are counted, the checkpoint, ``n_jobs``, and the grid as JSON.
Prints the error of the first search and the number of fits of the second.
"""

import json
import os
import resource
import sys

from helpers.counting_estimator import CountingRegressor
from sklearn.datasets import make_regression

from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import StoreError


def score(estimator, X, y):
    if "LIMIT" in os.environ:  # set it where the fit runs, once everything else has been written
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(os.environ["LIMIT"]), hard))
    return float(y.sum())


fits, checkpoint, n_jobs, grid = sys.argv[1:]
X, y = make_regression(40, 3, random_state=0)
search = DistributedSearchCV(
    CountingRegressor(folder=fits),
    json.loads(grid),
    scoring=score,
    cv=2,
    refit=False,
    n_jobs=int(n_jobs),
    checkpoint=checkpoint,
)
os.environ["LIMIT"] = "900"
try:
    search.fit(X, y)
except StoreError as exc:
    sys.stdout.write(f"StoreError: {exc}\n")
del os.environ["LIMIT"]
resource.setrlimit(resource.RLIMIT_FSIZE, [resource.getrlimit(resource.RLIMIT_FSIZE)[1]] * 2)
before = len(os.listdir(fits))
search.set_params(n_jobs=1).fit(X, y)
sys.stdout.write(f"then {len(os.listdir(fits)) - before}\n")
