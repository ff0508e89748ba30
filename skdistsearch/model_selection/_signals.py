"""An end in order: what a signal would cut short tidies up first."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # of a batch system, of a terminal that is closed


class _Ended(BaseException):
    """A signal that ends the process has come."""


@contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Within it a signal that would end the process at once unwinds it first.

    Then the process ends by that signal. A handler of the user's own is left alone, and so is a
    thread, which signals never reach.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def unwind(number: int, _: Any) -> None:
        came.append(number)
        if len(came) == 1:  # a second one must not cut the tidying short
            raise _Ended

    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, unwind)
    _handled.extend(ours)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        _handled[:] = [number for number in _handled if number not in ours]
        if came:
            os.kill(os.getpid(), came[0])


_handled: list[int] = []  # the signals that this process unwinds at
_forking = threading.local()  # its mask of signals before a fork


def _before_fork() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _handled)


def _after_fork_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _after_fork_in_child() -> None:
    """Die of a signal as any process would.

    What a handler in Python has noted in a child that has not begun is forgotten when it begins,
    and who waits for the child's end (``multiprocessing.Pool.terminate``) waits forever. So these
    signals are held back until the child has the default for them.
    """
    for number in _handled:
        signal.signal(number, signal.SIG_DFL)
    _handled.clear()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
