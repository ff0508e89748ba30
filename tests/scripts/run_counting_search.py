"""Run a search on a checkpoint.

Arguments: the folder in which fits are counted, the checkpoint, ``n_jobs``, and the grid as JSON.
"""

import json
import sys

from helpers.counting_estimator import CountingRegressor
from sklearn.datasets import make_regression

from skdistsearch import DistributedSearchCV

fits, checkpoint, n_jobs, grid = sys.argv[1:]
X, y = make_regression(40, 3, random_state=0)
DistributedSearchCV(
    CountingRegressor(folder=fits),
    json.loads(grid),
    cv=2,
    refit=False,
    n_jobs=int(n_jobs),
    checkpoint=checkpoint,
).fit(X, y)
