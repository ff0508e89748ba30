"""Searches on AWS Batch, simulated by LocalAWS: results, faults, and objects left in S3."""

import json
import os

import pytest
from helpers.subprocesses import SCRIPTS, Script

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("aws")]


@pytest.fixture
def fits(tmp_path):
    """Return a folder in which each fit leaves a file."""
    folder = tmp_path / "fits"
    folder.mkdir()
    return folder


@pytest.fixture
def run(tmp_path, aws, fits):
    """Return a function that runs a search of ``search_on_batch.py`` and returns its output."""

    def run(search, code=0, **environment):
        env = {**os.environ, **aws.environment(), "FITS": str(fits), **environment}
        script = Script(SCRIPTS / "search_on_batch.py", env=env, arguments=[search], cwd=tmp_path)
        output, exit_status = script.finish(280)
        assert exit_status == code, output
        assert script.left_over() == []
        assert aws.live_jobs() == []
        return output

    return run


def journal_lines(aws, prefix):
    """Yield the lines of all journals below a prefix."""
    client = aws.client("s3")
    for key in sorted(aws.objects(prefix)):
        if "/fits/" in key:
            body = client.get_object(Bucket=aws.bucket, Key=key)["Body"].read()
            yield from map(json.loads, body.splitlines())


def test_lost_machines_do_not_change_the_results(aws, fits, run):
    """Two spot reclaims, a container out of memory, an image that cannot be pulled."""
    # Each fault hits the first attempt of a task, after its first fits have begun.
    for task, fault in (("2", "spot"), ("3", "spot"), ("4", "oom")):
        aws.fail_jobs(f"-fit-{task}-0", fault=fault, after_s=6.0)
    aws.fail_jobs("-fit-5-0", fault="image")
    run("search_with_local_modules")
    assert aws.faults() == [1, 1, 1, 1]
    lines = list(journal_lines(aws, "metaflow/skdistsearch/checkpoints/night"))
    recorded = [line["outcome"]["fit"] for line in lines if "outcome" in line]
    assert sorted(recorded) == list(range(16))  # each of them once
    begun = [line["started"] for line in lines if "started" in line]
    assert len(begun) - len(recorded) <= 3  # the fits that ran when a machine was lost
    assert len(list(fits.iterdir())) <= len(begun) + 3


@pytest.mark.campaign
def test_unreliable_network_only_delays_the_search(aws, run):
    """Errors, throttling and dropped connections: at upload, start, journal and download."""
    rules = [
        aws.fail_requests("s3", "PutObject", fault="500", match="skdistsearch/data", times=2),
        aws.fail_requests("s3", "HeadObject", fault="503", match="skdistsearch/data", times=2),
        aws.fail_requests("batch", "SubmitJob", fault="throttle", times=2),
        aws.fail_requests("batch", "DescribeJobs", fault="throttle", times=3),
        aws.fail_requests("s3", "GetObject", fault="503", match="skdistsearch/data", times=2),
        aws.fail_requests("s3", "PutObject", fault="500", match="skdistsearch/runs", times=2),
        aws.fail_requests("s3", "ListObjectsV2", fault="503", times=2),
        aws.fail_requests("s3", "GetObject", fault="drop", match="skdistsearch/runs", times=2),
    ]
    run("small_search")
    assert len(aws.faults()) == len(rules)
    assert all(aws.faults()), f"delivered: {aws.faults()}"
    # Only large data, which later searches can reuse, would be left; this data is small.
    assert [key for key in aws.objects() if "/skdistsearch/" in key] == []


def test_incompatible_environment_is_one_error(aws, run):
    output = run("search_with_another_version", code=1)
    assert "BackendError: The tasks' environment cannot run this search: scikit-learn is " in output
    assert "not 0.1. Use an image (image=...) or an environment" in output


def test_missing_configuration_is_one_error_before_any_request(aws, run):
    unset = ("METAFLOW_DATASTORE_SYSROOT_S3", "METAFLOW_BATCH_JOB_QUEUE")
    output = run("search_without_settings", code=1, **dict.fromkeys(unset, ""))
    for name in unset:
        assert name in output
    assert not aws.requests()


def test_chunk_loses_only_its_deadly_fits_and_reports_why(aws, fits, run):
    """One fit kills its container each time, another one hangs and holds the interpreter lock."""
    output = run("search_with_deadly_fits")
    assert (
        "candidate 2 (behavior='kill'), split 0: its worker died 2 times. Metaflow task " in output
    )
    assert "candidate 3 (behavior='hold'), split 0: it ran longer than fit_timeout_s=4" in output
    assert output.count("it ran longer than fit_timeout_s=4") == 1
    assert "Essential container in task exited, exit code" in output
    begun = sorted(path.name.split("-")[0] for path in fits.iterdir())
    assert begun == ["fit"] * 3 + ["hold"] + ["kill"] * 2


@pytest.mark.campaign
def test_fit_that_leaves_children_ends_with_its_container(fits, run):
    run("search_that_leaves_children")
    left = [path.name for path in fits.iterdir()]
    assert len(left) >= 2
    assert [pid for pid in left if os.path.exists(f"/proc/{pid}")] == []


def test_predictions_and_models_come_back(run, aws):
    run("search_that_keeps_models")
    objects = [name for name in aws.objects("") if "/skdistsearch/runs/" in name]
    assert len(objects) == 4
    assert all(name.endswith(".pkl") for name in objects)


@pytest.mark.campaign
def test_search_on_batch_within_a_call_on_batch_is_refused(run, aws):
    run("call_that_searches_on_batch")
    assert len(aws.jobs()) == 1  # of the call; the search within it sends none


@pytest.mark.campaign
def test_rungs_of_hyperband_pay_one_start(run, aws):
    assert "runs: 1\n" in run("search_by_hyperband")
    assert len(aws.jobs()) == 2  # one container for each worker, for all rungs
