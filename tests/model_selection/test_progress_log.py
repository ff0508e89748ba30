"""The log of a search, and what a verbose search shows."""

import logging
import multiprocessing
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest
from sklearn.datasets import make_regression

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV
from skdistsearch.model_selection import _progress_log, observe_progress
from skdistsearch.testing import FaultyRegressor

X, y = make_regression(40, 2, random_state=0)
GRID = {"factor": [2.0, 1.0, 3.0]}
BEST = "candidate 1 (factor=1.0)"


@pytest.fixture
def info_log(caplog):
    caplog.set_level(logging.INFO, logger="skdistsearch")
    return caplog


def fit_search(grid=None, **options):
    search = DistributedSearchCV(FaultyRegressor(), grid or GRID, cv=2, refit=False, **options)
    return search.fit(X, y)


def test_end_of_a_search_is_logged_with_its_best_candidate(info_log):
    best_score = max(fit_search().cv_results_["mean_test_score"])
    assert info_log.messages == [
        f"6 of 6 fits are done; best mean score so far {best_score:.6g}: {BEST}"
    ]


def test_end_of_each_round_is_logged(info_log):
    search = DistributedHalvingGridSearchCV(
        FaultyRegressor(), GRID, cv=2, factor=2, refit=False, random_state=0
    ).fit(X, y)
    n_fits = [2 * n for n in search.n_candidates_]
    assert len(n_fits) > 1
    assert [text.split(";")[0] for text in info_log.messages] == [
        f"Round {number}: {n} of {n} fits are done" for number, n in enumerate(n_fits, 1)
    ]


def test_progress_is_logged_at_intervals(info_log, monkeypatch):
    monkeypatch.setattr(_progress_log, "_LINE_INTERVAL_S", 0.0)
    monkeypatch.setattr(_progress_log, "_INTERVAL_S", 0.0)
    monkeypatch.setattr(_progress_log, "_LINES_PER_DURATION", 1e9)
    fit_search()
    counts = dict.fromkeys(text.split(";")[0] for text in info_log.messages)
    assert list(counts)[-6:] == [f"{n} of 6 fits are done" for n in range(1, 7)]


def test_first_of_several_metrics_selects_the_best(info_log):
    search = fit_search(scoring=["neg_mean_squared_error", "r2"])
    best_score = max(search.cv_results_["mean_test_neg_mean_squared_error"])
    assert f"best mean score so far {best_score:.6g}: {BEST}" in info_log.text


@pytest.mark.filterwarnings(r"ignore:\s*\d+ fits failed", "ignore:One or more of the test scores")
def test_failed_fits_are_counted(info_log):
    fit_search({"behavior": ["raise", "fit"]})
    (message,) = info_log.messages
    assert message.startswith("4 of 4 fits are done, 2 failed; best mean score so far")


@pytest.fixture
def without_logging(monkeypatch):
    """No handler for the lines, as in a program that does not configure logging."""
    logger = logging.getLogger("skdistsearch")
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.NOTSET)


def test_verbose_search_writes_lines_to_a_file(without_logging, capsys):
    fit_search(verbose=1)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  6 of 6 fits are done; best .*\n", capsys.readouterr().err)


def test_quiet_search_writes_no_lines(without_logging, capsys):
    fit_search()
    assert capsys.readouterr().err == ""


def test_lines_that_are_logged_are_not_written_too(info_log, capsys):
    fit_search(verbose=1)
    assert len(info_log.messages) == 1
    assert capsys.readouterr().err == ""


def test_search_inside_a_fit_shows_nothing(without_logging, capsys):
    inner = DistributedSearchCV(FaultyRegressor(), GRID, cv=2, verbose=1)
    DistributedSearchCV(inner, {"refit": [True]}, cv=2, refit=False, verbose=1).fit(X, y)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_search_in_a_worker_process_shows_nothing(without_logging, capsys, monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "name", "LokyProcess-1")
    fit_search(verbose=1)
    assert capsys.readouterr().err == ""


class InterruptedRegressor(FaultyRegressor):
    def fit(self, X, y):
        raise KeyboardInterrupt


def interrupt_search(**options):
    with pytest.raises(KeyboardInterrupt):
        DistributedSearchCV(InterruptedRegressor(), GRID, cv=2, **options).fit(X, y)


def test_search_after_an_interrupted_one_is_shown(without_logging, capsys):
    interrupt_search(verbose=1)
    fit_search(verbose=1)
    assert "6 of 6 fits are done" in capsys.readouterr().err


@pytest.fixture
def run_in_terminal(monkeypatch):
    """A function that calls another one in a terminal, and returns what the terminal got."""
    pytest.importorskip("rich", reason="draws the bar")
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    monkeypatch.setenv("TERM", "xterm-256color")

    def run(function, *arguments, **options):
        output, end = b"", b"(end)"
        ours, theirs = pty.openpty()
        with open(theirs, "w") as stream, redirect_stdout(stream), redirect_stderr(stream):
            function(*arguments, **options)
            stream.write(end.decode())
            stream.flush()
            while not output.endswith(end):  # it comes in pieces
                output += os.read(ours, 100_000)
        os.close(ours)
        return output.removesuffix(end).decode()

    return run


def last_states(output):
    """Return each line of a terminal as it was last."""
    states = [line.rstrip("\r").rpartition("\r")[2] for line in output.split("\n")]
    return [re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", line).strip() for line in states]


def test_terminal_shows_one_line(run_in_terminal):
    output = run_in_terminal(fit_search, verbose=1)
    bars = [line for line in last_states(output) if "━" in line]
    assert len(bars) == 1
    assert re.search(r" 6/6 fits  best -0\.\d+  \d\.\d s$", bars[0])


def test_terminal_shows_a_line_for_each_round(run_in_terminal):
    search = DistributedHalvingGridSearchCV(
        FaultyRegressor(), GRID, cv=2, factor=2, refit=False, random_state=0, verbose=1
    )
    lines = [line for line in last_states(run_in_terminal(search.fit, X, y)) if "━" in line]
    assert [line[:7] for line in lines] == ["round 1", "round 2"]


class ReportingRegressor(FaultyRegressor):
    def fit(self, X, y):
        sys.stdout.write("printed by a fit\n")
        logging.getLogger("skdistsearch").warning("logged by a fit")
        return super().fit(X, y)


def fit_with_logging(monkeypatch):
    handler = logging.StreamHandler()
    stream = handler.stream
    monkeypatch.setattr(logging.getLogger("skdistsearch"), "handlers", [handler])
    DistributedSearchCV(ReportingRegressor(), GRID, cv=2, refit=False, verbose=1).fit(X, y)
    assert handler.stream is stream


def test_prints_and_logs_appear_above_the_bar(run_in_terminal, monkeypatch):
    lines = last_states(run_in_terminal(fit_with_logging, monkeypatch))
    assert lines.count("printed by a fit") == lines.count("logged by a fit") == 6
    assert sum("━" in line for line in lines) == 1


def test_interrupted_search_leaves_the_terminal_with_a_cursor(run_in_terminal):
    hide, show = "\x1b[?25l", "\x1b[?25h"
    output = run_in_terminal(interrupt_search, verbose=1)
    assert output.rindex(show) > output.rindex(hide)


def test_terminal_without_rich_shows_lines(run_in_terminal, without_logging, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert "6 of 6 fits are done" in run_in_terminal(fit_search, verbose=1)


def test_observer_sees_the_progress_of_each_round():
    seen = {}
    search = DistributedHalvingGridSearchCV(
        FaultyRegressor(), {"factor": [1.0, 2.0, 3.0, 4.0]}, cv=2, min_resources=10, refit=False
    )
    with observe_progress(lambda progress: seen.update({id(progress): progress})):
        search.fit(X, y)
    fit_search()
    assert [progress.to_fields()["done"] for progress in seen.values()] == [8, 4]
    fields = next(iter(seen.values())).to_fields()
    assert (fields["total"], fields["failed"], fields["lost"]) == (8, 0, 0)
    assert fields["best_candidate"] == "candidate 0 (factor=1.0)"


def test_observer_does_not_see_searches_within_fits():
    seen = []
    inner = DistributedSearchCV(FaultyRegressor(), GRID, cv=2)
    with observe_progress(lambda progress: seen.append(progress.n_fits)):
        DistributedSearchCV(inner, {"refit": [True]}, cv=3, refit=False).fit(X, y)
    assert set(seen) == {3}
