"""Early stopping without leaking the test fold: for a model, a pipeline and in a search.

``EarlyStopping`` sets aside a part of its own training rows, finds the best number of trees on it,
and fits once more on all of its rows. It never sees the rows that score it.
"""

# %% A model that stops early

import numpy as np
from sklearn.datasets import make_regression
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, EarlyStopping

X, y = make_regression(2500, n_features=10, n_informative=5, noise=100, random_state=0)
X, X_test, y, y_test = train_test_split(X, y, train_size=500, random_state=0)

trees = HistGradientBoostingRegressor(max_iter=1000, max_depth=3, random_state=0)
model = EarlyStopping(trees, patience=10, random_state=0).fit(X, y)
print(f"Best iteration: {model.best_iteration_}")
print(f"Held-out R²: {model.score(X_test, y_test):.3f}")

# %% Around a pipeline: the steps before the model do not see the validation rows either

model = EarlyStopping(make_pipeline(StandardScaler(), trees), random_state=0).fit(X, y)
print(f"Best iteration of the pipeline: {model.best_iteration_}")

# %% In cross-validation: the model never sees the fold that scores it

cv = KFold(5, shuffle=True, random_state=0)
scores = cross_val_score(model, X, y, cv=cv)
print(f"Cross-validated R²: {np.mean(scores):.3f}")

# %% In a search: each fit stops by itself; the last fit has more rows and more iterations

model = EarlyStopping(trees, rescale_iterations=True, random_state=0)
grid = {"estimator__learning_rate": [0.1, 0.3], "estimator__max_depth": [1, 3]}
search = DistributedSearchCV(model, grid, cv=cv, n_jobs=2).fit(X, y)
print("Best parameters:", search.best_params_)
best = search.best_estimator_
print(f"It stopped at {best.best_iteration_} and was fitted for {best.n_iter_} iterations.")
print(f"R²: {search.best_score_:.3f} cross-validated, {search.score(X_test, y_test):.3f} held out")
