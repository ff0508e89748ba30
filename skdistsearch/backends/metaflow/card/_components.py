"""The card of a run, made of Metaflow's components."""

from __future__ import annotations

import math
import os
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from skdistsearch._report_rows import LABEL_LENGTH, assign_rows
from skdistsearch._text import pluralize, shorten
from skdistsearch.backends.metaflow.card._charts import (
    Bar,
    box_plot_spec,
    limit_bars,
    timeline_spec,
)
from skdistsearch.backends.metaflow.card._results import (
    STATUSES,
    TEXT_LENGTH,
    CandidateResult,
    FitResult,
    OutcomeFields,
    RunInfo,
    RunResults,
    finite_values,
    mean_of,
    population_std,
    read_results,
)

if TYPE_CHECKING:
    from metaflow.cards import MetaflowCardComponent

# These limits, and _charts._MAX_BARS, keep the card readable and, with the 1.1 MB of Metaflow's own
# page, below 2 MB for 10,000 fits (tests/backends/metaflow/test_card.py).
_MAX_TABLE_ROWS = 50
_MAX_BOXES = 30
_MAX_TIMELINE_ROWS = 60
_MAX_ERRORS = 10
_MAX_FITS_NAMED = 10
_TRACEBACK_LENGTH = 4000  # characters


def make_card_components(
    run_info: RunInfo, outcomes: Sequence[OutcomeFields]
) -> list[MetaflowCardComponent]:
    """Return the components of the card.

    It never raises: if the card cannot be made, it contains the traceback.

    Parameters
    ----------
    run_info : RunInfo
        Description of the search.
    outcomes : sequence of mappings
        Outcomes of the fits, as `Outcome.to_fields` returns them. Fits without one count as
        missing. With several metrics, the first one ranks.

    Returns
    -------
    components : list of metaflow.cards.MetaflowCardComponent
        Components for ``current.card.extend``.
    """
    from metaflow.cards import Markdown, PythonCode

    try:
        results = read_results(run_info, outcomes)
        return [
            *_headline(results),
            *_ranking_table(results),
            *_box_plot(results),
            *_timeline(results),
            *_failures(results.fits),
        ]
    except Exception:  # the run is worth more than its card
        note = Markdown("The card could not be made from the results of the fits.")
        return [note, PythonCode(code_string=traceback.format_exc())]


def make_card_findable(step: Callable[..., None]) -> None:
    """Have Metaflow write the card of a step once, where Metaflow's client looks for it.

    Call it at the end of the task whose card it is: it changes the working directory.

    Parameters
    ----------
    step : callable
        Method of the flow, decorated with ``card`` and ``step``.
    """
    from metaflow.metaflow_config import DATASTORE_SYSROOT_LOCAL

    for decorator in getattr(step, "decorators", []):
        if decorator.name == "card":
            # Else a second process writes what is needed to watch the card while the step runs
            decorator._is_runtime_card = False
    if DATASTORE_SYSROOT_LOCAL and os.path.isabs(DATASTORE_SYSROOT_LOCAL):
        # Metaflow's client looks for local cards where the run is. But Metaflow writes them to a
        # folder .metaflow that it looks for from the working directory upwards, or creates there.
        # METAFLOW_CARD_LOCALROOT does not help: with it, Metaflow 2.19 writes to a third place.
        os.chdir(DATASTORE_SYSROOT_LOCAL)


# Headline


def _headline(results: RunResults) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, Table

    info, fits, ranking = results.info, results.fits, results.ranking
    n_fits = Counter(fit.status for fit in fits)
    metric = results.metrics[0]
    best = mean_of(ranking[0].scores[metric]) if ranking else math.nan
    ends_s = finite_values(fit.finished_at - info["begun"] for fit in fits)
    numbers = {
        "Fits": len(info["fits"]),
        **{status.capitalize(): n_fits[status] for status in STATUSES},
        "Missing": len(info["fits"]) - len(fits),
        "Candidates": len(info["candidates"]),
        "Splits": info["n_splits"],
        f"Best mean {shorten(metric, LABEL_LENGTH)}": _format_number(best),
        "Wall time": _format_duration(max(ends_s, default=math.nan)),
        "Tasks": len({fit.task for fit in fits} - {""}),
        "Workers": len({fit.worker for fit in fits} - {""}),
    }
    # A title is Markdown, which may contain HTML; table cells are text
    title = "".join(char for char in info["search"] if char.isalnum() or char in "().,_")
    return [Markdown(f"# {title}"), Table([list(map(str, numbers.values()))], list(numbers))]


# Ranking


def _ranking_table(results: RunResults) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, Table

    first, *others = (f"Mean {shorten(metric, LABEL_LENGTH)}" for metric in results.metrics)
    headers = ["Rank", "Candidate", "Parameters", first, "Std", "Mean fit time", "Scored", "Failed"]
    rows = [_ranking_row(result, results.metrics) for result in results.ranking[:_MAX_TABLE_ROWS]]
    return [
        Markdown("## Ranking"),
        Table(rows, [*headers, *others]),
        *_omitted_note(len(results.ranking) - len(rows), "candidate"),
    ]


def _ranking_row(result: CandidateResult, metrics: Sequence[str]) -> list[str]:
    first, *others = (result.scores[metric] for metric in metrics)
    return [
        str(result.rank),
        str(result.candidate),
        result.parameters,
        _format_number(mean_of(first)),
        _format_number(population_std(first)),
        _format_duration(mean_of(result.fit_times)),
        f"{sum(not math.isnan(score) for score in first)}/{result.n_fits}",
        str(result.n_failed),
        *(_format_number(mean_of(scores)) for scores in others),
    ]


# Charts


def _box_plot(results: RunResults) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, VegaChart

    metric = results.metrics[0]
    scored = [result for result in results.ranking if finite_values(result.scores[metric])]
    if not scored:
        return []
    return [
        Markdown("## Test scores"),
        Markdown(
            "Line: minimum to maximum over the splits. Box: lower to upper quartile. "
            "Black bar: median."
        ),
        VegaChart(box_plot_spec(scored[:_MAX_BOXES], metric)),
        *_omitted_note(len(scored) - _MAX_BOXES, "candidate"),
    ]


def _timeline(results: RunResults) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, VegaChart

    begun = results.info["begun"]
    known = (fit for fit in results.fits if math.isfinite(fit.started_at + fit.finished_at - begun))
    fits = sorted(known, key=attrgetter("started_at"))
    if not fits:
        return []
    row_of = assign_rows(fits)
    rows = list(dict.fromkeys(row_of.values()))
    bars = _timeline_bars(fits, row_of, rows[:_MAX_TIMELINE_ROWS], begun)
    shown = limit_bars(bars)
    row = "worker" if len(row_of) == len(rows) else "slot that several workers used in turn"
    bar = "fit" if len(shown) == len(bars) else "group of fits, in the colour of the worst status"
    return [
        Markdown("## Timeline"),
        Markdown(f"Each row is a {row}. Each bar is a {bar}."),
        VegaChart(timeline_spec(shown, rows[:_MAX_TIMELINE_ROWS])),
        *_omitted_note(len(rows) - _MAX_TIMELINE_ROWS, "row"),
    ]


def _timeline_bars(
    fits: Iterable[FitResult], row_of: dict[str, str], rows: Sequence[str], begun: float
) -> list[Bar]:
    shown = set(rows)
    return [
        Bar(
            row_of[fit.worker],
            fit.status,
            fit.started_at - begun,
            fit.finished_at - begun,
            str(fit),
        )
        for fit in fits
        if row_of[fit.worker] in shown
    ]


# Failures


def _failures(fits: Iterable[FitResult]) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, Table

    fits_of: dict[tuple[str, str], list[FitResult]] = defaultdict(list)
    for fit in fits:
        if fit.error:
            fits_of[fit.status, _last_line(fit.error)].append(fit)
    if not fits_of:
        return []
    groups = sorted(fits_of.items(), key=lambda group: -len(group[1]))
    shown = groups[:_MAX_ERRORS]
    rows = [
        [str(number), status, line, str(len(failed)), _list_fits(failed)]
        for number, ((status, line), failed) in enumerate(shown, start=1)
    ]
    return [
        Markdown("## Failures"),
        Table(rows, ["", "Status", "Last line of the error", "Fits", "Affected fits"]),
        *_omitted_note(len(groups) - len(shown), "error"),
        *_tracebacks([failed[0] for _, failed in shown]),
    ]


def _tracebacks(fits: Sequence[FitResult]) -> list[MetaflowCardComponent]:
    """Return the traceback of each fit. An error of one line is in the table already."""
    from metaflow.cards import Markdown, PythonCode

    components: list[MetaflowCardComponent] = []
    for number, fit in enumerate(fits, start=1):
        error = fit.error.strip()
        if "\n" in error:
            components.append(Markdown(f"### {number}: {fit}"))
            components.append(PythonCode(code_string=_last_part(error)))
    return components


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return shorten(lines[-1], TEXT_LENGTH) if lines else "No message."


def _last_part(error: str) -> str:
    return error if len(error) <= _TRACEBACK_LENGTH else "… " + error[-_TRACEBACK_LENGTH:]


def _list_fits(fits: Sequence[FitResult]) -> str:
    n_omitted = len(fits) - _MAX_FITS_NAMED
    names = "; ".join(map(str, fits[:_MAX_FITS_NAMED]))
    return names + (f"; and {n_omitted:,} more" if n_omitted > 0 else "")


# Text


def _omitted_note(number: int, noun: str) -> list[MetaflowCardComponent]:
    """Return a line with the number of things that are not shown, unless all are."""
    from metaflow.cards import Markdown

    return [Markdown(f"Not shown: {pluralize(number, f'more {noun}')}.")] if number > 0 else []


def _format_number(value: float) -> str:
    return f"{value:.5g}"


def _format_duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
