"""Each step is done once, by whichever process comes first, and also if a process dies in it."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from skdistsearch.storage import HAS_LOCKS, SharedSteps

pytestmark = pytest.mark.skipif(not HAS_LOCKS, reason="needs locks of POSIX")
CONTEXT = multiprocessing.get_context("fork") if HAS_LOCKS else None


@pytest.fixture
def path(tmp_path):
    return tmp_path / "steps"


def start(function, *arguments):
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process


def do_steps(path, done, n_steps):
    with SharedSteps(path) as steps:
        steps.do_all(range(n_steps), lambda step: append(done, step))


def append(path, step):
    with open(path, "a") as file:
        file.write(f"{step}\n")


def die_in_step(path, step):
    with SharedSteps(path) as steps:
        steps.do(step, lambda: os.kill(os.getpid(), signal.SIGKILL))


def hold(path, ready, end):
    with SharedSteps(path) as steps:
        steps.join(0)
        ready.set()
        end.wait(20)


def test_processes_do_each_step_once(path, tmp_path):
    workers = [start(do_steps, path, tmp_path / "done", 40) for _ in range(2)]
    for worker in workers:
        worker.join(20)
    assert sorted(map(int, Path(tmp_path / "done").read_text().split())) == list(range(40))


def test_step_in_which_a_process_died_is_done_again(path, tmp_path):
    worker = start(die_in_step, path, 1)
    worker.join(20)
    assert worker.exitcode == -signal.SIGKILL
    do_steps(path, tmp_path / "done", 3)
    assert (tmp_path / "done").read_text().split() == ["0", "1", "2"]


def test_step_that_failed_is_done_again(path):
    def fail():
        raise RuntimeError

    done = []
    with SharedSteps(path) as steps:
        with pytest.raises(RuntimeError):
            steps.do(0, fail)
        steps.do(0, lambda: done.append(0))
    assert done == [0]


def test_last_user_cleans_up(path):
    ready, end, last = CONTEXT.Event(), CONTEXT.Event(), []
    other = start(hold, path, ready, end)
    assert ready.wait(20)
    with SharedSteps(path) as steps:
        steps.join(0)
        steps.leave(0, lambda: last.append("too early"))
        end.set()
        other.join(20)
        steps.join(0)
        steps.leave(0, lambda: last.append("last"))
    assert last == ["last"]
