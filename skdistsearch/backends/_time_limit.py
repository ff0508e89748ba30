"""Kill a task whose fit takes too long, and record why. Used in a task, and runs as a script.

- The trick: a small process waits beside the task. Before each fit, the task sends it the journal
  that has to be left if the fit takes too long. When the time is up, the process stops the task, so
  that nothing else is written, leaves that journal and kills the task.
- Why nothing simpler works: native code that holds the interpreter lock stops all threads and all
  Python handlers of signals. A signal or `faulthandler` can still end the process, but the reason
  would not be recorded: the fit would run for a second time, and be lost as one that crashed.
- It breaks if the journal of a task gets another form, or if a fit kills the process; then it has
  no limit.
- tests/backends/metaflow/test_fit_timeout.py runs such fits.

The process imports only a few modules of the standard library, and starts in 30 ms.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypedDict

_UPLOAD_MAX_S = 60.0
_STOP_S = 0.1  # after which a process that got SIGSTOP writes no more
_WAIT_MAX_S = 3600.0  # at a time: select() does not take years
_UPLOAD = (
    "import sys; from pathlib import Path;"
    "from skdistsearch.storage import JournalUploader, open_store;"
    "JournalUploader(Path(sys.argv[1]), open_store(sys.argv[2])).flush_all()"
)


class OverdueFit(TypedDict):
    """The trace of a fit that takes too long."""

    name: str
    """Name of the journal to leave."""
    content: str
    """Content of the journal."""
    reason: str
    """A line to print."""


class TimeLimit:
    """Time limit of each fit in this process. A context manager.

    Parameters
    ----------
    seconds : float
        The limit; 0 for none.
    folder : Path
        Where the journal of a fit that takes too long is written.
    upload_to : str, default=""
        URL of the store to which the journals in ``folder`` are uploaded; empty for none.
    """

    def __init__(self, seconds: float, folder: Path, upload_to: str = "") -> None:
        self._seconds, self._folder, self._upload_to = seconds, folder, upload_to
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TimeLimit:
        if self._seconds:
            upload = [sys.executable, "-c", _UPLOAD, str(self._folder), self._upload_to]
            options = {
                "task": os.getpid(),
                "seconds": self._seconds,
                "folder": str(self._folder),
                "upload": upload if self._upload_to else [],
            }
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, json.dumps(options)],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()

    @contextlib.contextmanager
    def of_fit(self, overdue: Callable[[], OverdueFit]) -> Iterator[None]:
        """Limit the time of the block. ``overdue`` is called if there is a limit."""
        if self._process is None:
            yield
            return
        self._send(overdue())
        try:
            yield
        finally:
            self._send(None)

    def _send(self, message: OverdueFit | None) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a fit has killed the process
            os.write(self._process.stdin.fileno(), json.dumps(message).encode() + b"\n")


def main(task: int, seconds: float, folder: str, upload: list[str]) -> None:
    """Wait for the end of the task, or for a fit that takes too long."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the task
    fit: OverdueFit | None = None
    end, received = math.inf, b""
    while os.getppid() == task:
        if _is_readable(min(max(end - time.monotonic(), 0.0), _WAIT_MAX_S)):
            data = os.read(0, 65536)
            if not data:
                return
            *messages, received = (received + data).split(b"\n")
            if messages:
                fit = json.loads(messages[-1])
                end = time.monotonic() + seconds if fit else math.inf
        elif fit and time.monotonic() >= end and _stop(task):
            _leave_journal(fit, folder, upload)
            if os.getppid() == task:
                os.kill(task, signal.SIGKILL)
            return


def _is_readable(wait_s: float) -> bool:
    return bool(select.select([0], [], [], wait_s)[0])


def _stop(task: int) -> bool:
    """Stop a process; return False if its fit ended at the last moment."""
    os.kill(task, signal.SIGSTOP)
    if not _is_readable(_STOP_S):
        return True
    os.kill(task, signal.SIGCONT)
    return False


def _leave_journal(fit: OverdueFit, folder: str, upload: list[str]) -> None:
    print(f"skdistsearch ends a fit: {fit['reason']}", file=sys.stderr, flush=True)  # noqa: T201
    path = os.path.join(folder, fit["name"])
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with open(f"{path}.new", "w", opener=partial(os.open, mode=0o600)) as file:
            file.write(fit["content"])
        os.replace(f"{path}.new", path)
        if upload:
            subprocess.run(upload, check=True, stdin=subprocess.DEVNULL, timeout=_UPLOAD_MAX_S)
    except (OSError, subprocess.SubprocessError) as exc:  # the fit will run again
        print(f"skdistsearch could not record that: {exc}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
