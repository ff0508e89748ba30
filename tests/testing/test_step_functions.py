"""Step Functions of LocalAWS execute the constructs that Metaflow's state machines consist of."""

import json
import sys
import time

import pytest

from skdistsearch.testing import LocalAWS
from skdistsearch.testing._aws import INSTALL_STEP_FUNCTIONS
from skdistsearch.testing._step_functions import TABLE

for module in ("moto", "antlr4", "jsonpath_ng", "py_partiql_parser"):
    pytest.importorskip(module, reason=f"LocalAWS requires it: {INSTALL_STEP_FUNCTIONS}")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="jobs are process groups"),
]

ROLE = "arn:aws:iam::123456789012:role/local"


@pytest.fixture(scope="module")
def server():
    with LocalAWS(slots=2, step_functions=True) as aws:
        aws.client("batch").register_job_definition(
            jobDefinitionName="definition",
            type="container",
            containerProperties={"image": "any", "vcpus": 1, "memory": 100, "command": ["true"]},
        )
        yield aws


@pytest.fixture
def machines(server):
    return server.client("stepfunctions")


@pytest.fixture
def execute(machines):
    """Return a function that executes a state machine and returns the description of its end."""

    def execute(name, states, start="first"):
        definition = json.dumps({"StartAt": start, "States": states})
        machine = machines.create_state_machine(name=name, definition=definition, roleArn=ROLE)
        arn = machines.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
        end = time.monotonic() + 30
        while (done := machines.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < end, "the execution did not end in time"
            time.sleep(0.05)
        return done

    return execute


def batch_state(aws, command, **fields):
    """Return a state that runs a job and waits for its end, as Metaflow writes it."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::batch:submitJob.sync",
        "Parameters": {
            "JobDefinition": "definition",
            "JobName": "job",
            "JobQueue": aws.queue,
            "RetryStrategy": {"Attempts": 2},
            "Parameters": {"run_id.$": "$$.Execution.Name"},
            "ContainerOverrides": {"Command": command},
        },
        **fields,
    }


def test_state_runs_a_job_and_passes_its_fields_on(server, execute):
    state = batch_state(server, ["true"], End=True, OutputPath="$.['JobId', 'Parameters']")
    done = execute("one_job", {"first": state})
    assert done["status"] == "SUCCEEDED"
    job = server.jobs()[-1]
    assert json.loads(done["output"]) == {
        "JobId": job.id,
        "Parameters": {"run_id": done["executionArn"].rpartition(":")[2]},
    }


def test_each_execution_has_a_name_of_its_own(server, execute, machines):
    names = {execute(name, {"first": {"Type": "Pass", "End": True}})["name"] for name in ("a", "b")}
    assert len(names) == 2
    assert "None" not in names


def test_failed_job_is_repeated_before_the_execution_fails(server, execute):
    command = ["sh", "-c", "test $AWS_BATCH_JOB_ATTEMPT = 2"]
    assert execute("second", {"first": batch_state(server, command, End=True)})["status"] == (
        "SUCCEEDED"
    )
    assert execute("never", {"first": batch_state(server, ["false"], End=True)})["status"] == (
        "FAILED"
    )


def test_map_has_the_width_that_the_table_tells(server, execute):
    rows = server.client("dynamodb")
    rows.put_item(TableName=TABLE, Item={"pathspec": {"S": "it"}, "width": {"NS": ["0", "1", "2"]}})
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Parameters": {"TableName": TABLE, "Key": {"pathspec": {"S": "it"}}},
        "ResultPath": "$.Result",
        "Next": "each",
    }
    each = {
        "Type": "Map",
        "ItemsPath": "$.Result.Item.width.NS",
        "Iterator": {"StartAt": "pass", "States": {"pass": {"Type": "Pass", "End": True}}},
        "End": True,
    }
    done = execute("wide", {"first": read, "each": each})
    assert sorted(json.loads(done["output"])) == ["0", "1", "2"]


def test_reset_removes_machines_and_rows(server, execute, machines):
    execute("short", {"first": {"Type": "Pass", "End": True}})
    server.client("dynamodb").put_item(TableName=TABLE, Item={"pathspec": {"S": "it"}})
    server.reset()
    assert machines.list_state_machines()["stateMachines"] == []
    assert server.client("dynamodb").scan(TableName=TABLE)["Count"] == 0
