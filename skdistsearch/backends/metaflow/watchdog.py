"""Keeps a run from outliving the process that wants it. Run as a script, with JSON as argument.

It stands between the caller and the run, in a session of its own, and holds the reading end of a
pipe from the caller. When that closes, however the caller ended, the run is stopped, and then
what it may have left elsewhere. It imports little, because it starts with every run.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys

_TICK_S = 0.05
# Metaflow ends its tasks and their jobs itself, given a moment: two to four seconds
_PATIENCE_S = ((5.0, signal.SIGTERM), (2.0, signal.SIGKILL))
_SWEEP_S = 60.0


def main(command: list[str], sweep: list[str], run_id_file: str) -> int:
    """Run ``command`` to its end, or to that of the caller; return its exit status."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    # a group of its own, for signals to reach all of it
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while run.poll() is None and not stopped:
        if select.select([0], [], [], _TICK_S)[0] and not os.read(0, 1):
            break
    ended_itself = run.poll() is not None
    sweepers = []
    if not ended_itself:
        _signal_group(run, signal.SIGINT)
        # At once: a job in the making when its task is interrupted is known to nobody else.
        sweepers += _start(sweep, run_id_file)
    killed = _end(run)
    if run.returncode and (ended_itself or killed):
        sweepers += _start(sweep, run_id_file)
    for sweeper in sweepers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            sweeper.wait(_SWEEP_S)
    return run.returncode if run.returncode >= 0 else 128 - run.returncode


def _end(run: "subprocess.Popen[bytes]") -> bool:
    """Wait for an interrupted run; whether it had to be killed, and so could not tidy up."""
    killed = False
    for patience_s, number in _PATIENCE_S:
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(patience_s)
            break
        _signal_group(run, number)
        killed = True
    run.wait()
    _signal_group(run, signal.SIGKILL)  # tasks that outlived their scheduler
    return killed


def _signal_group(run: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(run.pid, number)


def _start(sweep: list[str], run_id_file: str) -> "list[subprocess.Popen[bytes]]":
    """Start what ends the run's jobs elsewhere, if it can have any."""
    if not sweep or not os.path.exists(run_id_file):
        return []
    with open(run_id_file) as file:
        command = [*sweep, file.read().strip()]
    return [subprocess.Popen(command, stdin=subprocess.DEVNULL)]


if __name__ == "__main__":
    sys.exit(main(**json.loads(sys.argv[1])))
