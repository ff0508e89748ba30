"""Faults that do not go away, one at each stage of a search on AWS Batch: one error, or the result.

Minutes each, so they run only when asked for: ``python -m pytest -n 0 -m campaign``.
"""

import os
import re

import pytest
from helpers.subprocesses import Script

from skdistsearch import MetaflowBackend
from skdistsearch.testing import BackendSuite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.campaign,
    pytest.mark.xdist_group("aws"),
    pytest.mark.timeout(1800),
]

SOURCE = """
import logging
import numpy as np
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV
from skdistsearch import DistributedSearchCV, MetaflowBackend
from skdistsearch.backends.metaflow import _workspace
from skdistsearch.testing import FaultyRegressor

_workspace._UNREACHABLE_MAX_S = 5.0  # not the ten minutes of a user's patience
X, y = make_regression(40, 2, random_state=0)
grid = {"factor": [1.0, 1.5, 2.0]}
backend = MetaflowBackend(compute="batch", image="any", fits_per_task=3, retries=1)
search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, backend=backend).fit(X, y)
expected = GridSearchCV(FaultyRegressor(), grid, cv=2).fit(X, y)
np.testing.assert_array_equal(
    search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
)
print("equal")
"""
ALWAYS = 10**6
HURRY = {  # not the ten minutes of a user's patience
    "AWS_MAX_ATTEMPTS": "2",
    "METAFLOW_S3_RETRY_COUNT": "1",
    "METAFLOW_S3_TRANSIENT_RETRY_COUNT": "2",
}
RESULT = r"equal\n$"
STAGES = {
    # stage: what fails from then on, what the user sees
    "upload": (("s3", "PutObject", "skdistsearch/data"), "StoreError: s3://.* cannot be written"),
    "start": (("batch", "SubmitJob", ""), "BackendError: No fit began 2 times in a row"),
    "fetch": (("s3", "GetObject", "skdistsearch/data"), "BackendError: No fit began 2 times"),
    "record": (("s3", "PutObject", "skdistsearch/runs"), "BackendError: No fit began 2 times"),
    "join": (("s3", "PutObject", "/join/"), RESULT),
    "download": (("s3", "GetObject", "skdistsearch/runs"), "StoreError: s3://.* cannot be read"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_service_that_stays_broken_is_one_error_or_none(stage, aws, tmp_path):
    (service, operation, match), seen = STAGES[stage]
    fault = "throttle" if service == "batch" else "500"
    aws.fail_requests(service, operation, match=match, fault=fault, times=ALWAYS)
    script = Script(tmp_path / "script.py", SOURCE, {**os.environ, **aws.environment(), **HURRY})
    output, code = script.finish(1500)
    assert re.search(seen, output), output
    assert (code == 0) == (seen == RESULT), output
    assert output.count("Traceback") <= 3, output  # an error and its causes, not one a fit
    assert sum(aws.faults()) > 0
    assert aws.live_jobs() == []
    assert script.left_over() == []


@pytest.mark.parametrize("fault", ["spot", "oom", "image", "exit:3"])
def test_machine_that_always_dies_is_one_error_with_the_reason(fault, aws, tmp_path):
    aws.fail_jobs("-fit-", fault=fault, times=ALWAYS, after_s=0.1)
    script = Script(tmp_path / "script.py", SOURCE, {**os.environ, **aws.environment()})
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
    """This process as a client of AWS on loopback."""
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
    """The suite that every backend passes."""

    backend = MetaflowBackend(compute="batch", image="any", fits_per_task=3)
    tries_max = 3  # a fifth of a second after the fit before, nobody hears that one has begun
