"""Show and log the progress of a search: a bar in a terminal or a notebook, or lines."""

from __future__ import annotations

import html
import logging
import multiprocessing
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import replace
from itertools import count
from threading import Event, Lock, Thread
from typing import Any, Protocol

from skdistsearch._batch import Batch, FitMonitor, Run, closing_outcomes
from skdistsearch._outcome import Outcome
from skdistsearch.model_selection._progress import Progress

_BAR_WIDTH = 12  # the line has 80 columns
_LINE_INTERVAL_S = 10.0
_LINES_PER_DURATION = 4  # a longer search has fewer lines: the next is due after 25 % more time
_INTERVAL_S = 0.25  # between two updates
_display_lock = Lock()  # a search inside a fit of another one, or in another thread, shows nothing

_log = logging.getLogger("skdistsearch")


def show_progress(run: Run, verbose: int, *, has_rounds: bool = False) -> Run:
    """Wrap ``run`` so that it logs its progress and, if ``verbose``, shows it.

    ``has_rounds``: the search has several rounds, which are numbered.
    """
    numbers = count(1)

    def run_and_show(batch: Batch) -> Generator[Outcome]:
        batch = replace(batch, local=replace(batch.local, monitor=FitMonitor()))
        progress = Progress(batch, next(numbers) if has_rounds else None)
        is_shown = bool(verbose) and _display_lock.acquire(blocking=False)
        try:
            with (
                open_displays(progress, is_verbose=is_shown) as displays,
                _updated(progress, displays) as reporter,
                closing_outcomes(run(batch)) as outcomes,
            ):
                for outcome in outcomes:
                    reporter.add_outcome(outcome)
                    yield outcome
                reporter.update(is_last=True)
        finally:
            if is_shown:
                _display_lock.release()

    return run_and_show


class Reporter:
    """Updates displays from two threads: this one, and one that does so while fits run."""

    def __init__(self, progress: Progress, displays: Sequence[Display]) -> None:
        self._progress, self._displays = progress, displays
        self._lock, self._updated_at = Lock(), 0.0

    def add_outcome(self, outcome: Outcome) -> None:
        """Count an outcome."""
        with self._lock:
            self._progress.add_outcome(outcome)
        self.update()

    def update(self, *, is_last: bool = False) -> None:
        """Update the displays, unless that was done a moment ago."""
        with self._lock:
            if is_last or time.monotonic() - self._updated_at >= _INTERVAL_S:
                self._updated_at = time.monotonic()
                for display in self._displays:
                    display.update(is_last=is_last)


@contextmanager
def _updated(progress: Progress, displays: Sequence[Display]) -> Iterator[Reporter]:
    """Provide a `Reporter`, and a thread that updates its displays until the end of the block."""
    reporter, is_over = Reporter(progress, displays), Event()

    def update_until_over() -> None:
        while not is_over.wait(_INTERVAL_S):
            reporter.update()

    # IPython finds the notebook's cell through the context
    thread = Thread(target=copy_context().run, args=(update_until_over,), daemon=True)
    thread.start()
    try:
        yield reporter
    finally:
        is_over.set()
        thread.join()


class Display(Protocol):
    """Shows the progress of one round."""

    def update(self, *, is_last: bool = False) -> None:
        """Show the progress, if that is due."""


@contextmanager
def open_displays(progress: Progress, *, is_verbose: bool) -> Iterator[list[Display]]:
    """Provide the displays of a round, for as long as it runs.

    Lines go to the logger, if anyone reads it. ``is_verbose`` adds a bar. Where there is no place
    for one, it writes the lines to stderr, unless they are logged.
    """
    with ExitStack() as stack:
        displays: list[Display] = []
        if _observers:  # not for a search inside a fit of another one
            observer = _observers.pop()
            stack.callback(_observers.append, observer)
            displays.append(_ObserverDisplay(progress, observer))
        if is_logged():
            displays.append(ProgressLines(progress, _log_line))
        if is_verbose and multiprocessing.current_process().name == "MainProcess":
            if _is_notebook():
                displays.append(NotebookBar(progress))
            elif (console := _terminal()) is not None:
                displays.append(stack.enter_context(TerminalBar(progress, console)))
            elif not displays:
                displays.append(ProgressLines(progress, _write_line))
        yield displays


Observer = Callable[[Progress], None]
"""Called with the progress of a round, again and again, in any thread."""
_observers: list[Observer] = []


@contextmanager
def observe_progress(observer: Observer) -> Iterator[None]:
    """Call ``observer`` with the progress of each round that runs within the block."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.clear()


def is_observed() -> bool:
    """Return True within a block of `observe_progress`."""
    return bool(_observers)


class _ObserverDisplay:
    """Shows the progress of one round to an observer."""

    def __init__(self, progress: Progress, observer: Observer) -> None:
        self._progress, self._observer = progress, observer

    def update(self, *, is_last: bool = False) -> None:
        self._observer(self._progress)


def is_logged() -> bool:
    """Return True if the application shows or stores what is logged at level INFO."""
    return _log.isEnabledFor(logging.INFO) and _log.hasHandlers()


def _log_line(line: str) -> None:
    _log.info("%s", line)


def _write_line(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stderr.flush()


def _is_notebook() -> bool:
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and hasattr(get_shell(), "kernel")


def _terminal() -> Any:
    """Return rich's console for a terminal; None without rich, or if stderr is something else."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(stderr=True)
    return console if console.is_terminal and not console.is_dumb_terminal else None


class ProgressLines:
    """Lines at growing intervals, and one at the end."""

    def __init__(self, progress: Progress, write: Callable[[str], None]) -> None:
        self._progress, self._write = progress, write
        self._due_s = _LINE_INTERVAL_S

    def update(self, *, is_last: bool = False) -> None:
        """Write a line, if it is due."""
        elapsed = self._progress.elapsed_s
        if is_last or elapsed > self._due_s:
            self._due_s = elapsed + max(_LINE_INTERVAL_S, elapsed / _LINES_PER_DURATION)
            number = self._progress.round_number
            self._write(f"Round {number}: {self._progress}" if number else str(self._progress))


class TerminalBar:
    """One live line at the bottom of a terminal. What fits print goes above it."""

    def __init__(self, progress: Progress, console: Any) -> None:
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self._progress = progress
        one_line = Column(no_wrap=True, overflow="ellipsis")
        self._bar = RichProgress(
            *[TextColumn(f"round {progress.round_number}")] * bool(progress.round_number),
            BarColumn(_BAR_WIDTH),
            TextColumn("{task.description}", markup=False, table_column=one_line),
            console=console,
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),  # a file must not get lost
        )
        self._task = self._bar.add_task("", total=progress.n_fits)
        self._stack = ExitStack()

    def __enter__(self) -> TerminalBar:
        streams = sys.stdout, sys.stderr
        self._stack.enter_context(self._bar)
        for handler in _handlers_in_use():  # of logging, opened before the bar
            if isinstance(handler, logging.StreamHandler) and handler.stream in streams:
                proxy = sys.stdout if handler.stream is streams[0] else sys.stderr
                self._stack.callback(handler.setStream, handler.stream)
                handler.setStream(proxy)
        self.update()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def update(self, *, is_last: bool = False) -> None:
        """Draw the line again."""
        text = self._progress.short_text()
        self._bar.update(
            self._task, completed=self._progress.n_done, description=text, refresh=True
        )


def _handlers_in_use() -> list[logging.Handler]:
    handlers, logger = [], _log
    while logger is not None:
        handlers += logger.handlers
        logger = logger.parent if logger.propagate else None  # type: ignore[assignment]
    return handlers


class NotebookBar:
    """One live line in the output of a notebook's cell. Needs no widgets."""

    def __init__(self, progress: Progress) -> None:
        from IPython.display import display

        self._progress = progress
        show: Any = display  # it has no types
        self._handle = show(self._data(), raw=True, display_id=True)

    def update(self, *, is_last: bool = False) -> None:
        """Replace the line."""
        self._handle.update(self._data(), raw=True)

    def _data(self) -> dict[str, str]:
        progress = self._progress
        text = progress.short_text()
        if progress.round_number:
            text = f"round {progress.round_number}: {text}"
        bar = f'<progress value="{progress.n_done}" max="{progress.n_fits}"></progress>'
        return {"text/plain": text, "text/html": f"{bar} {html.escape(text)}"}
