"""No slice of large data is left in memory or on disk, however a search ends."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from helpers.subprocesses import SCRIPTS, Script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for mapped files in /proc"),
]


@pytest.fixture
def temporary(tmp_path):
    """Return the folder for temporary files of the search."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def start_search(tmp_path, temporary, end, options):
    """Start a search, wait until two fits run, and return it with the folders of its slices."""
    fits = tmp_path / "fits"
    fits.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(tmp_path)}
    script = Script(
        SCRIPTS / "search_large_data.py",
        env=environment,
        arguments=[fits, end, json.dumps(options)],
        cwd=tmp_path,
    )
    try:
        script.wait_for(lambda: len(list(fits.iterdir())) >= options.get("n_jobs", 1))
        folders = mapped_folders(script)
        assert {folder.parent for folder in folders} == {Path("/dev/shm")}
    except BaseException:
        script.kill()
        raise
    return script, folders


def mapped_folders(script):
    """Return the folders of the slices that processes of a script have mapped."""
    text = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in script.find(""))
    return set(map(Path, re.findall(r"(/\S*/skdistsearch-\w+)/\d+-\d+-train\.data", text)))


def assert_nothing_is_left(script, folders, temporary, timeout_s=10):
    end = time.monotonic() + timeout_s
    while script.left_over() and time.monotonic() < end:
        time.sleep(0.1)
    assert script.left_over() == []
    assert [folder for folder in folders if folder.exists()] == []
    assert list(temporary.glob("skdistsearch-*")) == []


@pytest.mark.parametrize(
    ("backend", "end", "status"),
    [("local", "return", 0), ("local", "raise", 1), ("local", "kill", 1), ("metaflow", "raise", 1)],
)
def test_nothing_is_left_when_the_fits_end(backend, end, status, tmp_path, temporary):
    options = {"n_jobs": 2, "backend": backend}
    script, folders = start_search(tmp_path, temporary, end, options)
    try:
        Path(tmp_path, "fits", "end").touch()
        output, actual = script.finish()
        assert actual == status, output
        assert_nothing_is_left(script, folders, temporary)
    finally:
        script.kill()


@pytest.mark.parametrize(
    "options", [{"n_jobs": 1}, {"n_jobs": 2}, {"backend": "metaflow"}], ids=str
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=str)
def test_nothing_is_left_when_the_caller_gets_a_signal(number, options, tmp_path, temporary):
    script, folders = start_search(tmp_path, temporary, "return", options)
    try:
        script.process.send_signal(number)
        script.finish()
        assert_nothing_is_left(script, folders, temporary)
    finally:
        script.kill()
