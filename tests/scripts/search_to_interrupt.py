"""A search whose fits sleep, for test_interrupt.py to interrupt or kill.

Arguments: the folder in which each fit creates a file, and options of the search as JSON. After
Ctrl-C, prints "KeyboardInterrupt" and whether the search has results, then waits for the end of
its standard input.
"""

import json
import sys
import time

from sklearn.datasets import make_regression

from skdistsearch import DistributedSearchCV
from skdistsearch.testing import FaultyRegressor

folder, options = sys.argv[1], json.loads(sys.argv[2])
X, y = make_regression(20, 2, random_state=0)
grid = {"behavior": ["sleep"], "factor": [1, 2], "folder": [folder]}
search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, **options)
try:
    search.fit(X, y)
except KeyboardInterrupt:
    print("KeyboardInterrupt", hasattr(search, "cv_results_"), flush=True)  # noqa: T201
    time.sleep(0.5)
    sys.stdin.read()
