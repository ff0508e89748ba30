"""Steps that the processes of a machine do together, each step once.

A step is a byte of a file: a process locks the byte, does the step, and writes that it is done. The
lock is one of POSIX (``lockf``), which the kernel frees when its process ends. So a process that is
killed within a step leaves it to the next one, and no process waits for a dead one. A file that is
created with ``O_EXCL``, as for the units of fits, would be simpler, but it outlives its process.

The locks belong to a process: they do not exclude its threads, and closing the file once frees all
of them. A second `SharedSteps` of the same file in one process would break it, and so would a file
system without locks. ``tests/storage/test_steps.py`` watches a process that dies in a step.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HAS_LOCKS = fcntl is not None
"""False on a system whose processes cannot share steps."""
_DONE = b"\1"
_LOCKED = (BlockingIOError, PermissionError)  # POSIX allows both


class SharedSteps:
    """Numbered steps, of which each is done by one process of this machine.

    Parameters
    ----------
    path : Path
        File of the steps, the same for all processes. It is created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> SharedSteps:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def do(self, step: int, action: Callable[[], object], *, wait: bool = True) -> bool:
        """Do a step, unless a process has done it.

        Returns False, without ``wait``, if another process is doing it.
        """
        try:
            self._lock(step, fcntl.LOCK_EX, wait=wait)
        except _LOCKED:
            return False
        try:
            if os.pread(self._file, 1, step) != _DONE:
                action()
                os.pwrite(self._file, _DONE, step)
        finally:
            self._lock(step, fcntl.LOCK_UN)
        return True

    def do_all(self, steps: range, action: Callable[[int], object]) -> None:
        """Do all steps together with the other processes that call this. Returns when all are done.

        ``action`` gets the number of the step.
        """
        others = [step for step in steps if not self.do(step, partial(action, step), wait=False)]
        for step in others:  # in case a process has died in one of them
            self.do(step, partial(action, step))

    def join(self, step: int) -> None:
        """Become one of the processes that use what a step stands for."""
        self._lock(step, fcntl.LOCK_SH)

    def leave(self, step: int, if_last: Callable[[], object]) -> None:
        """Stop using it, and call ``if_last`` if no other process uses it."""
        try:
            self._lock(step, fcntl.LOCK_EX, wait=False)
            if_last()
        except _LOCKED:
            pass
        finally:
            self._lock(step, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file, which frees all locks of this process."""
        os.close(self._file)

    def _lock(self, step: int, kind: int, *, wait: bool = True) -> None:
        fcntl.lockf(self._file, kind if wait else kind | fcntl.LOCK_NB, 1, step)
