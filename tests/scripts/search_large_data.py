"""A search on large data, for test_leftover_files.py to end in different ways.

Arguments: a folder, how the fits end ("return", "raise", "kill") and options of the search as JSON.
Each fit creates a file in the folder when it begins, and ends when the folder has a file "end".
"""

import json
import os
import signal
import sys
import time
import uuid
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from skdistsearch import DistributedSearchCV


class Waits(RegressorMixin, BaseEstimator):
    def __init__(self, folder="", end="", number=0):
        self.folder, self.end, self.number = folder, end, number

    def fit(self, X, y):
        assert X.flags.writeable
        X[0] = 0
        Path(self.folder, uuid.uuid4().hex).touch()
        while not Path(self.folder, "end").exists():
            time.sleep(0.02)
        if self.end == "raise":
            raise RuntimeError("an error of the fit")
        if self.end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def predict(self, X):
        return X[:, 0]


folder, end, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
X = np.ones((70_000, 120))
grid = {"folder": [folder], "end": [end], "number": [0, 1]}
search = DistributedSearchCV(
    Waits(), grid, cv=2, refit=False, error_score="raise" if end == "raise" else np.nan, **options
)
search.fit(X, X[:, 0])
