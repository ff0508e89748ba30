"""Submitting, finding and deleting jobs, with a driver on this machine."""

import pickle
import threading

import numpy as np
import pytest
from helpers.jobs import assert_same_results
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from skdistsearch import DistributedSearchCV, MetaflowBackend, checkpoints, jobs
from skdistsearch.exceptions import (
    BackendConfigError,
    JobError,
    NotPicklableError,
    ParamGridError,
)
from skdistsearch.testing import FaultyRegressor

X, y = make_regression(40, 3, random_state=0)


def make_search(estimator=None, grid=None, **options):
    grid = {"alpha": [0.1, 1.0]} if grid is None else grid
    return DistributedSearchCV(estimator or Ridge(), grid, **{"cv": 2, **options})


def sleeping_search():
    return make_search(FaultyRegressor(behavior="sleep"), {"factor": [1.0]})


def test_job_has_the_result_of_fit():
    search = make_search(return_train_score=True, n_jobs=2)
    job = jobs.submit(search, X, y, name="night")
    assert job.wait(120) == "done"
    expected = make_search(return_train_score=True).fit(X, y)
    fitted = job.result()
    assert_same_results(fitted.cv_results_, expected.cv_results_)
    np.testing.assert_array_equal(fitted.predict(X), expected.predict(X))
    assert_same_results(job.results()["cv_results_"], expected.cv_results_)
    assert job.results()["best_params_"] == expected.best_params_
    assert fitted.get_params()["n_jobs"] == 2
    assert not hasattr(search, "cv_results_")
    assert search.checkpoint is None


def test_fit_with_the_checkpoint_of_a_job_repeats_no_fit(fits):
    search = make_search(FaultyRegressor(folder=str(fits)), {"factor": [1.0, 1.5]}, refit=False)
    job = jobs.submit(search, X, y, name="night")
    assert job.wait(120) == "done"
    assert len(list(fits.iterdir())) == 4
    collected = search.set_params(checkpoint=job.checkpoint).fit(X, y)
    assert len(list(fits.iterdir())) == 4
    assert_same_results(collected.cv_results_, job.results()["cv_results_"])


def test_parameters_of_fit_reach_the_search():
    weights = np.linspace(0, 1, len(y))
    job = jobs.submit(make_search(), X, y, name="night", sample_weight=weights)
    assert job.wait(120) == "done", job.reason
    expected = make_search().fit(X, y, sample_weight=weights)
    assert_same_results(job.results()["cv_results_"], expected.cv_results_)


def test_attached_job_is_equal_and_survives_pickling():
    job = jobs.submit(sleeping_search(), X, y, name="night")
    assert jobs.attach("night") == job == pickle.loads(pickle.dumps(job))
    assert jobs.list() == [job]


def test_second_submit_of_a_name_is_refused():
    job = jobs.submit(sleeping_search(), X, y, name="night")
    with pytest.raises(JobError, match=r"'night' is taken .* jobs\.delete\('night'\)"):
        jobs.submit(make_search(), X, y, name="night")
    assert jobs.list() == [job]


def test_of_two_simultaneous_submits_one_gets_the_name():
    barrier, results = threading.Barrier(2), []

    def submit():
        barrier.wait()
        try:
            results.append(jobs.submit(sleeping_search(), X, y, name="night"))
        except JobError as error:
            results.append(str(error))

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [isinstance(result, str) for result in results].count(True) == 1


def test_delete_frees_the_name_and_keeps_the_checkpoint():
    job = jobs.submit(make_search(), X, y, name="night")
    assert job.wait(120) == "done"
    jobs.delete("night")
    assert jobs.list() == []
    assert checkpoints.inspect("night").n_fits == 4
    with pytest.raises(JobError, match="has been deleted"):
        job.status  # noqa: B018 # an attribute that reads


def test_running_job_is_not_deleted():
    job = jobs.submit(sleeping_search(), X, y, name="night")
    with pytest.raises(JobError, match="cancel it first"):
        jobs.delete("night")
    assert jobs.list() == [job]


def test_unknown_name_lists_the_known_ones():
    jobs.submit(sleeping_search(), X, y, name="monday")
    with pytest.raises(JobError, match=r"no job 'mondai'.*Known: monday .*Did you mean 'monday'"):
        jobs.attach("mondai")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "../night"}, JobError, "name='../night' is not valid"),
        ({"attempts": 0}, ValueError, "attempts=0 is not valid. Use 1 to 10"),
        ({"driver": "metaflow"}, BackendConfigError, "driver='metaflow' is not a driver"),
        ({"driver": "kubernetes"}, BackendConfigError, "do not run on Kubernetes yet"),
        ({"search": Ridge()}, TypeError, "Ridge is not a search"),
        ({"search": make_search(grid={"alhpa": [1]})}, ParamGridError, "alhpa"),
        ({"search": make_search(backend="metflow")}, BackendConfigError, "metflow"),
        (
            {"search": make_search(backend=MetaflowBackend(compute="kubernetes"))},
            BackendConfigError,
            "do not run on Kubernetes yet",
        ),
        (
            {"search": make_search(cv=KFold(2).split(X))},
            NotPicklableError,
            r"search\.cv \(generator\)",
        ),
        ({"driver": "batch"}, BackendConfigError, "not fully configured"),
    ],
)
def test_mistake_is_one_error_and_leaves_no_job(options, error, message):
    arguments = {"search": make_search(), "name": "night", **options}
    with pytest.raises(error, match=message):
        jobs.submit(arguments.pop("search"), X, y, **arguments)
    assert jobs.list("local") == []


def test_unknown_place_is_refused():
    with pytest.raises(JobError, match="driver='s3' is not valid"):
        jobs.attach("night", driver="s3")
