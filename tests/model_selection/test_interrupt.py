"""Ctrl-C and signals end a search within seconds; no process and no temporary file remains."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from helpers.subprocesses import SCRIPTS, Script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]


@pytest.fixture
def fits(tmp_path):
    """Return the folder in which each fit creates a file when it begins."""
    folder = tmp_path / "fits"
    folder.mkdir()
    return folder


def start_search(fits, options, **popen_options):
    return Script(
        SCRIPTS / "search_to_interrupt.py",
        arguments=[fits, json.dumps(options)],
        cwd=fits.parent,
        **popen_options,
    )


def wait_for_fits(script, fits, n_fits):
    script.wait_for(lambda: len(list(fits.iterdir())) >= n_fits)


def assert_all_processes_end(script, timeout_s=8):
    end = time.monotonic() + timeout_s
    while script.left_over() and time.monotonic() < end:
        time.sleep(0.1)
    assert script.left_over() == []


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "notebook"])
@pytest.mark.parametrize(
    ("options", "n_running"),
    [({"n_jobs": 1}, 1), ({"n_jobs": 2}, 2), ({"backend": "metaflow", "n_jobs": 2}, 2)],
    ids=["in-process", "processes", "metaflow"],
)
def test_ctrl_c_ends_the_search_and_its_processes(options, n_running, whole_group, fits):
    script = start_search(fits, options, stdin=subprocess.PIPE)
    try:
        wait_for_fits(script, fits, n_running)
        begin = time.monotonic()
        script.interrupt(whole_group)
        line = script.process.stdout.readline()
        if "backend" in options:
            assert re.match(r"The Metaflow run DistributedSearch/\d+ was ended, and its", line)
            line = script.process.stdout.readline()
        assert line == "KeyboardInterrupt False\n"
        assert time.monotonic() - begin < 8
        # The script still runs, as a notebook would, and loky's resource tracker with it.
        alive = [line for line in script.left_over() if "resource_tracker" not in line]
        assert len(alive) == 1, alive
        assert not list(fits.parent.glob("**/.metaflow"))
        script.finish(20)
        assert script.left_over() == []
    finally:
        script.kill()


def test_workers_end_when_the_search_is_killed(fits):
    script = start_search(fits, {"n_jobs": 2})
    try:
        wait_for_fits(script, fits, 2)
        script.process.kill()
        script.process.communicate(timeout=10)
        assert_all_processes_end(script)
    finally:
        script.kill()


@pytest.mark.parametrize("backend", ["local", "metaflow"])
def test_search_killed_before_its_first_fit_leaves_no_temporary_file(backend, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    script = Script(
        SCRIPTS / "search_killed_while_pickling.py",
        env={**os.environ, "TMPDIR": str(temporary)},
        arguments=[backend],
        cwd=tmp_path,
    )
    try:
        _, status = script.finish(60)
        assert status == -signal.SIGKILL
        assert_all_processes_end(script)
        assert list(temporary.glob("skdistsearch-*")) == []
    finally:
        script.kill()


def test_signal_ends_a_forked_child_at_once():
    command = [sys.executable, str(SCRIPTS / "fork_and_terminate.py")]
    subprocess.run(command, check=True, timeout=20)
