"""Import what a search imports, and hold ``X.npy`` and ``y.npy`` of this folder."""

import numpy as np
import sklearn.linear_model
import sklearn.model_selection  # noqa: F401

from skdistsearch import DistributedSearchCV  # noqa: F401

X, y = np.load("X.npy"), np.load("y.npy")
