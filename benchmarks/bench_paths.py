"""Cost of a grid over the number of trees, which one fit for many candidates avoids.

50, 100, 200 and 400 trees, three learning rates and two depths, 5 splits: LightGBM (5,000 x 30,
default threads), LightGBM with one thread, and HistGradientBoosting behind a ColumnTransformer
(5,000 rows, 20 numbers, 3 categories). By hand: two processes that take splits, fit the longest
model of each setting once, and read the shorter ones from it.
"""

from functools import partial
from itertools import product

import joblib
import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_regression
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.competitors import BASE, BY_HAND, JOBS, OURS, compare_cases, make_searches
from skdistsearch import DistributedSearchCV

CV = KFold(5)
WITHOUT = f"{OURS}, cache_mb=0"
SETTINGS = {"learning_rate": [0.03, 0.1, 0.3], "max_depth": [3, 6]}
TARGETS = {
    "LightGBM: wall / GridSearchCV": 0.40,
    "LightGBM: wall / by hand": 1.1,
    "LightGBM, one thread: wall / by hand": 1.1,
    "HistGradientBoosting: wall / GridSearchCV": 0.40,
    "HistGradientBoosting: wall / by hand": 1.1,
}


def measure(options):
    n_rows = 500 if options.quick else 5_000
    lengths = [2, 4] if options.quick else [50, 100, 200, 400]
    lightgbm = partial(LGBMRegressor, random_state=0, verbose=-1)
    cases = {
        "LightGBM": (make_numbers, lightgbm(), "n_estimators"),
        "LightGBM, one thread": (make_numbers, lightgbm(n_jobs=1), "n_estimators"),
        "HistGradientBoosting": (
            make_table,
            HistGradientBoostingRegressor(early_stopping=False, random_state=0),
            "max_iter",
        ),
    }
    return compare_cases(
        {case: make_competitors(*parts, lengths, n_rows) for case, parts in cases.items()}, options
    )


def make_numbers(n_rows):
    X, y = make_regression(n_rows, 30, n_informative=8, noise=50, random_state=0)
    return X, y, []


def make_table(n_rows):
    X, y = make_regression(n_rows, 20, n_informative=8, noise=50, random_state=0)
    numbers = [f"x{number}" for number in range(20)]
    words = np.random.default_rng(0).choice(list("abcdefgh"), (3, n_rows))
    table = pd.DataFrame(X, columns=numbers).assign(u=words[0], v=words[1], w=words[2])
    encode = OneHotEncoder(sparse_output=False)
    columns = [("numbers", StandardScaler(), numbers), ("words", encode, ["u", "v", "w"])]
    return table, y, [("prepare", ColumnTransformer(columns))]


def make_competitors(make_data, model, length, lengths, n_rows):
    X, y, steps = make_data(n_rows)
    pipe = Pipeline([*steps, ("model", model)])
    grid = {f"model__{name}": values for name, values in {length: lengths, **SETTINGS}.items()}
    searches = make_searches(pipe, grid, (X, y), cv=CV, with_peers=False)
    del searches[f"{BASE}, n_jobs=1"]
    without = DistributedSearchCV(pipe, grid, cv=CV, n_jobs=JOBS, refit=False, cache_mb=0)
    searches[WITHOUT] = lambda: clone(without).fit(X, y)
    return {**searches, BY_HAND: lambda: fit_by_hand(pipe, X, y, length, lengths)}


def fit_by_hand(pipe, X, y, length, lengths):
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        return joblib.Parallel(JOBS, batch_size=1)(
            joblib.delayed(fit_split)(pipe, X, y, *split, length, lengths) for split in CV.split(X)
        )


def fit_split(pipe, X, y, train, test, length, lengths):
    """Return the scores of all candidates on one split."""
    prepare, model = pipe[:-1], pipe[-1]
    X_train, X_test = take_rows(X, train), take_rows(X, test)
    if len(prepare):
        X_train, X_test = prepare.fit_transform(X_train), prepare.transform(X_test)
    if hasattr(model, "n_jobs"):
        model = clone(model).set_params(n_jobs=1)
    scores = []
    for values in product(*SETTINGS.values()):
        settings = dict(zip(SETTINGS, values, strict=True))
        fitted = clone(model).set_params(**{length: max(lengths)}, **settings)
        predictions = predict_stages(fitted.fit(X_train, y[train]), X_test, lengths)
        scores += [r2_score(y[test], y_pred) for y_pred in predictions]
    return scores


def take_rows(X, rows):
    return X[rows] if isinstance(X, np.ndarray) else X.iloc[rows]


def predict_stages(model, X, lengths):
    if hasattr(model, "staged_predict"):
        stages = enumerate(model.staged_predict(X), start=1)
        return [y_pred for n, y_pred in stages if n in lengths]
    return [model.predict(X, num_iteration=n) for n in lengths]
