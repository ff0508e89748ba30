"""What does the tournament cost, and who wins it?

`examples/configs/randomized.py`: five LightGBM and five Keras candidates on two categories of 5,000
rows, 5 splits, up to 10,000 iterations, patience 10. Sides: this package in worker processes and in
a Metaflow run, `GridSearchCV` over the same candidates, two processes by hand, and a flow that has
a Metaflow task for each fold of each candidate and stops on the scoring fold (trees) or on a part
of the training rows without a last fit on all (nets), so that it trains less.

Last answer (two cores, one run each, GridSearchCV twice), nets without an activation function:

| side | wall | CPU |
|---|---|---|
| DistributedSearchCV, worker processes | 240 s | 392 s |
| DistributedSearchCV, a Metaflow run | 261 s | 400 s |
| GridSearchCV(n_jobs=2) | 281, 268 s | 429, 413 s |
| two processes by hand | 252 s | 418 s |
| a task per fold, by hand | 290 s | 466 s |

So 0.86 and 0.90 x GridSearchCV, 0.95 x by hand; in a Metaflow run 0.93, 0.97 and 1.03. (When its
two tasks had half of the fits each, one was done after 190 s and the other after 306.) What is left
is the nets' own training; nothing but the preprocessing can be shared.

Who wins is the same in all of ours and in GridSearchCV, to the last digit: trees of depth 3, 0.575;
nets 0.449; depth 1 is last, 0.436. In the flow that stops on the scoring fold it is the same, with
trees up to 0.002 higher.

Two claims were looked for: with one category a net wins; with two, LightGBM of depth 3 wins and
depth 1 is last. Both hold for nets without an activation function. ``CONFIG=grid``, 1,000 rows a
category: one category, nets 0.450 to 0.442, trees 0.397 to 0.391; two, depth 3 0.453, nets 0.31,
depth 1 0.282. With ``relu`` the first holds (nets 0.449 to 0.417), the second does not: on two
categories of 5,000 rows a net of 15 units wins, trees of depth 3 follow, depth 1 is last (README).

    python -m benchmarks bench_tournament --runs 1
    python -m benchmarks.bench_tournament           scores, winners, and one or two categories

In the environment ``ROWS`` is rows per category, and ``CONFIG`` another file.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold

from benchmarks.measure import in_turn
from benchmarks.sides import BASE, JOBS, LIMIT, OURS
from skdistsearch import DistributedSearchCV, EarlyStopping, contenders_from_spec
from skdistsearch.model_selection._param_grid import candidates
from skdistsearch.report._candidate_names import format_value

ROOT = Path(__file__).parents[1]
CONFIG, ROWS = os.environ.get("CONFIG", "randomized"), os.environ.get("ROWS")
SPLITS = KFold(5, shuffle=True, random_state=0)
METAFLOW, FLOW = "DistributedSearchCV, metaflow", "a task per fold, by hand"


def job(categories=2, activation=None, name=CONFIG):
    """Estimator, explicit candidates, X and y."""
    sys.path.insert(0, str(ROOT / "examples"))
    example = importlib.import_module("tournament")
    config = example.configuration(name) | {"n_categorical_features": categories}
    if ROWS:
        config["n_rows_per_category"] = int(ROWS)
    for contender in config["contenders_spec"]:
        if "__model__init_kwargs__activation" in contender:
            contender["__model__init_kwargs__activation"] = [activation]
    X, y = example.mock_data(config)
    estimator, grid = contenders_from_spec(
        config["contenders_spec"], preprocessing=example.preprocessing(X), random_state=0
    )
    grid = [example.without_constants(contender) for contender in grid]
    chosen = [{name: [value] for name, value in setting.items()} for setting in candidates(grid, 0)]
    return estimator, chosen, X, y


def on_the_scoring_fold(pipeline, X, y, train, test):
    """R² of a fit that stops by its own means: trees on the test rows themselves."""
    model = pipeline["model"].estimator  # an EarlyStopping, in what hands parameters to fit
    stopping, prepare = model, clone(pipeline[:-1])
    seen, scored = prepare.fit_transform(X.iloc[train]), prepare.transform(X.iloc[test])
    inner = clone(stopping.estimator)
    if hasattr(inner, "n_estimators"):
        from lightgbm import early_stopping

        stop = early_stopping(stopping.patience, verbose=False)
        inner.fit(seen, y[train], eval_set=[(scored, y[test])], callbacks=[stop])
        return float(r2_score(y[test], inner.predict(scored)))
    unrefitted = clone(stopping).set_params(refit=False).fit(seen, y[train])
    return float(r2_score(y[test], unrefitted.predict(scored)))


def candidate(estimator, setting):
    """A model of its own, with its parameters."""
    values = {name: clone(value[0], safe=False) for name, value in setting.items()}
    return clone(estimator).set_params(**values)


def one(estimator, setting, X, y, train, test):
    model = candidate(estimator, setting)
    return model.fit(X.iloc[train], y[train]).score(X.iloc[test], y[test])


def by_hand(estimator, chosen, X, y):
    """Mean scores; the slow ones, nets, first."""
    splits = list(SPLITS.split(X))
    work = [(setting, split) for setting in chosen[::-1] for split in splits]
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        found = joblib.Parallel(JOBS, batch_size=1)(
            joblib.delayed(one)(estimator, setting, X, y, *split) for setting, split in work
        )
    return np.reshape(found, (len(chosen), -1)).mean(axis=1)[::-1]


def as_flow(estimator, chosen, X, y):
    """Mean scores of the flow with a task for each fold of each candidate."""
    models = [candidate(estimator, setting) for setting in chosen]
    content = {"candidates": models, "X": X, "y": y, "splits": list(SPLITS.split(X))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job"
        path.write_bytes(cloudpickle.dumps(content))
        modules = [str(ROOT), str(ROOT / "examples" / "configs"), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": folder,
            "METAFLOW_USER": os.environ.get("METAFLOW_USER", "benchmark"),
            "PYTHONPATH": os.pathsep.join(filter(None, modules)),
        }
        flow = [sys.executable, str(ROOT / "benchmarks" / "tournament_flow.py")]
        run = ["run", "--job", str(path), "--max-workers", str(JOBS), "--max-num-splits", "1000"]
        subprocess.run([*flow, *run], env=environment, check=True, stdout=sys.stderr)
        return np.mean(json.loads(Path(f"{path}.json").read_text()), axis=1)


def sides(keep=None, **kwargs):
    """``keep``: a dict that gets the mean scores, by side."""
    estimator, chosen, X, y = job(**kwargs)
    scores = {} if keep is None else keep
    options = {"cv": SPLITS, "refit": False, "n_jobs": JOBS}

    def searched(search, **where):
        fitted = search(clone(estimator), chosen, **options, **where).fit(X, y)
        return fitted.cv_results_["mean_test_score"]

    calls = {
        BASE: lambda: searched(GridSearchCV),
        OURS: lambda: searched(DistributedSearchCV),
        METAFLOW: lambda: searched(DistributedSearchCV, backend="metaflow"),
        LIMIT: lambda: by_hand(estimator, chosen, X, y),
        FLOW: lambda: as_flow(estimator, chosen, X, y),
    }

    def noting(side):
        def call():
            scores[side] = calls[side]()

        return call

    return {side: noting(side) for side in calls}


def described(setting):
    """A candidate, by what differs."""
    names = ("learning_rate", "max_depth", "dense_layer_widths")
    model = setting["model"][0].estimator
    while isinstance(model, EarlyStopping):
        model = model.estimator
    values = {name.rpartition("__")[2]: value[0] for name, value in setting.items()}
    told = [f"{name}={format_value(values[name])}" for name in names if name in values]
    return f"{type(model).__name__} {', '.join(told)}"


def ranked(chosen, means):
    for index in np.argsort(-np.asarray(means), kind="stable"):
        print(f"  {means[index]:.4f}  {described(chosen[index])}")


def main():
    scores = {}
    found = in_turn(sides(keep=scores), 1)
    _, chosen, _, _ = job()
    for side, (run,) in found.items():
        print(f"{side}: {run.wall_s:.0f} s, {run.cpu_s:.0f} s of CPU", flush=True)
        ranked(chosen, scores[side])
    for name, categories, activation in (
        *(("grid", 1, activation) for activation in (None, "relu")),
        *(("grid", 2, activation) for activation in (None, "relu")),
    ):
        estimator, chosen, X, y = job(categories, activation, name)
        search = DistributedSearchCV(estimator, chosen, cv=SPLITS, refit=False, n_jobs=JOBS)
        print(f"{name}, {len(X):,} rows in {categories} categories, nets with {activation}")
        ranked(chosen, search.fit(X, y).cv_results_["mean_test_score"])


if __name__ == "__main__":
    main()
