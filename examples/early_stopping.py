"""Early stopping that does not leak: as a model, around a pipeline, in a search.

``EarlyStopping`` sets rows of its own training part aside, learns from them how many trees are
best, and fits once more on all rows. Scores come from rows that it has never seen.
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
X, X_fresh, y, y_fresh = train_test_split(X, y, train_size=500, random_state=0)

trees = HistGradientBoostingRegressor(max_iter=1000, max_depth=3, random_state=0)
model = EarlyStopping(trees, patience=10, random_state=0).fit(X, y)
print(f"Best iteration: {model.best_iteration_}")
print(f"R² on fresh rows: {model.score(X_fresh, y_fresh):.3f}")

# %% Around a pipeline: what comes before the model does not see the validation rows either

model = EarlyStopping(make_pipeline(StandardScaler(), trees), random_state=0).fit(X, y)
print(f"Around a pipeline: {model.best_iteration_}")

# %% In cross-validation the fold that scores is never looked at

cv = KFold(5, shuffle=True, random_state=0)
scores = cross_val_score(model, X, y, cv=cv)
print(f"Cross-validated R²: {np.mean(scores):.3f}")

# %% In a search: each candidate stops when it is time; more iterations for more rows

model = EarlyStopping(trees, rescale_iterations=True, random_state=0)
grid = {"estimator__learning_rate": [0.1, 0.3], "estimator__max_depth": [1, 3]}
search = DistributedSearchCV(model, grid, cv=cv, n_jobs=2).fit(X, y)
print("Best of the search:", search.best_params_)
best = search.best_estimator_
print(f"It stopped at {best.best_iteration_} and was fitted for {best.n_iter_} iterations.")
print(f"R²: {search.best_score_:.3f} cross-validated, {search.score(X_fresh, y_fresh):.3f} fresh")
