"""One search three ways: GridSearchCV, its drop-in here, and its drop-in on Metaflow.

Run it as a script, or cell by cell. Only the class's name and ``backend=`` change; the scores
are equal bit for bit.
"""

# %% A search as scikit-learn knows it

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

here = GridSearchCV(model, grid, cv=5).fit(X, y)
print(f"GridSearchCV         {here.best_score_:.4f}  {here.best_params_}")

# %% The same, in two worker processes of this machine

local = DistributedSearchCV(model, grid, cv=5, n_jobs=2).fit(X, y)
print(f"DistributedSearchCV  {local.best_score_:.4f}  {local.best_params_}")

# %% The same, in tasks of a Metaflow run

metaflow = DistributedSearchCV(model, grid, cv=5, n_jobs=2, backend="metaflow").fit(X, y)
print(f"on Metaflow          {metaflow.best_score_:.4f}  {metaflow.best_params_}")
print("Runs:", *metaflow.runs_)

# %% Every score of every candidate on every split

scores = [name for name in here.cv_results_ if "score" in name and "time" not in name]
for search in (local, metaflow):
    for name in scores:
        np.testing.assert_array_equal(search.cv_results_[name], here.cv_results_[name])
print(f"All {len(scores)} columns of scores in cv_results_ are equal bit for bit.")
