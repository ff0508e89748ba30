"""The log of a Metaflow run, and the failure reasons of AWS Batch for the jobs in it."""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skdistsearch.scheduling import WorkerDeath
from skdistsearch.storage import InterruptedFit, aws_errors

MESSAGE_PREFIX = "skdistsearch-says "
"""Marks a line of a task's output that is a message to the caller."""

_log = logging.getLogger("skdistsearch")

_TAIL_LINES = 30  # of a failed run, shown in the error message
_MAX_DESCRIBED = 100  # the limit of DescribeJobs
_TASK_PROCESS = re.compile(r"\[(\d+)/fit/(\d+) \(pid (\d+)\)\]")
_JOB_ID = re.compile(r"\(pid \d+\)\] \[([0-9a-f]{8}-[0-9a-f-]{27})\]")


class RunLog:
    """The output of a Metaflow run, read while it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._job_ids: dict[str, None] = {}  # an ordered set
        self._messages: set[str] = set()
        self.task_processes: dict[str, list[int]] = {}
        """For each task of the step *fit*, the ids of the processes that Metaflow has started on
        this machine: one for each try. With AWS Batch or Kubernetes, they watch the container."""

    def messages(self) -> Iterator[dict[str, Any]]:
        """Read new lines; yield the messages that tasks send to the caller, each of them once."""
        for line in self._read_lines():
            self._tail.append(line)
            if match := _TASK_PROCESS.search(line):
                self._note_process(match[2], int(match[3]))
            if match := _JOB_ID.search(line):
                self._job_ids[match[1]] = None
            _, _, message = line.partition(MESSAGE_PREFIX)
            if message and message not in self._messages:
                self._messages.add(message)
                yield json.loads(message)

    def _note_process(self, task: str, process: int) -> None:
        processes = self.task_processes.setdefault(task, [])
        if process not in processes:
            processes.append(process)

    def _read_lines(self) -> list[str]:
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return complete.decode(errors="replace").splitlines()

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self._tail)

    def failure_reasons(self) -> dict[str, str]:
        """Return why jobs of AWS Batch failed, by job id. Empty for other runs."""
        job_ids = list(self._job_ids)
        if not job_ids:
            return {}
        try:
            return dict(_describe_failures(job_ids))
        except aws_errors() as exc:  # error messages lack the reasons, but the search continues
            _log.warning("Could not read from AWS Batch why jobs failed: %s", exc)
            return {}

    def worker_deaths(self, interrupted: list[InterruptedFit]) -> list[WorkerDeath]:
        """Return why fits were interrupted."""
        reasons = self.failure_reasons() if interrupted else {}
        return [_worker_death(fit, reasons.get(fit.job, "")) for fit in interrupted]


def _worker_death(interrupted: InterruptedFit, reason: str) -> WorkerDeath:
    cause = reason or (
        "it exited unexpectedly: it ran out of memory, crashed in native code, or called os._exit"
    )
    return WorkerDeath(
        interrupted.fit,
        f"Metaflow task {interrupted.task_pathspec}: {cause}.{hint_for(reason)}",
        host_lost=is_host_failure(reason),
    )


def _describe_failures(job_ids: list[str]) -> Iterator[tuple[str, str]]:
    from metaflow.plugins.aws.aws_client import get_aws_client

    client = get_aws_client("batch")
    for start in range(0, len(job_ids), _MAX_DESCRIBED):
        response = client.describe_jobs(jobs=job_ids[start : start + _MAX_DESCRIBED])
        for job in response["jobs"]:
            if job["status"] == "FAILED":
                yield job["jobId"], _failure_reason(job)


def _failure_reason(job: Mapping[str, Any]) -> str:
    """Join the container's reason, the job's reason and the exit code, as far as they exist."""
    container = job.get("container", {})
    parts = [container.get("reason"), job.get("statusReason")]
    if (code := container.get("exitCode")) is not None:
        parts.append(f"exit code {code}")
    return ", ".join(part.rstrip(".") for part in parts if part)


def is_host_failure(reason: str) -> bool:
    """Return True if the machine was lost, which is not the fault of the fit that ran on it."""
    return "Host EC2" in reason


def hint_for(reason: str) -> str:
    """Return advice on how to avoid a failure, or an empty string."""
    if "OutOfMemory" in reason:
        return " Try more memory_mb."
    return ""
