"""Files of a job, in a folder or below a prefix of S3.

::

    job.json              search, driver, checkpoint; its creation claims the name
    driver.json           the process or the job of AWS Batch that runs the search
    attempts/000001.json  progress of one attempt of the driver
    log/000001.txt        its log
    cancelled.json        the user has cancelled the job
    result.pkl            the fitted search
    result.data           its results as data, and the SHA-256 of ``result.pkl``
    error.json            the exception of the search, as data
    payload/              search and data of a job on this machine

Every file but those of an attempt is written once. ``result.data`` or ``error.json`` is the last.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from skdistsearch.backends.metaflow import JOB_VARIABLE as JOB_VARIABLE
from skdistsearch.exceptions import JobError
from skdistsearch.storage import open_store

FORMAT = 1
ABOUT, DRIVER, CANCELLED = "job.json", "driver.json", "cancelled.json"
RESULT, MODEL, ERROR = "result.data", "result.pkl", "error.json"
ATTEMPTS, LOGS = "attempts/", "log/"


@dataclass(frozen=True)
class About:
    """Description of a job, as it was submitted."""

    id: str
    """A random identifier, which everything that the job starts has in its environment."""
    name: str
    """The job's name."""
    driver: str
    """``"local"`` or ``"batch"``."""
    search: str
    """Class of the search."""
    store: str
    """URL of the store with search and data."""
    checkpoint: str
    """URL of the checkpoint."""
    submitted_at: float
    """Time of the submission."""
    queues: tuple[str, ...] = ()
    """Queues of AWS Batch that may have jobs of this one."""
    requirements: Mapping[str, Any] = field(default_factory=dict)
    """What the environment of a remote driver must contain."""


class JobFiles:
    """The files of one job.

    Parameters
    ----------
    url : str
        A folder or S3 URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.store = open_store(url)

    def exists(self, name: str) -> bool:
        """Return whether the job has a file."""
        return self.store.exists(name)

    def claim(self, about: About) -> bool:
        """Claim the name. Of several processes, exactly one gets True."""
        content = json.dumps({"format": FORMAT, **asdict(about)})
        return self.store.create(ABOUT, content.encode())

    def about(self) -> About:
        """Return the description. Raise `JobError` if there is no such job."""
        fields = self._read_claim()
        if fields is None:
            raise JobError(f"{self.url} is not a job, or has been deleted.")
        if fields.pop("format") != FORMAT:
            raise JobError(f"{self.url} is a job of another version of skdistsearch.")
        return About(**{**fields, "queues": tuple(fields["queues"])})

    def _read_claim(self) -> dict[str, Any] | None:
        for _ in range(20):
            if not self.exists(ABOUT):
                return None
            try:
                return dict(json.loads(self.store.get(ABOUT)))
            except json.JSONDecodeError:  # it is being written
                time.sleep(0.05)
        raise JobError(f"{self.url}/{ABOUT} is damaged. Delete {self.url}.")

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write plain data."""
        self.store.put(name, json.dumps(content).encode())

    def read(self, name: str) -> dict[str, Any]:
        """Return plain data; empty if there is no such file."""
        return dict(json.loads(self.store.get(name))) if self.exists(name) else {}

    def last_attempt(self) -> dict[str, Any]:
        """Return the progress of the last attempt; empty if none has begun."""
        names = self.store.list_names(ATTEMPTS)
        return self.read(names[-1]) if names else {}

    @property
    def is_over(self) -> bool:
        """True if no attempt must begin any more."""
        return any(map(self.exists, (RESULT, ERROR, CANCELLED)))

    def delete(self) -> None:
        """Delete all files, the claim of the name last."""
        names = [name for name in self.store.list_names() if name != ABOUT]
        self.store.delete(names)
        self.store.delete([ABOUT])
        if not self.url.startswith("s3://"):
            shutil.rmtree(self.url, ignore_errors=True)


def attempt_name(folder: str, attempt: int, suffix: str) -> str:
    """Return the name of a file of an attempt."""
    return f"{folder}{attempt:06d}{suffix}"
