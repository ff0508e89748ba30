"""Run the driver of a job on this machine, apart from the process that submitted it. A script.

- The trick: the submitting process starts this script in a session of its own, so that neither
  Ctrl-C nor a closed terminal reaches it. The script forks, and its first process ends at once: the
  second one has no parent that could end with it or would have to wait for it. It holds a lock on
  a file of the job for as long as it lives. The kernel frees the lock however the process ends, so
  the lock says whether the job runs, also after a restart of the machine.
- Why nothing simpler works: ``nohup`` does not start the driver again after a crash, a process id
  may belong to another process by the time that it is read, and a heartbeat stops with SIGSTOP.
- It breaks on a file system without ``flock``. On other systems than Linux, processes that the
  driver leaves behind in sessions of their own are not found; they end by themselves.
- tests/jobs/test_local_driver.py kills, stops and cancels drivers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from skdistsearch.backends.metaflow.watchdog import adopt_orphans, children, kill_tree

LOCK, EXITS = "driver.lock", "exits.json"
_POLL_S = 0.05
_TERMINATE_S = 30.0  # from SIGTERM to SIGKILL, as on AWS Batch
_LEFTOVERS_S = 75.0  # in which a watchdog ends its Metaflow run and the jobs of the run
_PAUSE_S = 1.0  # before the next attempt


def main(folder: str, command: list[str], attempts: int) -> None:
    """Run a command until it succeeds, at most ``attempts`` times, in the background."""
    import fcntl  # not on Windows

    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    received: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    with open(Path(folder, LOCK), "w") as lock:
        lock.write(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)  # `is_running` holds it for a moment
        _leave_the_submitter()
        adopt_orphans()
        _run_attempts(Path(folder), command, attempts, received)
        os._exit(0)  # with the lock: who sees it free finds no process


def _leave_the_submitter() -> None:
    """Tell the submitting process that the job runs, and close what it reads from."""
    sys.stdout.write("ready")
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _run_attempts(folder: Path, command: list[str], attempts: int, received: list[int]) -> None:
    exits: list[int] = []
    while len(exits) < attempts and not received and 0 not in exits:
        if exits:
            time.sleep(_PAUSE_S)
        with open(folder / "log" / f"{len(exits) + 1:06d}.txt", "ab") as log:
            driver = subprocess.Popen(
                [*command, str(len(exits) + 1)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait(driver, received)
        _end_leftovers(driver)
        exits.append(driver.returncode)
        (folder / EXITS).write_text(json.dumps({"exits": exits}))


def _wait(driver: subprocess.Popen[bytes], received: list[int]) -> None:
    """Wait for the driver. End it when this process is asked to end."""
    _wait_until(lambda: driver.poll() is not None or bool(received))
    if driver.poll() is None:
        driver.terminate()
        driver.send_signal(signal.SIGCONT)
        _wait_until(lambda: driver.poll() is not None, _TERMINATE_S)
        driver.kill()
        driver.wait()


def _end_leftovers(driver: subprocess.Popen[bytes]) -> None:
    """Wait for processes that the driver has left behind to end by themselves; then kill them."""
    if not _wait_until(lambda: not _has_leftovers(driver.pid), _LEFTOVERS_S):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(driver.pid, signal.SIGKILL)
        for child in children(os.getpid()):
            kill_tree(child)


def _has_leftovers(group: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return bool(children(os.getpid()))
    return True


def _wait_until(condition: Callable[[], bool], timeout_s: float = float("inf")) -> bool:
    """Wait until a condition holds; return False if it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_S)
    return True


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
