"""
Successive halving over a pipeline
==================================

Successive halving starts with many candidates on few rows. In each round it keeps the best third
and gives them three times the rows. :class:`~skdistsearch.DistributedHalvingRandomSearchCV` is
scikit-learn's search of that kind with its fits in worker processes.
"""

# %%
# The search
# ----------
# 54 candidates are drawn at random. Many of them have the same first steps, which are fitted once
# for each split of a round. No import from ``sklearn.experimental`` is needed.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skdistsearch import DistributedHalvingRandomSearchCV
from skdistsearch.report import ParallelCoordinatesDisplay, ParameterImportancesDisplay, leaderboard

X, y = load_digits(return_X_y=True)
pipe = Pipeline(
    [("scale", StandardScaler()), ("pca", PCA(random_state=0)), ("svc", SVC())],
)
distributions = {
    "pca__n_components": [10, 20, 30, 40],
    "svc__C": loguniform(0.1, 1000),
    "svc__gamma": loguniform(1e-4, 1e-1),
}
search = DistributedHalvingRandomSearchCV(
    pipe,
    distributions,
    n_candidates=54,
    factor=3,
    min_resources="exhaust",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
    random_state=0,
    n_jobs=2,
).fit(X, y)
print("Candidates by round:", search.n_candidates_)
print("Rows by round:      ", search.n_resources_)

share = np.dot(search.n_candidates_, search.n_resources_) / (54 * len(X))
print(f"Rows in all fits: {share:.0%} of those of a search without halving")

# %%
# The rounds
# ----------
# Each line is a candidate. It ends in the last round that the candidate reached.

results = pd.DataFrame(search.cv_results_)
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for params, rounds in results.groupby(results["params"].astype(str)):
    style = {"color": "#0072B2", "alpha": 0.35}
    if params == str(search.best_params_):
        style = {"color": "#D55E00", "zorder": 3, "label": "the winner"}
    ax.plot(rounds["n_resources"], rounds["mean_test_score"], marker="o", **style)
ax.set_xscale("log")
ax.set_xticks(search.n_resources_, search.n_resources_)
ax.minorticks_off()
ax.set(xlabel="rows in the round", ylabel="mean accuracy")
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="lower right")

# %%
# The ranking
# -----------
# Candidates of later rounds rank first, because scores of different rounds come from different
# rows.

leaderboard(search)[["rank", "parameters", "mean_score"]].head(8).round(4)

# %%
# The parameters
# --------------
# Every candidate is drawn with the score of its last round.

ParallelCoordinatesDisplay.from_search(search)

# %%
# The importance of a parameter is its share in the differences between the candidates' scores. It
# is functional ANOVA if Optuna is installed, else permutation importance.

ParameterImportancesDisplay.from_search(search)
plt.show()
