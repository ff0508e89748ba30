"""Jobs of AWS Batch: submit, describe and end them, through boto3.

Metaflow's own class for that changes its parameters from version to version. Only the client is
Metaflow's, with the credentials and retries of its configuration.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from skdistsearch.backends.metaflow import FLOW_NAME
from skdistsearch.exceptions import BackendConfigError, BackendError
from skdistsearch.jobs._files import JOB_VARIABLE
from skdistsearch.storage import aws_errors

_LIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
_DESCRIBED_MAX = 100  # jobs in one DescribeJobs request
_END_S = 60.0  # SIGKILL comes 30 s after SIGTERM
_POLL_S = 1.0
_FARGATE = ("FARGATE", "FARGATE_SPOT")


@dataclass(frozen=True)
class Container:
    """The container of a job, and its resources."""

    image: str
    queue: str
    job_role: str
    execution_role: str | None
    cpu: float
    memory_mb: int
    gpu: int | None


def submit(
    name: str,
    container: Container,
    command: Sequence[str],
    variables: Mapping[str, str],
    attempts: int,
) -> str:
    """Submit a job, and return its ID."""
    with _translate_errors():
        answer = _client().submit_job(
            jobName=name,
            jobQueue=container.queue,
            jobDefinition=_job_definition(container),
            retryStrategy={"attempts": attempts},
            containerOverrides={
                "command": list(command),
                "resourceRequirements": _resources(container),
                "environment": [{"name": k, "value": v} for k, v in variables.items()],
            },
        )
    return str(answer["jobId"])


def describe(ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the descriptions of jobs. Batch forgets jobs about a week after their end."""
    found: list[dict[str, Any]] = []
    with _translate_errors():
        for start in range(0, len(ids), _DESCRIBED_MAX):
            some = list(ids[start : start + _DESCRIBED_MAX])
            found += _client().describe_jobs(jobs=some)["jobs"]
    return found


def terminate(job: str, reason: str) -> None:
    """End a job, and wait until it has ended."""
    end = time.monotonic() + _END_S
    with _translate_errors():
        _client().terminate_job(jobId=job, reason=reason)
    while any(each["status"] in _LIVE for each in describe([job])):
        if time.monotonic() > end:
            raise BackendError(f"Job {job} on AWS Batch has not ended within {_END_S:.0f} s.")
        time.sleep(_POLL_S)


def terminate_marked(mark: str, queues: Iterable[str], reason: str) -> list[str]:
    """End the jobs for fits that one of our jobs has started; return their names."""
    names = []
    with _translate_errors():
        for job in _marked_jobs(mark, queues):
            _client().terminate_job(jobId=job["jobId"], reason=reason)
            names.append(job["jobName"])
    return names


def _marked_jobs(mark: str, queues: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the live jobs of Metaflow runs that have the mark in their environment."""
    pages = _client().get_paginator("list_jobs")
    ids = [
        job["jobId"]
        for queue in queues
        for status in _LIVE
        for page in pages.paginate(jobQueue=queue, jobStatus=status)
        for job in page["jobSummaryList"]
        if f"-{FLOW_NAME}-" in job["jobName"]
    ]
    wanted = {"name": JOB_VARIABLE, "value": mark}
    for job in describe(ids):
        if wanted in job["container"].get("environment", []) and job["status"] in _LIVE:
            yield job


def _job_definition(container: Container) -> str:
    """Register the definition, unless there is an equal one; return its ARN."""
    properties: dict[str, Any] = {
        "image": container.image,
        "jobRoleArn": container.job_role,
        "command": ["true"],
        "resourceRequirements": _resources(container),
    }
    definition: dict[str, Any] = {"type": "container", "containerProperties": properties}
    if _platform(container.queue) in _FARGATE:
        definition["platformCapabilities"] = ["FARGATE"]
        properties["executionRoleArn"] = container.execution_role
        properties["networkConfiguration"] = {"assignPublicIp": "ENABLED"}
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
    name, client = f"skdistsearch_{digest[:32]}", _client()
    known = client.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")
    if known["jobDefinitions"]:
        return str(known["jobDefinitions"][0]["jobDefinitionArn"])
    answer = client.register_job_definition(jobDefinitionName=name, **definition)
    return str(answer["jobDefinitionArn"])


def _platform(queue: str) -> str:
    """Return the type of the machines behind a queue, such as ``"SPOT"``."""
    client = _client()
    queues = client.describe_job_queues(jobQueues=[queue])["jobQueues"]
    if not queues:
        raise BackendConfigError(f"AWS Batch has no job queue {queue!r}.")
    name = queues[0]["computeEnvironmentOrder"][0]["computeEnvironment"]
    environments = client.describe_compute_environments(computeEnvironments=[name])
    return str(environments["computeEnvironments"][0]["computeResources"]["type"])


def _resources(container: Container) -> list[dict[str, str]]:
    amounts = {"VCPU": f"{container.cpu:g}", "MEMORY": str(container.memory_mb)}
    if container.gpu:
        amounts["GPU"] = str(container.gpu)
    return [{"type": kind, "value": value} for kind, value in amounts.items()]


def _client() -> Any:
    from metaflow.plugins.aws.aws_client import get_aws_client

    return get_aws_client("batch")


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except aws_errors() as exc:
        raise BackendError(f"AWS Batch refused a request: {exc}") from exc
