"""The driver of a job as a process of this machine, which outlives the one that submits it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skdistsearch.exceptions import JobError
from skdistsearch.jobs._files import DRIVER, JOB_VARIABLE, LOGS, About, JobFiles
from skdistsearch.jobs._supervisor import EXITS, LOCK

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_HERE = Path(__file__).parent
_STOP_S = 150.0  # for the driver, and what it has started, to end
_START_S = 30.0  # from the claim of the name to the start of the driver


def start(files: JobFiles, about: About, payload: str, attempts: int) -> None:
    """Start the driver, and return when nothing can end it with this process."""
    if fcntl is None:
        raise JobError('driver="local" needs Linux or macOS; use driver="batch".')
    Path(files.url, LOGS).mkdir(mode=0o700, exist_ok=True)
    driver = [sys.executable, "-u", str(_HERE / "_driver.py"), files.url, payload]
    options = {"folder": files.url, "command": driver, "attempts": attempts}
    paths = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    done = subprocess.run(
        [sys.executable, str(_HERE / "_supervisor.py"), json.dumps(options)],
        env={**os.environ, "PYTHONPATH": paths, JOB_VARIABLE: about.id},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if done.stdout != "ready":
        raise JobError(f"The driver of {about.name!r} could not be started: {done.stderr}")
    files.write(DRIVER, {"host": socket.gethostname()})


def state(files: JobFiles, about: About) -> tuple[str, str]:
    """Return "running", or "ended" and the reason."""
    if is_running(files):
        return "running", ""
    if not Path(files.url, LOCK).exists():
        if time.time() - about.submitted_at < _START_S:
            return "submitted", ""
        return "ended", "The process that submitted it has ended before it started the driver."
    exits = [_describe(status) for status in files.read(EXITS).get("exits", [])]
    if exits:
        return "ended", f"Its driver ended {len(exits)} times: {', '.join(exits)}. See job.log()."
    return "ended", "Its driver has disappeared; perhaps the machine was restarted."


def is_running(files: JobFiles) -> bool:
    """Return whether a process holds the lock of a job."""
    try:
        with open(Path(files.url, LOCK)) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def stop(files: JobFiles, about: About) -> None:
    """End the driver and all that it has started."""
    if not is_running(files):
        return
    owner: Mapping[str, Any] = json.loads(Path(files.url, LOCK).read_text())
    if owner["host"] == socket.gethostname():  # another one sees that the job is cancelled
        with contextlib.suppress(ProcessLookupError):
            os.kill(owner["pid"], signal.SIGTERM)
    end = time.monotonic() + _STOP_S
    while is_running(files):
        if time.monotonic() > end:
            raise JobError(f"The driver of {about.name!r} on {owner['host']} has not ended yet.")
        time.sleep(0.05)


def _describe(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
