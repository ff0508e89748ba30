"""
Hyperband and Optuna beside a random search
===========================================

Two searches that look at the scores so far, and one that does not. All of them get the same space.
"""

# %%
# Hyperband
# ---------
# Candidates begin with a few trees. The best third gets three times as many, and their models go on
# where they were. The learning rate is not searched: with few trees, small rates always look bad.

import matplotlib.pyplot as plt
import pandas as pd
from scipy.stats import randint, uniform
from sklearn.datasets import make_friedman1
from sklearn.ensemble import GradientBoostingRegressor

from skdistsearch import (
    DistributedHyperbandSearchCV,
    DistributedOptunaSearchCV,
    DistributedRandomizedSearchCV,
)
from skdistsearch.report import BestScoreDisplay, RungsDisplay

X, y = make_friedman1(500, noise=1, random_state=0)
model = GradientBoostingRegressor(n_estimators=81, random_state=0)
space = {
    "max_depth": randint(1, 6),
    "max_features": uniform(0.1, 0.9),
    "min_samples_leaf": randint(1, 50),
}
options = {"cv": 5, "random_state": 0, "n_jobs": 2}
hyperband = DistributedHyperbandSearchCV(
    model, space, resource="n_estimators", max_resources=81, n_brackets=3, **options
)
pd.DataFrame(hyperband.plan_)

# %%
# Each line is a candidate. It ends where the candidate was dropped.

hyperband.fit(X, y)
RungsDisplay.from_search(hyperband)

# %%
# Optuna
# ------
# The sampler knows the scores of all but the last ``n_pending`` candidates, so that the same seed
# gives the same candidates for any number of workers.

optuna = DistributedOptunaSearchCV(model, space, n_trials=20, n_pending=4, **options).fit(X, y)
random = DistributedRandomizedSearchCV(model, space, n_iter=20, **options).fit(X, y)

# %%
# Best score so far
# -----------------

figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for ax, x in zip(axes, ["fits", "time"], strict=True):
    BestScoreDisplay.from_search(random, x=x, name="random", ax=ax)
    BestScoreDisplay.from_search(optuna, x=x, name="Optuna", ax=ax)

for name, search in {"Hyperband": hyperband, "Optuna": optuna, "random": random}.items():
    print(f"{name:10} {search.best_score_:.4f}")
plt.show()
