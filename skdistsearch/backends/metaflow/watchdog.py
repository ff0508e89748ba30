"""End a Metaflow run when its caller ends. Runs as a script, with its options as JSON.

- The trick: this process stands between the caller and the run, in a session of its own. Its stdin
  is a pipe whose other end only the caller holds. When the caller ends, for any reason, the kernel
  closes the pipe. Then the watchdog interrupts the run and kills its remote jobs.
- Why nothing simpler works: a handler in the caller does not run after SIGKILL or a crash in native
  code, Linux's parent-death signal does not reach grandchildren, and jobs on AWS Batch survive all
  local processes. Metaflow ends its jobs only if it is interrupted and has seconds to react.
- It breaks if another process inherits the caller's end of the pipe (``subprocess`` closes it in
  other children), or if a signal for the caller's process group also kills the watchdog.
- tests/backends/metaflow/test_stopped_caller.py stops callers at random moments;
  tests/model_selection/test_interrupt.py checks Ctrl-C.

A watchdog starts with every run, so it imports only a few modules of the standard library.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys

_POLL_S = 0.05
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
    # In a group of its own, so that signals reach all of its processes
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while run.poll() is None and not received and not _caller_has_ended():
        pass
    ended_by_itself = run.poll() is not None
    killers = []
    if not ended_by_itself:
        _signal_group(run, signal.SIGINT)
        # Now, and not only after the run: Metaflow does not know of a job that is being submitted
        # when its task is interrupted.
        killers += _start_killing_jobs(kill_command, run_id_file)
    was_killed = _end_run(run)
    if run.returncode and (ended_by_itself or was_killed):
        killers += _start_killing_jobs(kill_command, run_id_file)
    for killer in killers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            killer.wait(_KILL_JOBS_S)
    return run.returncode if run.returncode >= 0 else 128 - run.returncode


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
