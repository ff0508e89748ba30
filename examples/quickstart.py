"""
Replace GridSearchCV
====================

:class:`~skdistsearch.DistributedSearchCV` takes the place of
:class:`~sklearn.model_selection.GridSearchCV`. This page runs one search three times: with
scikit-learn, in two worker processes, and in a Metaflow run on this machine. All scores are equal
bit for bit.
"""

# %%
# The model and its grid
# ----------------------
# A pipeline, a grid and a data set, as in any search of scikit-learn.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV
from skdistsearch.report import CVScoresDisplay, ParameterScoresDisplay

X, y = load_digits(return_X_y=True)
model = make_pipeline(StandardScaler(), SVC())
grid = {"svc__C": [10, 100, 1000], "svc__gamma": [0.0001, 0.0005, 0.002, 0.01]}

expected = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
print(f"{expected.best_score_:.4f}  {expected.best_params_}")

# %%
# Two worker processes
# --------------------
# Only the name of the class changes. ``n_jobs`` has the same meaning as in scikit-learn.

search = DistributedSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
print(f"{search.best_score_:.4f}  {search.best_params_}")

# %%
# A Metaflow run
# --------------
# ``backend="metaflow"`` runs the fits as tasks of a Metaflow run on this machine. With
# ``backend="batch"`` or ``"kubernetes"`` the same tasks run in containers.

on_metaflow = DistributedSearchCV(model, grid, cv=3, n_jobs=2, backend="metaflow")
on_metaflow.fit(X, y)
print(f"{on_metaflow.best_score_:.4f}  {on_metaflow.best_params_}")
print("Metaflow runs:", len(on_metaflow.runs_))

# %%
# The scores are equal
# --------------------
# Every score of every candidate on every split is the same.

columns = [name for name in expected.cv_results_ if name.endswith("test_score")]
for name in columns:
    scores = expected.cv_results_[name]
    np.testing.assert_array_equal(search.cv_results_[name], scores)
    np.testing.assert_array_equal(on_metaflow.cv_results_[name], scores)
print(f"{len(columns)} columns of cv_results_ are equal bit for bit.")

# %%
# Pictures
# --------
# The displays of :mod:`skdistsearch.report` draw a fitted search, scikit-learn's too. Here is one
# box for each candidate, the best on top.

CVScoresDisplay.from_search(search)

# %%
# Against two parameters, colours are mean scores.

ParameterScoresDisplay.from_search(search, ["gamma", "C"])
plt.show()

# %%
# See :ref:`sphx_glr_auto_examples_model_families.py` for a search over several kinds of models.
