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
    pytest.mark.timeout(60),
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
    """Call ``leave`` in the first fit; return the number of fits that have begun."""
    begun = len(list(Path(folder).glob("begun-*")))
    Path(folder, f"begun-{begun}-{os.getpid()}").touch()
    if not begun:
        leave(folder)
    return 1.0


def living(folder):
    pids = [path.name for path in Path(folder).iterdir() if path.name.isdigit()]
    assert pids
    return [pid for pid in pids if Path("/proc", pid).exists()]


@pytest.mark.parametrize(
    "leave",
    [leave_program, leave_program_and_die, leave_daemon, leave_process, leave_fork, leave_thread],
)
def test_fit_that_leaves_something_behind_does_not_hang_the_run(leave, tmp_path):
    probe = partial(probe_once, str(tmp_path), leave)
    search = DistributedSearchCV(
        ProbingRegressor(),
        {"probe": [probe], "number": [0, 1]},
        cv=2,
        backend=MetaflowBackend(max_workers=1, fits_per_task=4),
        refit=False,
    ).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [1.0, 1.0])
    n_tries = 5 if leave is leave_program_and_die else 4
    assert len(list(tmp_path.glob("begun-*"))) == n_tries  # none of them twice
    assert living(tmp_path) == []
