"""An ensemble of the candidates of a search, compared with the best candidate.

    python ensemble.py

`Ensemble.from_search` selects among all candidates by their out-of-fold predictions. The table has
three scores for each method and for the best candidate: out of fold, which is optimistic because
the same rows were used for the selection; nested, on rows that were not used for it; and on
held-out rows, which neither the search nor the ensemble has seen.
"""

# %% Data, and model families with their parameters

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, Ensemble

X, y = load_diabetes(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
pipe = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
grid = [
    {"model": [Ridge()], "model__alpha": [0.1, 1.0, 10.0, 100.0]},
    {"model": [KNeighborsRegressor()], "model__n_neighbors": [5, 10, 20, 40]},
    {"model": [RandomForestRegressor(50, random_state=0)], "model__max_depth": [2, 4, 8]},
    {"model": [GradientBoostingRegressor(random_state=0)], "model__max_depth": [1, 2, 3]},
]

# %% The search keeps the out-of-fold predictions

cv = KFold(5, shuffle=True, random_state=0)
search = DistributedSearchCV(pipe, grid, cv=cv, keep="predictions", n_jobs=2).fit(X, y)

# %% Four methods, and the best candidate

ROW = "{:<16}{:>12.4f}{:>9.4f}{:>9.4f}   {}"
print(f"{'R²':<16}{'out of fold':>12}{'nested':>9}{'held out':>9}   members")
for method in ("greedy", "mean", "weighted", "stack"):
    ensemble = Ensemble.from_search(search, X, y, method=method)
    scores = ensemble.oof_score_, ensemble.nested_score_, ensemble.score(X_test, y_test)
    print(ROW.format(method, *scores, len(ensemble.members_)))
best = ensemble.best_candidate_oof_score_, ensemble.best_candidate_nested_score_
print(ROW.format("best candidate", *best, search.score(X_test, y_test), 1))
