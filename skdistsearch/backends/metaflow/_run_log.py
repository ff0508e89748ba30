"""What the log of a Metaflow run tells, and what AWS Batch knows of the jobs in it."""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skdistsearch.storage import aws_errors

SAYS = "skdistsearch-says "
"""Marks a line of a task's output that is for the caller."""

_log = logging.getLogger("skdistsearch")

_LINES = 30  # of a run that failed, in the error message
_DESCRIBE_MAX = 100  # AWS Batch's own limit of one DescribeJobs
_JOB = re.compile(r"\(pid \d+\)\] \[([0-9a-f]{8}-[0-9a-f-]{27})\]")


class Log:
    """The output of a Metaflow run, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._last: deque[str] = deque(maxlen=_LINES)
        self._jobs: dict[str, None] = {}
        self._known: dict[str, str] = {}

    def said(self) -> Iterator[dict[str, Any]]:
        """What tasks say to the caller, each thing once."""
        for line in self._new():
            self._last.append(line)
            if found := _JOB.search(line):
                self._jobs[found[1]] = None
            _, _, said = line.partition(SAYS)
            if said and said not in self._known:
                self._known[said] = ""
                yield json.loads(said)

    def _new(self) -> list[str]:
        with open(self.path, "rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode(errors="replace").splitlines()

    @property
    def tail(self) -> str:
        """The last lines."""
        return "\n".join(self._last)

    def reasons(self) -> dict[str, str]:
        """Why jobs failed, as AWS Batch has it: job id and reason. Empty without Batch."""
        jobs = list(self._jobs)
        if not jobs:
            return {}
        try:
            return dict(_reasons(jobs))
        except aws_errors() as exc:  # the story is poorer then, the search goes on
            _log.warning("AWS Batch does not say why jobs failed: %s", exc)
            return {}


def _reasons(jobs: list[str]) -> Iterator[tuple[str, str]]:
    from metaflow.plugins.aws.aws_client import get_aws_client

    client = get_aws_client("batch")
    for first in range(0, len(jobs), _DESCRIBE_MAX):
        for job in client.describe_jobs(jobs=jobs[first : first + _DESCRIBE_MAX])["jobs"]:
            if job["status"] == "FAILED":
                yield job["jobId"], _reason(job)


def _reason(job: dict[str, Any]) -> str:
    """The container's own reason, and what Batch says, where that says more than that it ended."""
    container = job.get("container", {})
    said = [container.get("reason"), job.get("statusReason")]
    if (code := container.get("exitCode")) is not None:
        said.append(f"exit code {code}")
    return ", ".join(text.rstrip(".") for text in said if text)


def is_of_host(reason: str) -> bool:
    """Whether the machine went away: no fault of the fit that ran on it."""
    return "Host EC2" in reason


def advice(reason: str) -> str:
    """What to try against a reason."""
    if "OutOfMemory" in reason:
        return " Try more memory_mb."
    return ""
