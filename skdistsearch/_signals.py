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
def ended_in_order() -> Iterator[None]:
    """Within it a signal that would end the process at once unwinds it first.

    Then the process ends by that signal. A handler of the user's own is left alone, and so is a
    thread, which signals never reach.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    owner = os.getpid()

    def unwind(number: int, _: Any) -> None:
        if os.getpid() != owner:  # forked by an estimator: not ours to unwind
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        came.append(number)
        if len(came) == 1:  # a second one must not cut the tidying short
            raise _Ended

    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
        if came:
            os.kill(os.getpid(), came[0])
