"""Searches on Metaflow for test_run.py, compared with GridSearchCV; the argument names one."""

import json
import os
import sys
import threading

from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.testing import FaultyRegressor

X, y = load_diabetes(return_X_y=True)


class Mine(Ridge):
    """A class of the script, which is pickled by value."""


def fit(backend="metaflow", n_jobs=1, **options):
    grid = {"alpha": [0.1, 1.0]}
    expected = GridSearchCV(Mine(), grid, cv=2).fit(X, y).cv_results_["mean_test_score"]
    search = DistributedSearchCV(Mine(), grid, cv=2, backend=backend, n_jobs=n_jobs, **options)
    search.fit(X, y)
    assert list(search.cv_results_["mean_test_score"]) == list(expected)
    return search


def fit_and_find_run():
    """Find the run with Metaflow's client; print its outcomes."""
    environment, files = dict(os.environ), os.listdir()
    search = fit(MetaflowBackend(tags=["mine"], fits_per_task=1), n_jobs=2)
    assert dict(os.environ) == environment
    assert os.listdir() == files
    import metaflow

    metaflow.namespace(None)
    run = metaflow.Flow("DistributedSearch").latest_successful_run
    assert [run.pathspec] == search.runs_, (run, search.runs_)
    assert {"mine", "skdistsearch"} <= run.tags
    assert len(list(run["fit"])) == 4
    sys.stdout.write(json.dumps(run.data.outcomes) + "\n")


def fit_in_thread():
    runs = []
    thread = threading.Thread(target=lambda: runs.extend(fit().runs_))
    thread.start()
    thread.join()
    assert len(runs) == 1


def fit_in_task_that_dies():
    """Run fits of which one kills its task the first time; FITS is the folder of their files."""
    grid = {"behavior": ["exit once"], "folder": [os.environ["FITS"]]}
    DistributedSearchCV(
        FaultyRegressor(), grid, cv=2, backend="metaflow", n_jobs=1, refit=False
    ).fit(X, y)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
