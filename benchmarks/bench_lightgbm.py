"""What do LightGBM's default threads cost when several fits run at once?

ColumnTransformer, then SelectKBest or PCA, then LGBMRegressor, 20 candidates x 5 splits, 20,000
rows. By hand: two processes with one thread each, which take splits and fit each transformer once.
``LEAVES=1`` in the environment leaves a fifth of the candidates.

Last answer (two cores). Default threads, medians of 3: 7.3 s, 0.90 x by hand. With ``LEAVES=1``,
one cold run: 4.4 s, GridSearchCV 11.2 (0.39 x). There were four threads on two cores then and
nothing else; a fifty-fold slow-down, which was seen where other work took a core from the threads
that the others spin for, did not come.
``n_jobs=1``, medians of 2: 6.3 s, 0.69 x GridSearchCV, 0.98 x by hand; dask-ml 0.80 x, and in a run
before joblib over dask 1.54 x, over ray 1.60 x. What is left is the trees' own time.

    python -m benchmarks bench_lightgbm bench_lightgbm_one_thread
"""

import os
from itertools import product

import joblib
import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_regression
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.sides import JOBS, LIMIT, searches

ROWS, COLUMNS, SPLITS = 20_000, 60, KFold(5)
NAMES = [f"x{number}" for number in range(COLUMNS)]
REDUCE = [SelectKBest(f_regression, k=10), PCA(10, random_state=0)]
LEAVES = [7, 15, 31, 63, 127][: int(os.environ.get("LEAVES", 5))]
MODEL = {"num_leaves": LEAVES, "learning_rate": [0.05, 0.1]}
GRID = {"reduce": REDUCE, **{f"model__{name}": values for name, values in MODEL.items()}}
TARGETS = {"GridSearchCV": 0.05, LIMIT: 1.2}


def data():
    X, y = make_regression(ROWS, COLUMNS, n_informative=8, noise=50, random_state=0)
    rng = np.random.default_rng(0)
    return pd.DataFrame(X, columns=NAMES).assign(colour=rng.choice(list("abc"), ROWS)), y


def pipeline(n_jobs=None):
    columns = [("numbers", StandardScaler(), NAMES), ("words", OneHotEncoder(), ["colour"])]
    model = LGBMRegressor(n_estimators=25, n_jobs=n_jobs, random_state=0, verbose=-1)
    prepare = ColumnTransformer(columns, sparse_threshold=0)
    return Pipeline([("prepare", prepare), ("reduce", "passthrough"), ("model", model)])


def split(X, y, train, test, reduce):
    """Scores of the fits on one split that share their transformers."""
    pipe = pipeline(n_jobs=1)[:2].set_params(reduce=clone(reduce))
    X_train, X_test = pipe.fit_transform(X.iloc[train], y[train]), pipe.transform(X.iloc[test])
    model = pipeline(n_jobs=1)["model"]
    return [
        clone(model)
        .set_params(num_leaves=num_leaves, learning_rate=rate)
        .fit(X_train, y[train])
        .score(X_test, y[test])
        for num_leaves, rate in product(*MODEL.values())
    ]


def by_hand(X, y):
    splits = product(SPLITS.split(X), REDUCE)
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(split)(X, y, *indices, reduce) for indices, reduce in splits
    )


def sides(n_jobs=None):
    X, y = data()
    found = searches(pipeline(n_jobs), GRID, (X, y), cv=SPLITS)
    return {**found, LIMIT: lambda: by_hand(X, y)}
