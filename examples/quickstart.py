"""One search run three ways: with GridSearchCV, in local worker processes, and on Metaflow.

Run it as a script or cell by cell. Only the class and ``backend=`` change. The scores are equal bit
for bit.
"""

# %% scikit-learn's search

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV

X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), SVC())
grid = {"svc__C": [0.1, 1, 10, 100], "svc__gamma": [0.001, 0.01, 0.1]}

expected = GridSearchCV(model, grid, cv=5).fit(X, y)
print(f"GridSearchCV         {expected.best_score_:.4f}  {expected.best_params_}")

# %% The same search in two worker processes on this machine

local = DistributedSearchCV(model, grid, cv=5, n_jobs=2).fit(X, y)
print(f"DistributedSearchCV  {local.best_score_:.4f}  {local.best_params_}")

# %% The same search in the tasks of a Metaflow run

metaflow = DistributedSearchCV(model, grid, cv=5, n_jobs=2, backend="metaflow").fit(X, y)
print(f"on Metaflow          {metaflow.best_score_:.4f}  {metaflow.best_params_}")
print("Runs:", *metaflow.runs_)

# %% Every score of every candidate on every split is the same

scores = [name for name in expected.cv_results_ if "score" in name and "time" not in name]
for search in (local, metaflow):
    for name in scores:
        np.testing.assert_array_equal(search.cv_results_[name], expected.cv_results_[name])
print(f"All {len(scores)} columns of scores in cv_results_ are equal bit for bit.")
