"""CPU time of searches that decide as they go, beside a search that fits everything.

MLPClassifier on digits: 81 candidates, 27 epochs, 5 splits. LightGBM (20,000 x 20): 60 random
candidates, up to 1,000 trees, 5 splits; Optuna has 30, in a race. Units are epochs or trees. The
held-out score is that of the refitted winner on other rows. The idle share is the part of the time
between the first and the last fit of Hyperband in which a worker had none.
"""

import os
import statistics
import warnings

import numpy as np
from lightgbm import LGBMRegressor
from scipy.stats import loguniform, randint
from sklearn.base import clone
from sklearn.datasets import load_digits, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier

from benchmarks.competitors import BASE, JOBS
from benchmarks.measure import ProcessTreeMonitor
from benchmarks.results import Measurement
from skdistsearch import (
    DistributedHyperbandSearchCV,
    DistributedOptunaSearchCV,
    DistributedSearchCV,
)

HALVING, HYPERBAND, ONE_BRACKET, OPTUNA, RACE = (
    "HalvingGridSearchCV",
    "Hyperband",
    "one bracket",
    "Optuna",
    "race",
)
GRID = {
    "hidden_layer_sizes": [(24,), (12, 12), (48,)],
    "alpha": [1e-5, 1e-3, 1e-1],
    "learning_rate_init": [1e-3, 3e-3, 1e-2],
    "batch_size": [32, 64, 128],
}
SPACE = {
    "num_leaves": randint(4, 64),
    "learning_rate": loguniform(0.02, 0.3),
    "min_child_samples": randint(5, 100),
    "reg_lambda": loguniform(1e-3, 10),
}
TARGETS = {
    f"MLP: CPU of {HYPERBAND} / {BASE}": 0.16,
    f"MLP: CPU of {ONE_BRACKET} / {BASE}": 0.11,
    f"MLP: CPU of {ONE_BRACKET} / {HALVING}": 0.6,
    f"MLP: CPU of {RACE} / {BASE}": 0.45,
    f"MLP: held-out score of {BASE} - {HYPERBAND}": 0.003,
    f"LightGBM: CPU of {HYPERBAND} / random": 0.20,
    f"LightGBM: CPU of {OPTUNA} / random": 0.35,
    "idle share": 0.10,
}


def measure(options):
    warnings.simplefilter("ignore", ConvergenceWarning)  # of models that are stopped on purpose
    os.environ["PYTHONWARNINGS"] = "ignore"  # in the workers too
    n_runs = options.runs(default=5)
    rows, ratios = [], {}
    for case, make_case in {"MLP": make_mlp, "LightGBM": make_lightgbm}.items():
        runs = [run_case(*make_case(seed, options.quick), options) for seed in range(n_runs)]
        rows += [{"case": case, **median_row(name, runs)} for name in runs[0]]
        ratios |= {f"{case}: {name}": ratio for name, ratio in compare(runs).items()}
        idle = [run[HYPERBAND]["idle share"] for run in runs if HYPERBAND in run]
        ratios["idle share"] = max(ratios.get("idle share", 0), round(statistics.median(idle), 3))
    return Measurement(rows, ratios, n_runs)


def make_mlp(seed, quick):
    """Return the searches by name, and the data, of one seed."""
    X, y = load_digits(n_class=3 if quick else 10, return_X_y=True)
    data = train_test_split(X / 16, y, random_state=seed, stratify=y)
    n_epochs = 3 if quick else 27
    model = MLPClassifier(max_iter=n_epochs, n_iter_no_change=1000, random_state=seed)
    grid = {**GRID, "alpha": [1e-3], "batch_size": [64]} if quick else GRID
    options = {"cv": 5, "n_jobs": JOBS}
    passes = {
        "resource": "partial_fit",
        "max_resources": n_epochs,
        "splits": "growing",
        "random_state": seed,
    }
    searches = {
        BASE: GridSearchCV(model, grid, **options),
        HALVING: HalvingGridSearchCV(
            clone(model).set_params(max_iter=1),
            grid,
            resource="max_iter",
            max_resources=n_epochs,
            min_resources=1,
            random_state=seed,
            **options,
        ),
        HYPERBAND: DistributedHyperbandSearchCV(model, grid, **passes, **options),
        ONE_BRACKET: DistributedHyperbandSearchCV(model, grid, n_brackets=1, **passes, **options),
        RACE: DistributedSearchCV(model, grid, race=True, **options),
        OPTUNA: DistributedOptunaSearchCV(
            model, grid, n_trials=27, n_pending=4, random_state=seed, **options
        ),
    }
    return searches, data, "max_iter"


def make_lightgbm(seed, quick):
    """Return the searches by name, and the data, of one seed."""
    X, y = make_friedman1(500 if quick else 20_000, 20, noise=1, random_state=seed)
    data = train_test_split(X, y, random_state=seed)
    n_trees = 9 if quick else 1000
    model = LGBMRegressor(n_estimators=n_trees, n_jobs=1, random_state=0, verbose=-1)
    options = {"cv": 5, "n_jobs": JOBS, "random_state": seed}
    trees = {"resource": "n_estimators", "max_resources": n_trees, "splits": "growing"}
    least = 1 if quick else 30
    searches = {
        "random": RandomizedSearchCV(model, SPACE, n_iter=5 if quick else 60, **options),
        HYPERBAND: DistributedHyperbandSearchCV(
            model, SPACE, min_resources=least, **trees, **options
        ),
        OPTUNA: DistributedOptunaSearchCV(
            model, SPACE, n_trials=5 if quick else 30, n_pending=4, race=True, **options
        ),
    }
    return searches, data, "n_estimators"


def run_case(searches, data, unit, options):
    """Return a row for each search."""
    chosen = {
        k: v for k, v in searches.items() if not options.competitors or k in options.competitors
    }
    return {name: run_search(search, data, unit) for name, search in chosen.items()}


def run_search(search, data, unit):
    X, X_test, y, y_test = data
    with ProcessTreeMonitor(os.getpid()) as monitor:
        search.fit(X, y)
    return {
        "CPU s": monitor.cpu_s,
        "units": count_units(search, unit),
        "cv score": search.best_score_,
        "held-out score": search.score(X_test, y_test),
        "idle share": idle_share(search) if hasattr(search, "plan_") else None,
    }


def count_units(search, unit):
    """Return the number of epochs or trees of all fits."""
    results = search.cv_results_
    n_splits = np.asarray(results.get("n_splits_done", search.n_splits_))
    default = search.estimator.get_params()[unit]
    amounts = np.asarray(results.get("n_resources", default), dtype=float)
    if np.any(results.get("is_resumed", False)):
        amounts = new_units(results)
        n_splits = 1
    return float(np.sum(amounts * n_splits * np.ones(len(results["params"]))))


def new_units(results):
    """Return the units that each row adds: on splits that it resumes, less than all."""
    brackets, rungs = np.asarray(results["bracket"]), np.asarray(results["iter"])
    amounts, n_splits = np.asarray(results["n_resources"]), np.asarray(results["n_splits_done"])
    units = amounts * n_splits
    for row in np.flatnonzero(results["is_resumed"]):
        before = (brackets == brackets[row]) & (rungs == rungs[row] - 1)
        units[row] -= amounts[before][0] * n_splits[before][0]
    return units.astype(float)


def idle_share(search):
    """Return the share of the workers' time between first and last fit in which they ran none."""
    times = search._fit_times
    begins, ends = [fit[2] for fit in times], [fit[3] for fit in times]
    busy_s = sum(ends) - sum(begins)
    return 1 - busy_s / (JOBS * (max(ends) - min(begins)))


def median_row(name, runs):
    digits = {"CPU s": 1, "units": 0, "cv score": 4, "held-out score": 4, "idle share": 3}
    values = {key: [run[name][key] for run in runs] for key in digits}
    return {
        "search": name,
        **{
            key: None if None in values[key] else round(statistics.median(values[key]), n)
            for key, n in digits.items()
        },
    }


def compare(runs):
    """Return the ratios that the targets refer to: medians over seeds."""
    pairs = [
        (name, other)
        for name in runs[0]
        for other in (BASE, HALVING, "random")
        if other in runs[0] and name not in (BASE, HALVING, "random")
    ]
    ratios = {
        f"CPU of {name} / {other}": [run[name]["CPU s"] / run[other]["CPU s"] for run in runs]
        for name, other in pairs
    } | {
        f"held-out score of {other} - {name}": [
            run[other]["held-out score"] - run[name]["held-out score"] for run in runs
        ]
        for name, other in pairs
    }
    return {name: round(statistics.median(values), 4) for name, values in ratios.items()}
