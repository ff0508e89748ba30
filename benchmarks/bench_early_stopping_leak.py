"""Optimism of the score of a model that stopped early on the fold that scores it.

Two categories of rows. In each, the target depends on 5 of 10 features in another way, with noise.
LightGBM of depth 3, patience 10. For each seed: R² of 5-fold cross-validation, minus R² of the same
models on fresh rows of the same distribution.

That difference varies with the rows far more than with the leak. Trees of a fixed number, which
cannot leak, have the same rows and an expected difference of 0, so theirs is subtracted seed by
seed. Intervals are 95 % confidence intervals over the seeds.
"""

from functools import partial

import numpy as np
from lightgbm import LGBMRegressor, early_stopping
from scipy.stats import t
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold

from benchmarks.results import Measurement
from skdistsearch import EarlyStopping

PATIENCE = 10
N_FRESH = 10_000  # rows per category
TREES = LGBMRegressor(
    n_estimators=10_000, learning_rate=0.1, max_depth=3, n_jobs=1, verbose=-1, random_state=0
)
N_TREES = {500: 100, 5000: 170}
"""By rows per category: about as many as early stopping chooses."""
FIXED = "fixed number of trees"


def measure(options):
    n_seeds = options.runs(default=20)
    if options.quick:
        n_seeds = 2  # the least that has a confidence interval
    rows = []
    for n_rows in [500] if options.quick else N_TREES:
        rows += compare_rules(n_rows, n_seeds)
    return Measurement(rows, n_runs=n_seeds)


def compare_rules(n_rows, n_seeds):
    """Return a row for each rule that chooses the number of trees."""
    rules = {
        FIXED: partial(fit_fixed_number, n_trees=N_TREES[n_rows]),
        "stopped on the scoring fold": stop_on_scoring_fold,
        "EarlyStopping": stop_on_training_rows,
        "EarlyStopping(rescale_iterations=True)": partial(
            stop_on_training_rows, rescale_iterations=True
        ),
    }
    scores = {name: [] for name in rules}
    for seed in range(n_seeds):
        known, fresh = make_data(seed, n_rows)
        for name, fit in rules.items():
            scores[name].append(cross_validate(fit, known, fresh, seed))
    scores = {name: np.transpose(pairs) for name, pairs in scores.items()}
    return [make_row(n_rows, name, scores) for name in rules]


def make_row(n_rows, name, scores):
    cv, fresh = scores[name]
    net = cv - fresh - (scores[FIXED][0] - scores[FIXED][1])
    is_reference = name == FIXED
    return {
        "rows": f"2 x {n_rows:,}",
        "number of trees": name,
        "CV R²": round(cv.mean(), 4),
        "fresh R²": round(fresh.mean(), 4),
        "difference": confidence_interval(cv - fresh),
        "minus that of the fixed number": None if is_reference else confidence_interval(net),
        "seeds above 0": None if is_reference else int((net > 0).sum()),
    }


def make_data(seed, n_rows):
    """Return rows of each category, and fresh ones of the same distribution; y comes last."""
    known, fresh = [], []
    for category in range(2):
        X, y = make_regression(
            n_rows + N_FRESH,
            n_features=10,
            n_informative=5,
            noise=100,
            random_state=2 * seed + category,
        )
        data = np.column_stack([X, np.full(len(X), category), y])
        known.append(data[:n_rows])
        fresh.append(data[n_rows:])
    return np.concatenate(known), np.concatenate(fresh)


def fit_fixed_number(X, y, X_test, y_test, n_trees):
    return clone(TREES).set_params(n_estimators=n_trees).fit(X, y)


def stop_on_scoring_fold(X, y, X_test, y_test):
    stop = early_stopping(PATIENCE, verbose=False)
    return clone(TREES).fit(X, y, eval_X=X_test, eval_y=y_test, callbacks=[stop])


def stop_on_training_rows(X, y, X_test, y_test, **params):
    return EarlyStopping(TREES, patience=PATIENCE, random_state=0, **params).fit(X, y)


def cross_validate(fit, known, fresh, seed):
    """Return the mean R² of cross-validation, and that of its models on fresh rows."""
    X, y = known[:, :-1], known[:, -1]
    pairs = []
    for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
        model = fit(X[train], y[train], X[test], y[test])
        pairs.append([model.score(X[test], y[test]), model.score(fresh[:, :-1], fresh[:, -1])])
    return np.mean(pairs, axis=0)


def confidence_interval(values):
    """Return the mean, and half the width of its 95 % confidence interval."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.4f} ± {half:.4f}"
