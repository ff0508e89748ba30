"""Cost of LightGBM's threads when several fits run at once.

ColumnTransformer, then SelectKBest or PCA, then LGBMRegressor, 20 candidates x 5 splits, 20,000
rows; LightGBM with its default threads, and with ``n_jobs=1``. By hand: two processes with one
thread each, which take splits and fit each transformer once.
"""

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

from benchmarks.competitors import BY_HAND, JOBS, compare_cases, make_searches

N_COLUMNS, CV = 60, KFold(5)
NUMERIC = [f"x{number}" for number in range(N_COLUMNS)]
REDUCERS = [SelectKBest(f_regression, k=10), PCA(10, random_state=0)]
CASES = {"default threads": None, "one thread": 1}
TARGETS = {
    "default threads: wall / GridSearchCV": 0.05,
    "default threads: wall / by hand": 1.2,
    "one thread: wall / GridSearchCV": 0.73,
    "one thread: wall / by hand": 1.05,
}


def measure(options):
    X, y = make_data(n_rows=1000 if options.quick else 20_000)
    leaves = [7] if options.quick else [7, 15, 31, 63, 127]
    params = {"num_leaves": leaves, "learning_rate": [0.05, 0.1]}
    return compare_cases(
        {case: make_competitors(X, y, params, n_jobs) for case, n_jobs in CASES.items()}, options
    )


def make_data(n_rows):
    X, y = make_regression(n_rows, N_COLUMNS, n_informative=8, noise=50, random_state=0)
    colours = np.random.default_rng(0).choice(list("abc"), n_rows)
    return pd.DataFrame(X, columns=NUMERIC).assign(colour=colours), y


def make_competitors(X, y, params, n_jobs):
    grid = {"reduce": REDUCERS, **{f"model__{name}": values for name, values in params.items()}}
    searches = make_searches(make_pipeline(n_jobs), grid, (X, y), cv=CV)
    return {**searches, BY_HAND: lambda: fit_by_hand(X, y, params)}


def make_pipeline(n_jobs):
    columns = [("numbers", StandardScaler(), NUMERIC), ("words", OneHotEncoder(), ["colour"])]
    model = LGBMRegressor(n_estimators=25, n_jobs=n_jobs, random_state=0, verbose=-1)
    prepare = ColumnTransformer(columns, sparse_threshold=0)
    return Pipeline([("prepare", prepare), ("reduce", "passthrough"), ("model", model)])


def fit_by_hand(X, y, params):
    return joblib.Parallel(JOBS, batch_size=1)(
        joblib.delayed(fit_split)(X, y, *split, reducer, params)
        for split, reducer in product(CV.split(X), REDUCERS)
    )


def fit_split(X, y, train, test, reducer, params):
    """Return the scores of the fits on one split that share their transformers."""
    *_, model = pipe = make_pipeline(n_jobs=1)
    prepare = pipe[:2].set_params(reduce=clone(reducer))
    X_train = prepare.fit_transform(X.iloc[train], y[train])
    X_test = prepare.transform(X.iloc[test])
    return [
        clone(model)
        .set_params(num_leaves=num_leaves, learning_rate=rate)
        .fit(X_train, y[train])
        .score(X_test, y[test])
        for num_leaves, rate in product(*params.values())
    ]
