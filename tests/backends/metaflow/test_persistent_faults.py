"""Persistent faults at each stage of a search on AWS Batch end in one error, or in the result.

Each test takes minutes. Run them with ``python -m pytest -n 0 -m campaign``.
"""

import os
import re

import pytest
from helpers.subprocesses import SCRIPTS, Script

from skdistsearch import MetaflowBackend
from skdistsearch.testing import BackendSuite

SEARCH = SCRIPTS / "search_for_faults.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.campaign,
    pytest.mark.xdist_group("aws"),
    pytest.mark.timeout(1800),
]

ALWAYS = 10**6
FAIL_FAST = {  # instead of after ten minutes
    "AWS_MAX_ATTEMPTS": "2",
    "METAFLOW_S3_RETRY_COUNT": "1",
    "METAFLOW_S3_TRANSIENT_RETRY_COUNT": "2",
}
RESULT = r"equal\n$"
STAGES = {
    # stage: the requests that fail from then on, the output
    "upload": (("s3", "PutObject", "skdistsearch/data"), "StoreError: s3://.* cannot be written"),
    "start": (("batch", "SubmitJob", ""), "BackendError: No fit began 2 times in a row"),
    "fetch": (("s3", "GetObject", "skdistsearch/data"), "BackendError: No fit began 2 times"),
    "record": (("s3", "PutObject", "skdistsearch/runs"), "BackendError: No fit began 2 times"),
    "join": (("s3", "PutObject", "/join/"), RESULT),
    "download": (("s3", "GetObject", "skdistsearch/runs"), "StoreError: s3://.* cannot be read"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_persistent_service_fault_is_at_most_one_error(stage, aws, tmp_path):
    (service, operation, match), expected = STAGES[stage]
    fault = "throttle" if service == "batch" else "500"
    aws.fail_requests(service, operation, match=match, fault=fault, times=ALWAYS)
    script = Script(SEARCH, env={**os.environ, **aws.environment(), **FAIL_FAST}, cwd=tmp_path)
    output, code = script.finish(1500)
    assert re.search(expected, output), output
    assert (code == 0) == (expected == RESULT), output
    assert output.count("Traceback") <= 3, output  # one error with its causes, not one per fit
    assert sum(aws.faults()) > 0
    assert aws.live_jobs() == []
    assert script.left_over() == []


@pytest.mark.parametrize("fault", ["spot", "oom", "image", "exit:3"])
def test_persistent_loss_of_machines_is_one_error_with_the_reason(fault, aws, tmp_path):
    aws.fail_jobs("-fit-", fault=fault, times=ALWAYS, after_s=0.1)
    script = Script(SEARCH, env={**os.environ, **aws.environment()}, cwd=tmp_path)
    output, code = script.finish(1500)
    reason = {
        "spot": "Host EC2 (instance i-0123456789abcdef0) terminated",
        "oom": "OutOfMemoryError: Container killed due to memory usage",
        "image": "CannotPullContainerError",
        "exit:3": "exit code 3",
    }[fault]
    assert code == 1
    assert "BackendError: No fit began 2 times in a row" in output
    assert reason in output
    assert aws.live_jobs() == []
    assert script.left_over() == []


@pytest.fixture(scope="class")
def on_batch(cloud):
    """Configure this process as a client of LocalAWS."""
    metaflow_config = pytest.importorskip("metaflow.metaflow_config")
    cloud.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cloud.environment().items():
            patch.setenv(name, value)
            setting = name.removeprefix("METAFLOW_")
            if name != setting and hasattr(metaflow_config, setting):
                patch.setattr(metaflow_config, setting, value)
        yield


@pytest.mark.usefixtures("on_batch")
class TestBatch(BackendSuite):
    backend = MetaflowBackend(compute="batch", image="any", fits_per_task=3)
    # The start of a fit is not uploaded within 0.2 s of the last upload.
    max_tries = 3
