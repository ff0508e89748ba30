"""A flow of one's own, deployed to Step Functions and executed by LocalAWS."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.subprocesses import SCRIPTS
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skdistsearch.testing import LocalAWS

for module in ("moto", "antlr4", "jsonpath_ng", "py_partiql_parser"):
    pytest.importorskip(module, reason="LocalAWS needs it for Step Functions")

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("aws"), pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[3] / "examples"
X, y = load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def server():
    with LocalAWS(slots=2, step_functions=True) as aws:
        yield aws


@pytest.fixture
def aws(server):
    server.reset()
    return server


@pytest.fixture
def call(aws, tmp_path):
    """Return a function that calls a command of a flow, and returns its output."""
    environment = {**os.environ, **aws.environment(), "METAFLOW_USER": "tests"}

    def call(flow, *arguments):
        command = [sys.executable, flow, "--no-pylint", "step-functions", *arguments]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return call


def wait_for_the_end(aws, timeout_s=400):
    """Wait until the only execution has ended; return its status."""
    client = aws.client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    end = time.monotonic() + timeout_s
    while True:
        (run,) = client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
        if run["status"] != "RUNNING":
            return run["status"]
        assert time.monotonic() < end, aws.jobs()
        time.sleep(0.5)


def sizes_of_chunks(aws):
    """Return the size in bytes of the state that each task of the step *fit* leaves."""
    client = aws.client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    (run,) = client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    events = client.get_execution_history(executionArn=run["executionArn"], maxResults=1000)
    exits = [each.get("stateExitedEventDetails", {}) for each in events["events"]]
    return [len(each["output"]) for each in exits if each.get("name") == "fit"]


def line_of_log(aws, start):
    """Return the end of a line that the last job printed."""
    return re.search(f"^{start} (.*)$", aws.jobs()[-1].log, re.M)[1]


def saved_fits(aws):
    """Return the keys of the fits in all checkpoints, one for each time that a fit was saved."""
    client = aws.client("s3")
    lines = [
        json.loads(line)
        for key in aws.objects("metaflow/skdistsearch/checkpoints/nightly-sfn-")
        if "/fits/" in key
        for line in client.get_object(Bucket=aws.bucket, Key=key)["Body"].read().splitlines()
    ]
    return [line["key"] for line in lines if "outcome" in line]


def test_example_is_deployed_with_its_schedule(aws, call):
    call(EXAMPLES / "production_flow.py", "create", "--max-workers", "2")
    (rule,) = aws.client("events").list_rules()["Rules"]
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "cron(0 0 * * ? *)")


def test_reclaimed_machines_cost_the_missing_fits_only(aws, call):
    flow = SCRIPTS / "nightly_flow.py"
    call(flow, "create")
    aws.fail_jobs("-join-", fault="spot", after_s=0.5)
    call(flow, "trigger", "--kills_at", "10.0")
    assert wait_for_the_end(aws) == "SUCCEEDED", aws.jobs()
    assert aws.faults() == [1]
    result = json.loads(line_of_log(aws, "Result:"))
    expected = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=4).fit(X, y).cv_results_
    assert result["scores"] == [expected[f"split{n}_test_score"].tolist() for n in range(4)]
    assert "/.mf_code/" in result["file"]  # the package came with the flow
    keys = saved_fits(aws)
    assert len(keys) == len(set(keys)) == 12
    sizes = sizes_of_chunks(aws)
    assert len(sizes) == 2
    assert max(sizes) < 2**18 / 400  # the guide promises 400 chunks
