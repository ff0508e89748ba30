"""
Combine the candidates of a search
==================================

:meth:`Ensemble.from_search <skdistsearch.Ensemble.from_search>` selects among all candidates by
their out-of-fold predictions. This page compares four methods with the best candidate.
"""

# %%
# The search
# ----------
# Four model families. ``keep="predictions"`` keeps the out-of-fold predictions of the fits that are
# scored.

import matplotlib.pyplot as plt
import pandas as pd
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
    {
        "model": [RandomForestRegressor(20, random_state=0)],
        "model__max_depth": [2, 4, 8],
    },
    {
        "model": [GradientBoostingRegressor(n_estimators=50, random_state=0)],
        "model__max_depth": [1, 2, 3],
    },
]
cv = KFold(5, shuffle=True, random_state=0)
search = DistributedSearchCV(pipe, grid, cv=cv, keep="predictions", n_jobs=2)
search.fit(X, y)
print(f"R² {search.best_score_:.3f}: {search.best_params_}")

# %%
# Four methods, and the best candidate
# ------------------------------------
# Each has three scores:
#
# - *out of fold*: on the rows that were used to choose the members, so it is optimistic,
# - *nested*: on rows that neither the choice nor its models have seen, for which each candidate is
#   fitted ten more times,
# - *held out*: on the test set, which neither the search nor the ensemble has seen.

scores = {}
for method in ("greedy", "mean", "weighted", "stack"):
    ensemble = Ensemble.from_search(search, X, y, method=method, nested=True, n_jobs=2)
    scores[method] = {
        "out of fold": ensemble.oof_score_,
        "nested": ensemble.nested_score_,
        "held out": ensemble.score(X_test, y_test),
        "members": len(ensemble.members_),
    }
scores["best candidate"] = {
    "out of fold": ensemble.best_candidate_oof_score_,
    "nested": ensemble.best_candidate_nested_score_,
    "held out": search.score(X_test, y_test),
    "members": 1,
}
table = pd.DataFrame(scores).T.astype({"members": int})
table.round(4)

# %%
# On the out-of-fold rows an ensemble is never worse than the best candidate. Where it would be,
# the ensemble is that candidate, as with ``"stack"`` here. To judge an ensemble, compare the nested
# scores.

figure, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
colours = {"out of fold": "#999999", "nested": "#0072B2", "held out": "#E69F00"}
for (name, colour), marker in zip(colours.items(), "Dos", strict=True):
    options = {"color": colour, "marker": marker, "s": 60, "zorder": 3}
    ax.scatter(table[name], table.index, label=name, **options)
ax.margins(y=0.12)
ax.invert_yaxis()
ax.set_xlabel("R² (higher is better)")
ax.grid(alpha=0.3)
ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
plt.show()

# %%
# The test set has 133 rows, too few to tell the methods apart.
