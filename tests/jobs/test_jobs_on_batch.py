"""Jobs whose driver is a job of AWS Batch, on the simulation."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from helpers.jobs import assert_same_results, driver_of, wait_for
from helpers.subprocesses import SCRIPTS
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV

from skdistsearch import DistributedSearchCV, MetaflowBackend, jobs
from skdistsearch.backends.metaflow._environment import import_metaflow
from skdistsearch.exceptions import BackendConfigError, JobError
from skdistsearch.testing import FaultyRegressor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("aws"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="LocalAWS finds processes in /proc"),
]

TIMEOUT_S = 300
X, y = make_regression(60, 4, random_state=0)
GRID = {"factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]}
N_FITS = 12
DRIVER = MetaflowBackend(compute="batch", image="any")
ONE_TASK = MetaflowBackend(compute="batch", image="any", max_workers=1, fits_per_task=N_FITS)


@pytest.fixture
def cloud(aws, monkeypatch):
    """The simulation, configured for this process."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    metaflow_config = import_metaflow().metaflow_config
    for name in ("DEFAULT_DATASTORE", "DATASTORE_SYSROOT_S3", "S3_ENDPOINT_URL"):
        monkeypatch.setattr(metaflow_config, name, aws.environment()[f"METAFLOW_{name}"])
    names = {"BATCH_JOB_QUEUE": aws.queue}
    names["ECS_S3_ACCESS_IAM_ROLE"] = aws.environment()["METAFLOW_ECS_S3_ACCESS_IAM_ROLE"]
    for name, value in names.items():
        monkeypatch.setattr(metaflow_config, name, value)
    return aws


def make_search(folder, duration_s=0.2, **options):
    model = FaultyRegressor(folder=str(folder), duration_s=duration_s)
    return DistributedSearchCV(model, GRID, cv=2, refit=False, **options)


def expected_results(folder):
    model = FaultyRegressor(folder=str(folder))
    grid_search = GridSearchCV(model.set_params(folder=None), GRID, cv=2, refit=False)
    return grid_search.fit(X, y).cv_results_


def count(fits):
    return len(list(fits.iterdir()))


@pytest.mark.campaign
def test_job_of_a_killed_process_ends_with_equal_results(cloud, fits, monkeypatch):
    options = {"duration_s": 0.2, "driver": {"compute": "batch", "image": "any", "cpu": 2}}
    done = subprocess.run(
        [sys.executable, SCRIPTS / "submit_job.py", "night", fits, json.dumps(options)],
        capture_output=True,
        text=True,
        cwd=SCRIPTS,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    job = jobs.attach("night")
    assert job.wait(TIMEOUT_S) == "done", (job.reason, cloud.jobs())
    monkeypatch.syspath_prepend(SCRIPTS)
    import submit_job

    expected = submit_job.make_search().fit(submit_job.X, submit_job.y)
    assert_same_results(job.results()["cv_results_"], expected.cv_results_)
    assert count(fits) == N_FITS + 1  # the refit
    assert "Attempt 1 of job night begins" in job.log()
    wait_for(lambda: cloud.live_jobs() == [], 60)


@pytest.mark.campaign
def test_fits_in_containers_of_their_own_have_equal_results(cloud, fits):
    job = jobs.submit(make_search(fits, backend=ONE_TASK), X, y, name="night")
    assert job.wait(TIMEOUT_S) == "done", (job.reason, cloud.jobs())
    assert_same_results(job.results()["cv_results_"], expected_results(fits))
    assert len([each for each in cloud.jobs() if "-fit-" in each.name]) == 1


def test_reclaimed_driver_runs_only_the_missing_fits(cloud, fits):
    cloud.fail_jobs(match="^skdistsearch-night", fault="spot", after_s=6.0)
    job = jobs.submit(make_search(fits, 1.0), X, y, name="night", driver=DRIVER)
    assert job.wait(TIMEOUT_S) == "done", (job.reason, cloud.jobs())
    assert cloud.faults() == [1]
    assert job.progress.attempt == 2
    assert count(fits) <= N_FITS + 1
    assert_same_results(job.results()["cv_results_"], expected_results(fits))


def test_next_attempt_ends_what_a_reclaimed_driver_left_behind(cloud, fits):
    job = jobs.submit(make_search(fits, 120.0, backend=ONE_TASK), X, y, name="night")
    wait_for(lambda: count(fits) > 0, TIMEOUT_S)
    (first,) = [each for each in cloud.live_jobs() if "-fit-" in each.name]
    os.kill(driver_of(job), signal.SIGKILL)  # which ends all processes of its container
    wait_for(lambda: job.progress.attempt == 2, TIMEOUT_S)
    wait_for(lambda: first.id not in {each.id for each in cloud.live_jobs()}, TIMEOUT_S)
    wait_for(lambda: "had left behind" in job.log(), TIMEOUT_S)
    job.cancel()
    assert cloud.live_jobs() == []


@pytest.mark.parametrize("backend", ["local", "batch"])
def test_cancelled_job_ends_all_of_its_jobs(backend, cloud, fits):
    options = {"backend": ONE_TASK} if backend == "batch" else {}
    job = jobs.submit(make_search(fits, 300.0, **options), X, y, name="night", driver=DRIVER)
    wait_for(lambda: count(fits) > 0, TIMEOUT_S)
    job.cancel()
    assert job.status == "cancelled"
    assert cloud.live_jobs() == []


def test_driver_that_cannot_start_fails_with_the_reason_of_batch(cloud, fits):
    cloud.fail_jobs(match="^skdistsearch-night", fault="image", times=2)
    job = jobs.submit(make_search(fits), X, y, name="night", driver=DRIVER, attempts=2)
    assert job.wait(TIMEOUT_S) == "failed"
    assert "CannotPullContainerError: pull access denied" in job.reason
    with pytest.raises(JobError, match="CannotPullContainerError"):
        job.result()


def test_unknown_queue_is_one_error_and_leaves_no_job(cloud, fits):
    driver = MetaflowBackend(compute="batch", image="any", queue="none")
    with pytest.raises(BackendConfigError, match="AWS Batch has no job queue 'none'"):
        jobs.submit(make_search(fits), X, y, name="night", driver=driver)
    assert jobs.list("batch") == []


def test_error_of_the_search_is_not_tried_again(cloud, fits):
    model = FaultyRegressor(behavior="raise")
    search = DistributedSearchCV(model, {"factor": [1.0]}, cv=2, error_score="raise")
    job = jobs.submit(search, X, y, name="night", driver=DRIVER)
    assert job.wait(TIMEOUT_S) == "failed"
    with pytest.raises(ZeroDivisionError, match="meant to fail"):
        job.result()
    wait_for(lambda: cloud.live_jobs() == [], 60)
    (driver,) = cloud.jobs()
    assert driver.status == "SUCCEEDED"
    assert job.progress.attempt == 1


def test_changed_payload_is_refused_before_it_is_unpickled(cloud, fits):
    job = jobs.submit(make_search(fits, 60.0), X, y, name="night", driver=DRIVER)
    wait_for(lambda: count(fits) > 0, TIMEOUT_S)
    client = cloud.client("s3")
    for key in cloud.objects("metaflow/skdistsearch/data/"):
        body = client.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()
        if b"FaultyRegressor" in body and not body.startswith(b"PK"):
            client.put_object(Bucket=cloud.bucket, Key=key, Body=body + b"!")
    os.kill(driver_of(job), signal.SIGKILL)
    assert job.wait(TIMEOUT_S) == "failed"
    assert "CorruptDataError" in job.reason
    assert count(fits) == 1


def test_data_and_code_are_uploaded_once_for_two_jobs(cloud, fits):
    large = np.random.default_rng(0).normal(size=(20_000, 20))
    for name in ("one", "two"):
        job = jobs.submit(make_search(fits, 60.0), large, large[:, 0], name=name, driver=DRIVER)
        job.cancel()
    sizes = cloud.objects("metaflow/skdistsearch/data/").values()
    assert len([size for size in sizes if size > 3_000_000]) == 1  # X
    uploads = cloud.requests(url="skdistsearch/data/")["s3.PutObject"]
    assert uploads == len(sizes)


def test_jobs_in_both_places_are_listed(cloud, fits):
    job = jobs.submit(make_search(fits, 60.0), X, y, name="there", driver=DRIVER)
    here = jobs.submit(make_search(fits, 60.0), X, y, name="here")
    assert jobs.list() == [here, job]
    assert job.url == f"{os.environ['METAFLOW_DATASTORE_SYSROOT_S3']}/skdistsearch/jobs/there"
    job.cancel()
