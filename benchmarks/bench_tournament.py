"""Cost of the tournament of the examples, compared with four other ways to run it.

`examples/configs/randomized.py`: five LightGBM and five Keras candidates on two categories of 5,000
rows, 5 splits, up to 10,000 iterations, patience 10, nets without an activation function.
Competitors: this package in worker processes and in a Metaflow run; `GridSearchCV` over the same
candidates; two processes by hand; and a flow with a Metaflow task for each fold of each candidate,
which trains less: trees stop on the fold that scores them, nets on a part of the training rows
without a last fit on all.

The best mean R² shows that all do the same work, but for the flow that stops on the scoring fold.
"""

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
from sklearn.model_selection import GridSearchCV

from benchmarks.competitors import BASE, BY_HAND, JOBS, OURS, compare
from benchmarks.subprocesses import ROOT, SCRIPTS
from benchmarks.tournament import CV, EXAMPLES, build_model, describe, make_workload
from skdistsearch import DistributedSearchCV

METAFLOW, FLOW = "DistributedSearchCV, Metaflow run", "a task per fold, by hand"


def measure(options):
    estimator, candidates, X, y = make_workload(quick=options.quick)
    params = {"cv": CV, "refit": False, "n_jobs": JOBS}
    mean_scores = {}

    def fit_with(search, **more):
        fitted = search(clone(estimator), candidates, **params, **more).fit(X, y)
        return fitted.cv_results_["mean_test_score"]

    calls = {
        BASE: lambda: fit_with(GridSearchCV),
        OURS: lambda: fit_with(DistributedSearchCV),
        METAFLOW: lambda: fit_with(DistributedSearchCV, backend="metaflow"),
        BY_HAND: lambda: fit_by_hand(estimator, candidates, X, y),
        FLOW: lambda: run_flow(estimator, candidates, X, y),
    }

    def keeping_scores(name):
        return lambda: mean_scores.update({name: calls[name]()})

    measured = compare({name: keeping_scores(name) for name in calls}, options)
    for row in measured.rows:
        scores = mean_scores[row["competitor"]]
        row["best mean R²"] = round(float(np.max(scores)), 4)
        row["winner"] = describe(candidates[int(np.argmax(scores))])
    return measured


def fit_by_hand(estimator, candidates, X, y):
    """Return mean scores; nets, which are slow, are fitted first."""
    splits = list(CV.split(X))
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        scores = joblib.Parallel(JOBS, batch_size=1)(
            joblib.delayed(fit_and_score)(estimator, candidate, X, y, *split)
            for candidate in candidates[::-1]
            for split in splits
        )
    return np.reshape(scores, (len(candidates), -1)).mean(axis=1)[::-1]


def fit_and_score(estimator, candidate, X, y, train, test):
    model = build_model(estimator, candidate)
    return model.fit(X.iloc[train], y[train]).score(X.iloc[test], y[test])


def run_flow(estimator, candidates, X, y):
    """Return the mean scores of the flow with a task for each fold of each candidate."""
    models = [build_model(estimator, candidate) for candidate in candidates]
    workload = {"models": models, "X": X, "y": y, "splits": list(CV.split(X))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload"
        path.write_bytes(cloudpickle.dumps(workload))
        modules = [str(ROOT), str(EXAMPLES), os.environ.get("PYTHONPATH", "")]
        env = os.environ | {
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": folder,
            "METAFLOW_USER": os.environ.get("METAFLOW_USER", "benchmark"),
            "PYTHONPATH": os.pathsep.join(filter(None, modules)),
        }
        flow = [sys.executable, str(SCRIPTS / "tournament_flow.py"), "run"]
        limits = ["--max-workers", str(JOBS), "--max-num-splits", "1000"]
        command = [*flow, "--workload", str(path), *limits]
        subprocess.run(command, env=env, check=True, stdout=sys.stderr)
        return np.mean(json.loads(Path(f"{path}.json").read_text()), axis=1)


def fit_and_score_by_own_means(pipeline, X, y, train, test):
    """Return the R² of a fit that stops by the mechanism of its model.

    Trees stop on the test rows themselves.
    """
    stopping = pipeline["model"].estimator  # EarlyStopping, within the wrapper for fit parameters
    preprocessing, model = clone(pipeline[:-1]), clone(stopping.estimator)
    X_train = preprocessing.fit_transform(X.iloc[train])
    X_test = preprocessing.transform(X.iloc[test])
    if hasattr(model, "n_estimators"):
        from lightgbm import early_stopping

        stop = early_stopping(stopping.patience, verbose=False)
        model.fit(X_train, y[train], eval_set=[(X_test, y[test])], callbacks=[stop])
    else:
        model = clone(stopping).set_params(refit=False).fit(X_train, y[train])
    return float(r2_score(y[test], model.predict(X_test)))
