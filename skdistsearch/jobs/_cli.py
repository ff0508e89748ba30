"""The terminal commands ``python -m skdistsearch jobs``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from skdistsearch.exceptions import SkDistSearchError
from skdistsearch.jobs import _submit as jobs
from skdistsearch.jobs._job import Job

_ACTIONS = ("list", "status", "cancel", "log")


def run_command(arguments: Sequence[str]) -> int:
    """Run a command, and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m skdistsearch jobs", description="List, watch and cancel detached searches."
    )
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list")
    parser.add_argument("name", nargs="?", help="name of the job, for all actions but list")
    parser.add_argument(
        "--driver", choices=("local", "batch"), help="where its driver runs (default: look in both)"
    )
    options = parser.parse_args(arguments)
    if (options.name is None) != (options.action == "list"):
        parser.error(f"{options.action}: give the name of one job, except for list")
    try:
        for line in _run(options.action, options.name, options.driver):
            sys.stdout.write(f"{line}\n")
    except SkDistSearchError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


def _run(action: str, name: str | None, driver: str | None) -> Iterator[str]:
    """Yield the lines to show."""
    if name is None:
        yield from map(_summary, jobs.list(driver))
        return
    job = jobs.attach(name, driver)
    if action == "cancel":
        job.cancel()
    if action == "log":
        yield job.log().rstrip("\n")
        return
    yield _summary(job)


def _summary(job: Job) -> str:
    reason = f" ({job.reason})" if job.reason else ""
    return f"{job.name}: {job.status}{reason}; {job.progress}"
