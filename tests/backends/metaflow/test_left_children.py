"""Processes and threads that a fit leaves behind end with its task."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.probing_regressor import ProbingRegressor
from sklearn.datasets import load_diabetes

from skdistsearch import DistributedSearchCV, MetaflowBackend

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.xdist_group("left children"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds orphans in /proc"),
]
X, y = load_diabetes(return_X_y=True)


def leave_program(folder):
    """Start a program that inherits stdout."""
    child = subprocess.Popen(["sleep", "300"])
    Path(folder, str(child.pid)).touch()


def leave_program_and_die(folder):
    leave_program(folder)
    os._exit(3)


def leave_daemon(folder):
    """Start a process in a session of its own, whose parent ends at once."""
    subprocess.run(["setsid", "--fork", "sh", "-c", f"touch {folder}/$$; sleep 300"], check=True)
    time.sleep(0.5)


def leave_process(folder):
    """Start a process that Python waits for at its exit."""
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(300,))
    child.start()
    Path(folder, str(child.pid)).touch()


def leave_fork(folder):
    """Fork, and return in both processes."""
    if os.fork() == 0:
        Path(folder, str(os.getpid())).touch()


def leave_thread(folder):
    """Start a thread that Python waits for at its exit."""
    threading.Thread(target=time.sleep, args=(300,)).start()
    Path(folder, "0").touch()


def probe_once(folder, leave):
    """Call ``leave`` in the first of the fits that share a folder."""
    begun = len(list(Path(folder).glob("begun-*")))
    Path(folder, f"begun-{begun}-{os.getpid()}").touch()
    if not begun:
        leave(folder)
    return 1.0


def living(folder):
    pids = [path.name for path in Path(folder).iterdir() if path.name.isdigit()]
    assert pids
    return [pid for pid in pids if Path("/proc", pid).exists()]


def run_search(folders):
    """Run a task for each folder, with two fits; the first one leaves something behind."""
    probes = [partial(probe_once, str(folder), leave) for leave, folder in folders.items()]
    search = DistributedSearchCV(
        ProbingRegressor(),
        {"probe": probes},
        cv=2,
        backend=MetaflowBackend(max_workers=2, fits_per_task=2),
        refit=False,
    ).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], 1.0)


LEAVE = [leave_program, leave_daemon, leave_process, leave_fork, leave_thread]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Run a search of which each task leaves something else; return the folders by what it is."""
    folders = {leave: tmp_path_factory.mktemp(leave.__name__) for leave in LEAVE}
    run_search(folders)
    return folders


def begun_in(folder):
    """Return the process of each fit that has begun."""
    return [path.name.split("-")[2] for path in folder.glob("begun-*")]


@pytest.mark.parametrize("leave", LEAVE)
def test_fit_that_leaves_something_behind_does_not_hang_the_run(leave, folders):
    first, second = begun_in(folders[leave])  # none of them twice
    assert first == second  # both in the task that it was left in
    assert living(folders[leave]) == []


def test_task_that_leaves_a_program_and_dies_does_not_hang_the_run(tmp_path):
    run_search({leave_program_and_die: tmp_path})
    assert len(begun_in(tmp_path)) == 3  # the fit that died runs twice
    assert living(tmp_path) == []
