"""The process of a run ends when its caller stops it, even if the caller has forked."""

import os
import signal
import time

import pytest

from skdistsearch.backends.metaflow import _process
from skdistsearch.backends.metaflow._process import RunProcess
from skdistsearch.backends.metaflow._settings import MetaflowSettings


class SleepingRun(RunProcess):
    """Sleeps instead of running Metaflow."""

    def _watchdog_arguments(self, parameters):
        command = ["sleep", "60"]
        return {"command": command, "kill_command": [], "run_id_file": str(self._run_id_file)}


@pytest.fixture
def fork():
    """Return a function that forks this process; the fork lives until the end of the test."""
    children = []

    def fork():
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        children.append(child)

    yield fork
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_of_the_caller_does_not_keep_the_run(tmp_path, monkeypatch, fork):
    monkeypatch.setattr(_process, "_STOP_TIMEOUT_S", 10.0)
    run = SleepingRun(MetaflowSettings(), tmp_path / "run", n_tasks=1, n_workers=1)
    run.start([], [], {})
    fork()
    assert run.stop()
    assert run.poll() is not None
