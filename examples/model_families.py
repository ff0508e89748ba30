"""
Compare model families in one search
====================================

A grid may be a list: one dict for each model family, or *contender*. A dict is searched in full, or
sampled if it has the key ``"__n_iter"``. All contenders are scored on the same splits.
"""

# %%
# The contenders
# --------------
# A linear model and nearest neighbours are cheap, so they get a full grid. Eight settings of
# gradient boosting are drawn at random. :func:`~skdistsearch.add_baseline` adds one more contender,
# which predicts the mean of the targets.

import matplotlib.pyplot as plt
from scipy.stats import loguniform, randint
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, add_baseline
from skdistsearch.report import (
    CVScoresDisplay,
    ParallelCoordinatesDisplay,
    ScoreTimeDisplay,
    leaderboard,
)

X, y = make_friedman1(400, noise=2.0, random_state=0)
pipe = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
grid = [
    {"model": [Ridge()], "model__alpha": [0.1, 10, 100]},
    {"model": [KNeighborsRegressor()], "model__n_neighbors": [5, 10, 20]},
    {
        "model": [HistGradientBoostingRegressor(random_state=0)],
        "model__learning_rate": loguniform(0.02, 1),
        "model__max_depth": randint(1, 5),
        "__n_iter": 8,
    },
]
grid = add_baseline(pipe, grid)
search = DistributedSearchCV(pipe, grid, cv=5, n_jobs=2, random_state=2).fit(X, y)
print(f"R² {search.best_score_:.3f}: {search.best_params_['model']}")

# %%
# The best of each family
# -----------------------
# The leaderboard has a row for each contender: its best candidate. ``difference`` is the mean over
# the splits of its score minus that of the winner on the same split.

table = leaderboard(search, by="contender")
table[["rank", "contender", "parameters", "mean_score", "difference"]].round(3)

# %%
# All candidates
# --------------
# Colours are contenders. A model as good as the baseline has learnt nothing from the features.

CVScoresDisplay.from_search(search)

# %%
# All parameters
# --------------
# Each line is a candidate. Parameters that a family does not have are not set.

ParallelCoordinatesDisplay.from_search(search)

# %%
# Scores and times
# ----------------
# No candidate is both better and faster than one on the Pareto front.

ScoreTimeDisplay.from_search(search)
plt.show()
