"""How much does a score flatter a model that stopped on the very fold that scores it?

Last answer (LightGBM of depth 3, patience 10, 20 seeds, 95 % intervals): with 2 x 500 rows by
+0.0066 ± 0.0020 R², above 0 in all seeds; with 2 x 5,000 rows by +0.0004 ± 0.0002, in 18 of 20.
`EarlyStopping`: -0.0002 ± 0.0018 and -0.0001 ± 0.0002, so not at all; with ``rescale_iterations=True`` -0.0003
± 0.0014 and +0.0000 ± 0.0002. On fresh rows its models are a little worse than those that stopped
on the scoring fold (0.4810 and 0.4851; 0.5714 and 0.5725), for their last fit runs no more
iterations than the smaller inner part wanted; rescaled, they are not (0.4859; 0.5737). 4 minutes.

    python -m benchmarks.bench_leak

Two categories, in each of which the target depends on 5 of 10 numbers in another way, with noise.
Per seed: R² of 5-fold cross-validation, minus R² of the same models on fresh rows of the same law.
That difference varies with the luck of the rows far more than by the leak; trees of a fixed number,
which cannot leak, have the same luck and expect 0. So theirs is taken off, seed by seed.
"""

import time
from functools import partial

import numpy as np
from lightgbm import LGBMRegressor, early_stopping
from scipy.stats import t
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.model_selection import KFold

from skdistsearch import EarlyStopping

SEEDS = 20
PATIENCE = 10
FRESH = 10_000  # rows per category
TREES = LGBMRegressor(
    n_estimators=10_000, learning_rate=0.1, max_depth=3, n_jobs=1, verbose=-1, random_state=0
)
FIXED = {500: 100, 5000: 170}  # by rows per category: trees, about as many as stopping comes to


def mock_data(seed, rows):
    """``rows`` rows of each category, and fresh ones of the same law; the last column is y."""
    known, fresh = [], []
    for category in range(2):
        X, y = make_regression(
            rows + FRESH,
            n_features=10,
            n_informative=5,
            noise=100,
            random_state=2 * seed + category,
        )
        data = np.column_stack([X, np.full(len(X), category), y])
        known.append(data[:rows])
        fresh.append(data[rows:])
    return np.concatenate(known), np.concatenate(fresh)


def on_the_scoring_fold(X, y, X_test, y_test):
    stop = early_stopping(PATIENCE, verbose=False)
    return clone(TREES).fit(X, y, eval_X=X_test, eval_y=y_test, callbacks=[stop])


def on_its_own_rows(X, y, X_test, y_test, **params):
    return EarlyStopping(TREES, patience=PATIENCE, random_state=0, **params).fit(X, y)


def never(X, y, X_test, y_test, trees):
    return clone(TREES).set_params(n_estimators=trees).fit(X, y)


def scores(way, known, fresh, seed):
    """R² of cross-validation, and the mean R² of its models on fresh rows."""
    X, y = known[:, :-1], known[:, -1]
    pairs = []
    for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
        model = way(X[train], y[train], X[test], y[test])
        pairs.append([model.score(X[test], y[test]), model.score(fresh[:, :-1], fresh[:, -1])])
    return np.mean(pairs, axis=0)


def interval(values):
    """The mean, and half the width of its 95 % confidence interval."""
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.4f} ± {half:.4f}"


def main(seeds=SEEDS):
    for rows, trees in FIXED.items():
        ways = {
            "a fixed number of trees": partial(never, trees=trees),
            "stopped on the scoring fold": on_the_scoring_fold,
            "EarlyStopping": on_its_own_rows,
            "EarlyStopping(rescale_iterations=True)": partial(
                on_its_own_rows, rescale_iterations=True
            ),
        }
        start = time.perf_counter()
        found = {name: [] for name in ways}
        for seed in range(seeds):
            known, fresh = mock_data(seed, rows)
            for name, way in ways.items():
                found[name].append(scores(way, known, fresh, seed))
        report(f"2 x {rows} rows, {seeds} seeds, {time.perf_counter() - start:.0f} s", found)


def report(title, found):
    print(f"\n{title}\n{'':<30}{'CV R²':>9}{'fresh R²':>10}{'difference':>20}", end="")
    print(f"{'... less luck':>20}{'seeds above 0':>15}")
    luck = None
    for name, pairs in found.items():
        cv, fresh = np.transpose(pairs)
        luck = cv - fresh if luck is None else luck
        net = cv - fresh - luck
        print(f"{name:<30}{cv.mean():>9.4f}{fresh.mean():>10.4f}{interval(cv - fresh):>20}", end="")
        print(f"{interval(net):>20}{(net > 0).sum():>10}" if net.any() else "")


if __name__ == "__main__":
    main()
