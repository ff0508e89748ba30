"""End a Metaflow run when its caller ends. Runs as a script, with its options as JSON.

- The trick: this process stands between the caller and the run, in a session of its own. Its stdin
  is a pipe whose other end only the caller holds. When the caller ends, for any reason, the kernel
  closes the pipe. Then the watchdog interrupts the run and kills its remote jobs.
- Processes that a fit leaves behind keep the task's output open, and Metaflow waits for its end. On
  Linux, the kernel gives orphans to the nearest subreaper above them: to the task while it lives,
  so that a fit can use a daemon that it started, then to the watchdog, which kills them.
- Why nothing simpler works: a handler in the caller does not run after SIGKILL or a crash in native
  code, Linux's parent-death signal does not reach grandchildren, and jobs on AWS Batch survive all
  local processes. Metaflow ends its jobs only if it is interrupted and has seconds to react.
  A daemon leaves the process group of its task, and a task that was killed cleans up nothing.
- It breaks if another process inherits the caller's end of the pipe (``subprocess`` closes it in
  other children, and `_process` in forks), or if a signal for the caller's process group also kills
  the watchdog. Orphans are not found on other systems than Linux.
- tests/backends/metaflow/test_stopped_caller.py stops callers at random moments;
  tests/model_selection/test_interrupt.py checks Ctrl-C; test_left_children.py leaves orphans.

A watchdog starts with every run, so it imports only a few modules of the standard library.
"""

import contextlib
import glob
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

_POLL_S = 0.05
_ORPHAN_S = 2.0  # for processes that end by themselves after their task, such as joblib's tracker
_ORPHANS_MAX_S = 10.0  # the end of a run waits no longer for them
_PR_SET_CHILD_SUBREAPER = 36
# After SIGINT, Metaflow takes two to four seconds to end its tasks and their jobs.
_ESCALATION = ((5.0, signal.SIGTERM), (2.0, signal.SIGKILL))
_KILL_JOBS_S = 60.0


def main(command: list[str], kill_command: list[str], run_id_file: str) -> int:
    """Run a command until it ends or the caller ends; return the exit status of the command.

    ``kill_command``, followed by the ID of the run, kills the remote jobs of the run. It is empty
    for local runs.
    """
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: received.append(number))
    adopt_orphans()
    # In a group of its own, so that signals reach all of its processes
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    orphans = _Orphans(run)
    while run.poll() is None and not received and not _caller_has_ended():
        orphans.kill()
    ended_by_itself = run.poll() is not None
    killers = []
    if not ended_by_itself:
        _signal_group(run, signal.SIGINT)
        # Now, and not only after the run: Metaflow does not know of a job that is being submitted
        # when its task is interrupted.
        killers += _start_killing_jobs(kill_command, run_id_file)
    was_killed = _end_run(run)
    orphans.kill_all(killers)
    if run.returncode and (ended_by_itself or was_killed):
        killers += _start_killing_jobs(kill_command, run_id_file)
    for killer in killers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            killer.wait(_KILL_JOBS_S)
    return run.returncode if run.returncode >= 0 else 128 - run.returncode


def adopt_orphans() -> None:
    """Become the parent of all processes below this one that lose theirs, on Linux."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class _Orphans:
    """Processes of the run that lost their parents and are now children of this process."""

    def __init__(self, run: "subprocess.Popen[bytes]") -> None:
        self._run = run
        self._found_at: dict[int, float] = {}

    def kill(self, others: Iterable["subprocess.Popen[bytes]"] = ()) -> bool:
        """Kill those that have had time to end; return False if there are none.

        ``others`` are children that this process has started.
        """
        now, started = time.monotonic(), {child.pid for child in (self._run, *others)}
        orphans = set(children(os.getpid())) - started
        self._found_at = {pid: self._found_at.get(pid, now) for pid in orphans}
        for pid, found_at in self._found_at.items():
            if now - found_at > _ORPHAN_S:
                kill_tree(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return bool(orphans)

    def kill_all(self, others: Iterable["subprocess.Popen[bytes]"]) -> None:
        """Wait until there are none."""
        end = time.monotonic() + _ORPHANS_MAX_S
        while self.kill(others) and time.monotonic() < end:
            time.sleep(_POLL_S)


def children(pid: int) -> list[int]:
    """Return the ids of the children of a process. Empty if the system does not say."""
    found: list[int] = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as file:
            found += map(int, file.read().split())
    return found


def kill_tree(pid: int) -> None:
    """Kill a process and all processes below it."""
    below = children(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
    for child in below:
        kill_tree(child)


def _caller_has_ended() -> bool:
    """Wait for a moment; return True if the caller has closed its end of the pipe."""
    readable, _, _ = select.select([0], [], [], _POLL_S)
    return bool(readable) and not os.read(0, 1)


def _end_run(run: "subprocess.Popen[bytes]") -> bool:
    """Wait for an interrupted run; return True if it had to be killed and could not clean up."""
    was_killed = False
    for timeout_s, number in _ESCALATION:
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(timeout_s)
            break
        _signal_group(run, number)
        was_killed = True
    run.wait()
    _signal_group(run, signal.SIGKILL)  # tasks that outlived their scheduler
    return was_killed


def _signal_group(run: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(run.pid, number)


def _start_killing_jobs(
    kill_command: list[str], run_id_file: str
) -> "list[subprocess.Popen[bytes]]":
    """Start to kill the remote jobs of the run, if it has begun and can have any."""
    if not kill_command or not os.path.exists(run_id_file):
        return []
    with open(run_id_file) as file:
        command = [*kill_command, file.read().strip()]
    return [subprocess.Popen(command, stdin=subprocess.DEVNULL)]


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
