"""Step Functions for `LocalAWS`: moto's interpreter of state machines, repaired.

A part of the server process. `_aws_server` imports it as a module of its folder, if it is asked for
Step Functions, so it imports nothing from the package.

- The trick: moto 5.2 has an interpreter, but Metaflow's state machines do not run on it as it is.
  Each function ``repair_...`` replaces one of moto's methods and says what is wrong with it.
- Why nothing simpler works: an interpreter of our own in the tests would show nothing about what
  ``python flow.py step-functions create`` deploys.
- It breaks if moto renames the methods. A repair that moto has made itself does no harm.
- ``tests/testing/test_step_functions.py`` watches it.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from typing import Any

TABLE = "local-state"
UNION = re.compile(r"\$\.?\[\s*'[^']+'\s*(,\s*'[^']+'\s*)+\]")
"""A JSON path that takes several fields of an object."""


class StepFunctions:
    """moto's Step Functions and EventBridge, with the DynamoDB table that Metaflow needs."""

    def __init__(self, port: int, account: str, region: str) -> None:
        import boto3
        from moto.core.config import default_user_config

        default_user_config["stepfunctions"] = {"execute_state_machine": True}
        # The interpreter calls the other services at this port of localhost.
        os.environ.update(MOTO_PORT=str(port), NO_PROXY="localhost,127.0.0.1")
        repair_names_of_fields()
        repair_unions()
        repair_names_of_executions()
        self._account, self._region = account, region
        self._database = boto3.client(
            "dynamodb",
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._create_table()

    def reset(self) -> None:
        """End all executions; remove all state machines, schedules and rows."""
        from moto.dynamodb.models import dynamodb_backends
        from moto.events.models import events_backends
        from moto.stepfunctions.parser.models import stepfunctions_parser_backends

        machines = stepfunctions_parser_backends[self._account][self._region]
        for machine in machines.state_machines:
            for execution in machine.executions:
                with contextlib.suppress(Exception):  # it has ended
                    machine.stop_execution(execution.execution_arn)
        machines.reset()
        for backends in (dynamodb_backends, events_backends):
            backends[self._account][self._region].reset()
        self._create_table()

    def _create_table(self) -> None:
        """Create the table for the width of a foreach, and for the tasks that its join reads."""
        self._database.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "pathspec", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pathspec", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )


def repair_names_of_fields() -> None:
    """Convert names of fields between state machines and services: ``JobName`` to ``jobName``.

    moto has the code for it, but its two methods that should call it are empty. Batch then finds no
    field of SubmitJob.
    """
    import botocore.session
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service,
    )

    session = botocore.session.Session()

    def find_operation(task: Any, service: str | None, action: str | None) -> Any:
        model = session.get_service_model(task._get_boto_service_name(service))
        wanted = task._get_boto_service_action(action).replace("_", "")
        return next(model.operation_model(n) for n in model.operation_names if n.lower() == wanted)

    def to_service(
        self: Any,
        parameters: Any,
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        operation = find_operation(self, boto_service_name, service_action_name)
        self._to_boto_request(parameters, operation.input_shape)

    def from_service(
        self: Any,
        response: Any,
        boto_service_name: str | None = None,
        service_action_name: str | None = None,
    ) -> None:
        operation = find_operation(self, boto_service_name, service_action_name)
        self._from_boto_response(response, operation.output_shape)

    state_task_service.StateTaskService._normalise_parameters = to_service
    state_task_service.StateTaskService._normalise_response = from_service


def repair_unions() -> None:
    """Let ``$.['JobId', 'Parameters']`` be an object with these fields, as on AWS.

    moto returns the list of their values, and Metaflow's next state finds no ``$.JobId``.
    """
    from moto.stepfunctions.parser.asl.component.common.string import string_expression

    extract = string_expression.extract_json

    def extract_json(path: str, data: Any) -> Any:
        if UNION.fullmatch(path):
            return {name: data[name] for name in re.findall(r"'([^']+)'", path) if name in data}
        return extract(path, data)

    string_expression.extract_json = extract_json


def repair_names_of_executions() -> None:
    """Name executions that are started without a name: moto leaves it None.

    Metaflow makes the id of the run from it.
    """
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    start = StepFunctionsParserBackend.start_execution

    def start_execution(self: Any, arn: str, name: str | None, *args: Any, **options: Any) -> Any:
        return start(self, arn, name or str(uuid.uuid4()), *args, **options)

    StepFunctionsParserBackend.start_execution = start_execution
