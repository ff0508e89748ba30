"""Fixtures of the tests of jobs: no job outlives its test."""

import sys

import pytest

from skdistsearch import jobs

if sys.platform == "win32":
    collect_ignore_glob = ["*"]


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    """Folder of jobs and checkpoints. Jobs that still run are cancelled at the end."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    yield tmp_path / "data" / "skdistsearch"
    for job in jobs.list("local"):
        job.cancel()


@pytest.fixture
def fits(tmp_path):
    """Folder in which each fit leaves a file."""
    folder = tmp_path / "fits"
    folder.mkdir()
    return folder
