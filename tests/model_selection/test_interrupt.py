"""Ctrl-C ends a fit within seconds and leaves no process."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from helpers.subprocesses import Script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

SOURCE = """
import sys, time
from sklearn.datasets import make_regression
from skdistsearch import DistributedSearchCV
from skdistsearch.testing import FaultyRegressor
X, y = make_regression(20, 2, random_state=0)
grid = {{"behavior": ["sleep"], "factor": [1, 2], "folder": ["{folder}"]}}
search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, **{options!r})
try:
    search.fit(X, y)
except KeyboardInterrupt:
    print("KeyboardInterrupt", hasattr(search, "cv_results_"), flush=True)
    time.sleep(0.5)
    sys.stdin.read()
"""


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "notebook"])
@pytest.mark.parametrize(
    ("options", "running"),
    [({"n_jobs": 1}, 1), ({"n_jobs": 2}, 2), ({"backend": "metaflow", "n_jobs": 2}, 2)],
    ids=["here", "processes", "metaflow"],
)
def test_interrupt(options, running, whole_group, tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()
    source = SOURCE.format(folder=fits, options=options)
    script = Script(tmp_path / "script.py", source, stdin=subprocess.PIPE)
    try:
        script.wait_for(lambda: len(list(fits.iterdir())) >= running)
        begin = time.monotonic()
        script.interrupt(whole_group)
        said = script.process.stdout.readline()
        if "backend" in options:
            assert re.match(r"The Metaflow run DistributedSearch/\d+ was ended, and its", said)
            said = script.process.stdout.readline()
        assert said == "KeyboardInterrupt False\n"
        assert time.monotonic() - begin < 8
        # The script lives on, as a notebook does; loky's tracker of resources lives with it.
        alive = [line for line in script.left_over() if "resource_tracker" not in line]
        assert len(alive) == 1, alive
        assert not list(tmp_path.glob("**/.metaflow"))
        script.finish(20)
        assert script.left_over() == []
    finally:
        script.kill()


def test_workers_end_with_a_process_that_is_killed(tmp_path):
    fits = tmp_path / "fits"
    fits.mkdir()
    source = SOURCE.format(folder=fits, options={"n_jobs": 2})
    script = Script(tmp_path / "script.py", source)
    try:
        script.wait_for(lambda: len(list(fits.iterdir())) >= 2)
        script.process.kill()
        script.process.communicate(timeout=10)
        end = time.monotonic() + 8
        while script.left_over() and time.monotonic() < end:
            time.sleep(0.1)
        assert script.left_over() == []
    finally:
        script.kill()


@pytest.mark.parametrize("backend", ["local", "metaflow"])
def test_process_killed_before_its_first_fit_leaves_no_temporary_file(backend, tmp_path):
    source = f"""
import os, signal
from sklearn.datasets import make_regression
from skdistsearch import DistributedSearchCV
from skdistsearch.testing import FaultyRegressor

class Deadly(FaultyRegressor):
    def __getstate__(self):
        os.kill(os.getpid(), signal.SIGKILL)

X, y = make_regression(20, 2, random_state=0)
DistributedSearchCV(Deadly(), {{"factor": [1, 2]}}, backend="{backend}", n_jobs=2).fit(X, y)
"""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {**os.environ, "TMPDIR": str(temporary)}
    script = Script(tmp_path / "script.py", source, env)
    try:
        _, code = script.finish(60)
        assert code == -signal.SIGKILL
        end = time.monotonic() + 8
        while script.left_over() and time.monotonic() < end:
            time.sleep(0.1)
        assert script.left_over() == []
        assert list(temporary.glob("skdistsearch-*")) == []
    finally:
        script.kill()


FORKS = """
import os, signal, time
from skdistsearch.model_selection._signals import unwind_on_sigterm

with unwind_on_sigterm():
    for _ in range(50):
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGTERM
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""


def test_forked_children_die_of_a_signal_at_once():
    subprocess.run([sys.executable, "-c", FORKS], check=True, timeout=20)
