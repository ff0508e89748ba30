"""Fit a search on ``X.npy`` and ``y.npy`` of this folder: ``search_large.py metaflow|none``."""

import json
import sys
import time

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold

from skdistsearch import DistributedSearchCV

model = Ridge(solver="cholesky", copy_X=False)
params = {"param_grid": {"alpha": [1.0]}, "cv": KFold(5), "refit": False}
if sys.argv[1] == "none":
    X, y = np.load("X.npy", mmap_mode="r"), np.load("y.npy")
    search = GridSearchCV(model, n_jobs=1, **params)
else:
    X, y = np.load("X.npy"), np.load("y.npy")
    search = DistributedSearchCV(model, n_jobs=2, backend=sys.argv[1], **params)
begin = time.perf_counter()
search.fit(X, y)
print(json.dumps({"wall_s": time.perf_counter() - begin}))
