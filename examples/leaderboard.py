"""
Rank candidates and choose a simple one
=======================================

The best candidate of a search was selected among many, by scores that vary from split to split.
This page shows how far apart the candidates are, and how to choose the simplest of those that are
about as good as the best.
"""

# %%
# A search
# --------
# The depth of a decision tree and the size of its leaves limit its complexity.

import tempfile
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import DistributedSearchCV, one_standard_error
from skdistsearch.report import CVScoresDisplay, html_report, leaderboard

X, y = load_breast_cancer(return_X_y=True)
tree = DecisionTreeClassifier(random_state=0)
grid = {"max_depth": [1, 2, 4, 8], "min_samples_leaf": [1, 5, 20]}
cv = StratifiedKFold(10, shuffle=True, random_state=0)
options = {"scoring": "roc_auc", "cv": cv, "n_jobs": 2}
search = DistributedSearchCV(tree, grid, **options).fit(X, y)

# %%
# Paired differences
# ------------------
# ``difference`` is the mean over the splits of a candidate's score minus the score of the best
# candidate on the same split. Its standard error is usually smaller than that of the scores,
# because some splits are harder than others for all candidates.

table = leaderboard(search).drop(columns=["contender", "fit_time_s"])
table.round(4)

# %%
# The picture has a row for each candidate. A bar extends one standard error to either side.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.errorbar(
    table["difference"],
    range(len(table)),
    xerr=table["difference_std_error"],
    fmt="o",
    color="#0072B2",
    ecolor="#56B4E9",
)
ax.axvline(0, color="black", linewidth=0.8)
ax.set_yticks(range(len(table)), table["parameters"])
ax.invert_yaxis()
ax.set_xlabel("difference in ROC AUC to the best candidate")
ax.grid(axis="x", alpha=0.3)

# %%
# The box plot shows the scores on the splits.

CVScoresDisplay.from_search(search)

# %%
# Choose a simple candidate
# -------------------------
# ``refit=one_standard_error`` selects, among the candidates within one standard error of the best,
# the one with the shortest fits. With ``by=`` it is the one with the lowest value of a parameter.

simplest = partial(one_standard_error, by="param_max_depth")
simple = DistributedSearchCV(tree, grid, **options, refit=simplest).fit(X, y)

table.loc[[search.best_index_, simple.best_index_]].round(4)

# %%
# A report in one file
# --------------------
# :func:`~skdistsearch.report.html_report` writes the leaderboard, the pictures and the settings of
# the search to one HTML file, without scripts or network requests.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "report.html")
    html_report(search, path, title="Decision trees")
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

plt.show()

# sphinx_gallery_thumbnail_number = 1
