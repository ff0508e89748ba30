"""Messages, last lines and failure reasons in the log of a Metaflow run."""

import pytest

from skdistsearch.backends.metaflow._run_log import (
    MESSAGE_PREFIX,
    RunLog,
    _failure_reason,
    hint_for,
    is_host_failure,
)


@pytest.fixture
def log(tmp_path):
    (tmp_path / "log").touch()
    return RunLog(tmp_path / "log")


def append(log, text):
    with open(log.path, "a") as file:
        file.write(text)


def test_each_message_is_yielded_once(log):
    append(log, f"[1/fit/2] {MESSAGE_PREFIX}[1]\n[1/fit/3] {MESSAGE_PREFIX}[1]\nother\n")
    assert list(log.messages()) == [[1]]
    append(log, f"{MESSAGE_PREFIX}[1]\n{MESSAGE_PREFIX}[2]\n")
    assert list(log.messages()) == [[2]]


def test_incomplete_line_is_read_later(log):
    append(log, f"first\n{MESSAGE_PREFIX}[1")
    assert list(log.messages()) == []
    assert log.tail == "first"
    append(log, ", 2]\n")
    assert list(log.messages()) == [[1, 2]]


def test_tail_has_the_last_thirty_lines(log):
    append(log, "".join(f"line {number}\n" for number in range(100)))
    assert list(log.messages()) == []
    assert log.tail.splitlines() == [f"line {number}" for number in range(70, 100)]


def test_log_without_jobs_has_no_failure_reasons(log):
    append(log, "a line\n")
    assert list(log.messages()) == []
    assert log.failure_reasons() == {}


@pytest.mark.parametrize(
    ("job", "reason", "hint", "lost_host"),
    [
        (
            {
                "statusReason": "Essential container in task exited",
                "container": {"reason": "OutOfMemoryError: killed", "exitCode": 137},
            },
            "OutOfMemoryError: killed, Essential container in task exited, exit code 137",
            " Try more memory_mb.",
            False,
        ),
        (
            {"statusReason": "Host EC2 (instance i-0) terminated."},
            "Host EC2 (instance i-0) terminated",
            "",
            True,
        ),
    ],
)
def test_failure_reason_of_a_job(job, reason, hint, lost_host):
    assert _failure_reason(job) == reason
    assert hint_for(reason) == hint
    assert is_host_failure(reason) == lost_host
