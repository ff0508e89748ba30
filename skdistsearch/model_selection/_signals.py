"""Run clean-up code before SIGTERM or SIGHUP ends the process.

Python runs ``finally`` blocks at Ctrl-C, but not at SIGTERM (a batch system) or SIGHUP (a terminal
that is closed). During a search, a handler raises an exception at these signals, which ends
workers and jobs, and the process then ends by the same signal.

A handler in Python only notes the signal and acts at the next bytecode. A child that was forked but
has not started yet forgets the note, and a parent that waits for the child's end
(``multiprocessing.Pool.terminate``) would wait forever. The signals are therefore blocked during a
fork, until the child has their default handlers again. Without ``os.register_at_fork`` (Windows)
there is no fork. ``tests/model_selection/test_interrupt.py`` watches it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class _ProcessEnding(BaseException):
    """A signal that ends the process has arrived."""


@contextmanager
def unwind_on_sigterm() -> Iterator[None]:
    """Let a signal that would end the process unwind the block first.

    Leaves signals alone that the user handles, and does nothing in a thread, which signals never
    reach.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def unwind(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:  # a second signal must not interrupt the clean-up
            raise _ProcessEnding

    handled = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, unwind)
    _handled_signals.extend(handled)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
        _handled_signals[:] = [number for number in _handled_signals if number not in handled]
        if received:
            os.kill(os.getpid(), received[0])


_handled_signals: list[int] = []
_fork_state = threading.local()  # the mask of blocked signals before a fork


def _before_fork() -> None:
    _fork_state.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _handled_signals)


def _after_fork_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _fork_state.mask)


def _after_fork_in_child() -> None:
    for number in _handled_signals:
        signal.signal(number, signal.SIG_DFL)
    _handled_signals.clear()
    signal.pthread_sigmask(signal.SIG_SETMASK, _fork_state.mask)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
