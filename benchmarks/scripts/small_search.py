"""Fit a search of trivial fits: ``small_search.py BACKEND N_FITS``."""

import sys

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

from skdistsearch import DistributedSearchCV

backend, n_fits = sys.argv[1], int(sys.argv[2])
grid = {"alpha": np.logspace(-3, 3, n_fits // 5)}
DistributedSearchCV(Ridge(), grid, cv=5, backend=backend, n_jobs=2).fit(
    *load_diabetes(return_X_y=True)
)
