"""
Stop early without a leak
=========================

A model that stops early on the fold that scores it has used that fold to choose its number of
iterations, so its score is optimistic. :class:`~skdistsearch.EarlyStopping` holds back a part of
the training rows instead. This page measures the difference.
"""

# %%
# Three ways to choose the number of trees
# ----------------------------------------
# The first stops on the scoring fold: the leak. The second is
# :class:`~skdistsearch.EarlyStopping`. The third is a fixed number of trees, which cannot leak.

import matplotlib.pyplot as plt
import numpy as np
from lightgbm import LGBMRegressor, early_stopping
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, EarlyStopping
from skdistsearch.report import TrainingHistoryDisplay

trees = LGBMRegressor(n_estimators=1000, max_depth=3, n_jobs=1, verbose=-1)


def stop_on_the_scoring_fold(X, y, X_score, y_score):
    stop = early_stopping(10, verbose=False)
    model = clone(trees)
    return model.fit(X, y, eval_X=X_score, eval_y=y_score, callbacks=[stop])


def stop_on_own_rows(X, y, X_score, y_score):
    return EarlyStopping(trees, patience=10, random_state=0).fit(X, y)


def fix_the_number(X, y, X_score, y_score):
    return clone(trees).set_params(n_estimators=30).fit(X, y)


# %%
# Measure the optimism
# --------------------
# A score is optimistic if it is higher than the score of the same models on fresh rows. For each of
# 20 samples of 200 rows, this is R² in cross-validation minus R² on 5,000 fresh rows.


def measure_optimism(fit, seed):
    X, y = make_friedman1(5200, noise=5, random_state=seed)
    known, fresh = np.arange(200), np.arange(200, 5200)
    differences = []
    for train, test in KFold(5, shuffle=True, random_state=seed).split(known):
        model = fit(X[train], y[train], X[test], y[test])
        score = model.score(X[test], y[test])
        differences.append(score - model.score(X[fresh], y[fresh]))
    return np.mean(differences)


rules = {
    "stopped on the\nscoring fold": stop_on_the_scoring_fold,
    "EarlyStopping": stop_on_own_rows,
    "fixed number": fix_the_number,
}
optimism = {
    name: np.array([measure_optimism(fit, seed) for seed in range(20)])
    for name, fit in rules.items()
}

# %%
# The difference varies with the sample far more than with the rule. All rules see the same samples,
# so the difference of the fixed number of trees is subtracted, sample by sample.

fixed = optimism.pop("fixed number")
colours = ["#D55E00", "#0072B2"]
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for row, (name, values) in enumerate(optimism.items()):
    leak = values - fixed
    heights = np.linspace(row - 0.2, row + 0.2, len(leak))
    ax.plot(leak, heights, "o", color=colours[row], alpha=0.6)
    ax.plot([leak.mean()] * 2, [row - 0.3, row + 0.3], color=colours[row], linewidth=3)
    label = name.replace("\n", " ")
    print(f"{label}: mean {leak.mean():+.4f}, above 0 in {(leak > 0).sum()} of 20")
ax.axvline(0, color="black", linewidth=0.8)
ax.set_yticks(range(len(optimism)), optimism)
ax.invert_yaxis()
ax.set_xlabel("optimism of R² in cross-validation (line: mean of 20 samples)")
ax.grid(axis="x", alpha=0.3)

# %%
# The leak shrinks with the number of rows: with 10,000 rows it is below 0.001
# (:doc:`/performance`).

# %%
# Early stopping in a search
# --------------------------
# :class:`~skdistsearch.EarlyStopping` goes around a model or a whole pipeline. Around a pipeline,
# the steps before the model do not see the validation rows either. Each fit stops by itself.
# ``rescale_iterations=True`` runs more iterations in the last fit, which has more rows.

X, y = make_friedman1(1000, noise=2, random_state=0)
pipe = Pipeline([("scale", StandardScaler()), ("model", trees)])
model = EarlyStopping(pipe, patience=10, rescale_iterations=True, random_state=0)
grid = {
    "estimator__model__learning_rate": [0.03, 0.1, 0.3],
    "estimator__model__max_depth": [1, 3],
}
cv = KFold(5, shuffle=True, random_state=0)
search = DistributedSearchCV(model, grid, cv=cv, keep="estimators", n_jobs=2)
search.fit(X, y)
print(f"R² {search.best_score_:.3f}")

best = search.best_estimator_
print(f"Stopped at iteration {best.best_iteration_},")
print(f"then fitted on all rows for {best.n_iter_} iterations.")

# %%
# ``keep="estimators"`` keeps the models of all fits, so the histories of the best candidate can be
# drawn split by split.

models = search.fold_estimators_[search.best_index_]
names = [f"split {number}" for number in range(len(models))]
TrainingHistoryDisplay.from_estimators(dict(zip(names, models, strict=True)))
plt.show()
