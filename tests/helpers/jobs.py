"""Wait for jobs, and find the processes that belong to them."""

import time
from pathlib import Path

import numpy as np

from skdistsearch.jobs._files import JOB_VARIABLE, JobFiles

TIMEOUT_S = 120.0


def wait_for(condition, timeout_s=TIMEOUT_S):
    """Wait until ``condition()`` holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        time.sleep(0.02)


def processes_of(job):
    """Return the ids of the living processes of a job on this machine."""
    mark = f"{JOB_VARIABLE}={JobFiles(job.url).about().id}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_zombie = folder.joinpath("stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not is_zombie and mark in folder.joinpath("environ").read_bytes():
                found.append(int(folder.name))
        except OSError:  # the process has ended
            continue
    return found


def driver_of(job, attempt=1):
    """Wait for an attempt of the driver to report; return its process id."""
    wait_for(lambda: job.progress.attempt == attempt)
    return JobFiles(job.url).last_attempt()["pid"]


def assert_same_results(found, expected):
    """Compare ``cv_results_``, bit for bit, except for times."""
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        if not key.endswith("_time"):
            np.testing.assert_array_equal(found[key], values, err_msg=key)
