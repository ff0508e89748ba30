"""
All of scikit-learn on Metaflow
===============================

Everything in scikit-learn that has an ``n_jobs`` can run on a Metaflow run, and with another word
on AWS Batch. :func:`skdistsearch.parallel` starts workers with the first call, and ends them with
the block.
"""

# %%
# Validation curves, feature selection and a nested search
# ---------------------------------------------------------
# Three functions that were not written for it. The workers stay from one to the next. On AWS Batch,
# the line would be ``skdistsearch.parallel("batch", n_jobs=20, memory_mb=8_000)``.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.feature_selection import RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, validation_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdistsearch

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
strengths = np.logspace(-4, 2, 7)
model = LogisticRegression(max_iter=1000)

seconds = {}
with skdistsearch.parallel("metaflow", n_jobs=2, min_remote_s=0):
    begin = time.perf_counter()
    train, test = validation_curve(model, X, y, param_name="C", param_range=strengths, cv=5)
    seconds["validation curve, with the start of the workers"] = time.perf_counter() - begin

    begin = time.perf_counter()
    selector = RFECV(model, cv=5).fit(X, y)
    seconds["recursive feature elimination"] = time.perf_counter() - begin

    begin = time.perf_counter()
    pipe = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipe, {"logisticregression__C": strengths})
    outer = cross_val_score(search, X, y, cv=4)
    seconds["nested search"] = time.perf_counter() - begin

for name, duration in seconds.items():
    print(f"{name}: {duration:.1f} s")
print(f"{selector.n_features_} of {X.shape[1]} features; outer accuracy {outer.mean():.3f}")

# %%
# The results are those of one process
# ------------------------------------

here = validation_curve(model, X, y, param_name="C", param_range=strengths, cv=5)
print("Largest difference:", np.abs(test - here[1]).max())

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for scores, label in ((train, "training rows"), (test, "test rows")):
    ax.plot(strengths, scores.mean(axis=1), marker="o", label=label)
ax.set_xscale("log")
ax.set(xlabel="C", ylabel="mean accuracy")
ax.grid(alpha=0.3)
ax.legend(frameon=False)
plt.show()
