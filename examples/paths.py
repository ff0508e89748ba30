"""
Grids over the number of trees
==============================

A boosting with 300 trees contains the ones with 10, 20, 30, ... trees. A search over the number of
trees fits the longest model of each setting once, and reads the scores of all others from it. So a
fine grid costs what its largest value costs, and shows where more trees stop to help.
"""

# %%
# Thirty numbers of trees and three learning rates: 90 candidates on 5 splits are 450 fits for
# `GridSearchCV`. Here they are 15.

import time

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import KFold

from skdistsearch import DistributedSearchCV

if __name__ == "__main__":
    X, y = load_diabetes(return_X_y=True)
    n_trees, rates = np.arange(10, 301, 10), [0.02, 0.05, 0.2]
    model = GradientBoostingRegressor(max_depth=2, random_state=0)
    grid = {"n_estimators": n_trees, "learning_rate": rates}
    cv = KFold(5, shuffle=True, random_state=0)

    start = time.perf_counter()
    search = DistributedSearchCV(model, grid, cv=cv, refit=False).fit(X, y)
    print(f"{len(search.cv_results_['params'])} candidates: {time.perf_counter() - start:.1f} s")

    longest = {"n_estimators": n_trees[-1:], "learning_rate": rates}
    start = time.perf_counter()
    DistributedSearchCV(model, longest, cv=cv, refit=False).fit(X, y)
    print(f"the {len(rates)} longest alone: {time.perf_counter() - start:.1f} s")

    # %%
    # Scores against the number of trees
    # ----------------------------------
    # The scores are those of `GridSearchCV`, bit for bit. A high learning rate needs few trees, and
    # loses with more of them.

    import matplotlib.pyplot as plt

    results = search.cv_results_
    rate_of = np.array([params["learning_rate"] for params in results["params"]])
    trees_of = np.array([params["n_estimators"] for params in results["params"]])
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for rate in rates:
        rows = rate_of == rate
        means = results["mean_test_score"][rows]
        errors = results["std_test_score"][rows] / np.sqrt(cv.get_n_splits())
        (line,) = ax.plot(trees_of[rows], means, label=f"{rate:g}")
        ax.fill_between(trees_of[rows], means - errors, means + errors, alpha=0.15)
        best = np.argmax(means)
        ax.plot(trees_of[rows][best], means[best], "o", color=line.get_color())
    ax.set(xlabel="number of trees", ylabel="R², mean of 5 splits ± standard error")
    ax.legend(title="learning rate")
    plt.show()
