"""The Metaflow card of a run: who leads, how scores spread, who worked when, what failed and why.

The standard library and Metaflow's own components are all it needs: where the card is made,
importing scikit-learn would take longer than making it.
"""

from __future__ import annotations

import math
import os
import statistics
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from metaflow.cards import MetaflowCardComponent

from skdistsearch._timeline_rows import _LABEL_LENGTH, _clipped, rows_of

# What keeps a card readable and, with Metaflow's own 1.1 MB, under 2 MB at 10,000 fits
# (tests/test_card.py).
_TABLE_ROWS = 50
_BOXES = 30
_BARS = 2000
_ROWS = 60
_ERRORS = 10
_FITS_NAMED = 10
_VALUE_LENGTH = 80  # characters, as all lengths
_TEXT_LENGTH = 300
_TRACEBACK_LENGTH = 4000
_ROW_HEIGHT = 22  # pixels

_STATUS = {"done": "#0072B2", "failed": "#D55E00", "lost": "#000000"}
"""From good to bad, in colours of Okabe and Ito that all eyes tell apart."""
_BOX, _WHISKER, _MEDIAN = "#56B4E9", "#555555", "#000000"
_NONE = math.nan


def components(
    about: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]
) -> list[MetaflowCardComponent]:
    """Components of the card, from plain data.

    Whatever the data, it returns: a card that cannot be made says so and costs no run.

    Parameters
    ----------
    about : mapping
        ``search``: its name. ``candidates``: per candidate, its parameters as text. ``fits``:
        per fit, its candidate and split. ``n_splits``. ``begun``: when the run began, in seconds
        since the epoch.
    outcomes : sequence of mappings
        What `Outcome.to_fields` gave. Fits without one are missing. Of several metrics the
        first one ranks.

    Returns
    -------
    list of metaflow.cards.MetaflowCardComponent
        For ``current.card.extend``.
    """
    from metaflow.cards import Markdown, PythonCode

    try:
        return _components({**about, "metrics": _metrics(outcomes)}, outcomes)
    except Exception:  # the fits are worth more than a picture of them
        note = Markdown("This run has no card: it could not be made of what the fits sent back.")
        return [note, PythonCode(code_string=traceback.format_exc())]


def _metrics(outcomes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the metrics; a single one has none."""
    for outcome in outcomes:
        scores = (outcome["result"] or {}).get("test_scores")
        if isinstance(scores, Mapping) and scores:
            return list(scores)
    return ["score"]


def arrange(step: Any) -> None:
    """Have Metaflow make the card of ``step``, a method of a flow, soon and where it is found.

    For the task whose card it is, once nothing in it depends on the working directory any more.
    """
    from metaflow.metaflow_config import DATASTORE_SYSROOT_LOCAL

    for decorator in getattr(step, "decorators", []):
        if decorator.name == "card":
            # else a second process writes what a card needs that is watched as its step runs
            decorator._is_runtime_card = False
    if DATASTORE_SYSROOT_LOCAL and os.path.isabs(DATASTORE_SYSROOT_LOCAL):
        # Metaflow's client looks for local cards where the run is, but they are written to a
        # folder .metaflow that is searched from the working directory upwards, or made in it
        # (METAFLOW_CARD_LOCALROOT does not help: 2.19 writes to a third place where it is set)
        os.chdir(DATASTORE_SYSROOT_LOCAL)


def _components(
    about: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]]
) -> list[MetaflowCardComponent]:
    fits = [_Fit.of(outcome, about["fits"]) for outcome in outcomes]
    ranking = _ranking(about, fits)
    return [
        *_headline(about, fits, ranking),
        *_ranked_table(about["metrics"], ranking),
        *_box_plot(about["metrics"][0], ranking),
        *_timeline(fits, about["begun"]),
        *_failures(fits),
    ]


class _Fit(NamedTuple):
    """One outcome, read. Times in seconds since the epoch, NaN where unknown."""

    candidate: int
    split: int
    status: str
    """One of `_STATUS`."""
    scores: Any
    """A float, or one per metric, or None."""
    fit_time: float
    error: str
    """Traceback, or why the fit was lost. Empty for a fit that is done."""
    task: str
    worker: str
    started_at: float
    finished_at: float

    @classmethod
    def of(cls, outcome: Mapping[str, Any], fits: Sequence[tuple[int, int]]) -> _Fit:
        result = outcome.get("result") or {}
        error = _error(outcome, result)
        candidate, split = fits[outcome["fit"]]
        return cls(
            candidate,
            split,
            status="lost" if outcome["status"] == "lost" else "failed" if error else "done",
            scores=result.get("test_scores"),
            fit_time=_float(result.get("fit_time")),
            error=error,
            task=outcome.get("task_pathspec") or "",
            worker=outcome.get("worker") or outcome.get("task_pathspec") or "",
            started_at=_float(outcome.get("started_at") or None),
            finished_at=_float(outcome.get("finished_at") or None),
        )

    def __str__(self) -> str:
        return f"candidate {self.candidate}, split {self.split}"

    def score(self, metric: str) -> float | None:
        """The score by a metric; scikit-learn may give one for all metrics where a fit failed."""
        by_metric = isinstance(self.scores, Mapping)
        found = self.scores.get(metric) if by_metric else self.scores
        return None if found is None else float(found)


def _error(outcome: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if outcome["status"] == "lost":
        return outcome.get("reason") or "No reason is known."
    raised = outcome.get("raised") or {}
    return (
        raised.get("traceback")
        or raised.get("message")
        or result.get("fit_error")
        or ("No message." if outcome["status"] == "raised" else "")
    )


class _Standing(NamedTuple):
    """One candidate, and how it did."""

    candidate: int
    parameters: str
    scores: Mapping[str, Sequence[float]]
    """Per metric, those of the fits that have one."""
    fit_times: Sequence[float]
    n_failed: int
    """How many fits failed or were lost."""
    n_fits: int
    """How many fits it has, with an outcome or without."""
    rank: int = 0

    def order(self, metric: str) -> tuple[bool, bool, float]:
        """Smaller is better. A mean of some splits only is no match for one of all."""
        mean = _mean(self.scores[metric])
        if math.isnan(mean):
            return True, True, 0.0
        return False, len(self.scores[metric]) < self.n_fits, -mean


def _ranking(about: Mapping[str, Any], fits: Iterable[_Fit]) -> list[_Standing]:
    """All candidates, best first; equals share a rank."""
    n_fits = Counter(candidate for candidate, _ in about["fits"])
    fits_of: dict[int, list[_Fit]] = defaultdict(list)
    for fit in fits:
        fits_of[fit.candidate].append(fit)
    ordered = sorted(
        (standing.order(about["metrics"][0]), number, standing)
        for number, parameters in enumerate(about["candidates"])
        for standing in [
            _standing(number, parameters, fits_of[number], n_fits[number], about["metrics"])
        ]
    )
    rank = {order: len(ordered) - n for n, (order, *_) in enumerate(reversed(ordered))}
    return [standing._replace(rank=rank[order]) for order, _, standing in ordered]


def _standing(
    candidate: int,
    parameters: Mapping[str, str],
    fits: Sequence[_Fit],
    n_fits: int,
    metrics: Sequence[str],
) -> _Standing:
    text = ", ".join(f"{key}={_clipped(value, _VALUE_LENGTH)}" for key, value in parameters.items())
    return _Standing(
        candidate,
        parameters=_clipped(text, _TEXT_LENGTH) or "(no parameters)",
        scores={
            metric: [score for fit in fits if (score := fit.score(metric)) is not None]
            for metric in metrics
        },
        fit_times=_finite(fit.fit_time for fit in fits),
        n_failed=sum(fit.status != "done" for fit in fits),
        n_fits=n_fits,
    )


def _headline(
    about: Mapping[str, Any], fits: Sequence[_Fit], ranking: Sequence[_Standing]
) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, Table

    count = Counter(fit.status for fit in fits)
    metric = about["metrics"][0]
    best = _mean(ranking[0].scores[metric]) if ranking else _NONE
    wall_time = max(_finite(fit.finished_at - about["begun"] for fit in fits), default=_NONE)
    numbers = {
        "Fits": len(about["fits"]),
        **{status.capitalize(): count[status] for status in _STATUS},
        "Missing": len(about["fits"]) - len(fits),
        "Candidates": len(about["candidates"]),
        "Splits": about["n_splits"],
        f"Best mean {_clipped(metric, _LABEL_LENGTH)}": _number(best),
        "Wall time": _duration(wall_time),
        "Tasks": len({fit.task for fit in fits} - {""}),
        "Workers": len({fit.worker for fit in fits} - {""}),
    }
    # a title is Markdown, through which HTML passes; table cells are text
    title = "".join(char for char in about["search"] if char.isalnum() or char in "().,_")
    return [Markdown(f"# {title}"), Table([list(map(str, numbers.values()))], list(numbers))]


def _ranked_table(
    metrics: Sequence[str], ranking: Sequence[_Standing]
) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, Table

    first, *others = (f"Mean {_clipped(metric, _LABEL_LENGTH)}" for metric in metrics)
    headers = ["Rank", "Candidate", "Parameters", first, "Std", "Mean fit time", "Scored", "Failed"]
    rows = [_row(standing, metrics) for standing in ranking[:_TABLE_ROWS]]
    return [
        Markdown("## Ranking"),
        Table(rows, [*headers, *others]),
        *_left_out(len(ranking) - len(rows), "candidate"),
    ]


def _row(standing: _Standing, metrics: Sequence[str]) -> list[str]:
    first, *others = (standing.scores[metric] for metric in metrics)
    return [
        str(standing.rank),
        str(standing.candidate),
        standing.parameters,
        _number(_mean(first)),
        _number(_std(first)),
        _duration(_mean(standing.fit_times)),
        f"{sum(not math.isnan(score) for score in first)}/{standing.n_fits}",
        str(standing.n_failed),
        *(_number(_mean(scores)) for scores in others),
    ]


def _box_plot(metric: str, ranking: Sequence[_Standing]) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, VegaChart

    drawable = [standing for standing in ranking if _finite(standing.scores[metric])]
    boxes = [_box(standing, _finite(standing.scores[metric])) for standing in drawable[:_BOXES]]
    if not boxes:
        return []
    return [
        Markdown("## Test scores"),
        Markdown("Line: lowest to highest split. Box: the middle half. Black bar: the median."),
        VegaChart(_box_spec(boxes, _clipped(metric, _LABEL_LENGTH))),
        *_left_out(len(drawable) - len(boxes), "candidate"),
    ]


def _box(standing: _Standing, scores: Sequence[float]) -> dict[str, Any]:
    # twice the one score where there is one only: quantiles asks for two
    several = [*scores, *scores] if len(scores) == 1 else scores
    low, median, high = statistics.quantiles(several, n=4, method="inclusive")
    return {
        "candidate": _clipped(f"{standing.candidate}: {standing.parameters}", _LABEL_LENGTH),
        "parameters": standing.parameters,
        **{"min": min(scores), "q1": low, "median": median, "q3": high, "max": max(scores)},
    }


def _box_spec(boxes: Sequence[Mapping[str, Any]], metric: str) -> dict[str, Any]:
    low, high = min(box["min"] for box in boxes), max(box["max"] for box in boxes)
    margin = (high - low or abs(low) or 1.0) / 30
    median = {"type": "tick", "size": 17, "thickness": 2, "color": _MEDIAN}
    numbers = ("max", "q3", "median", "q1", "min")
    return _chart(
        boxes,
        y={"field": "candidate", "sort": None},
        x={"title": metric, "scale": {"domain": [low - margin, high + margin]}},
        tooltip=[{"field": "parameters"}, *({"field": n, "format": ".5~g"} for n in numbers)],
        layer=[
            _marks({"type": "rule", "color": _WHISKER}, "min", "max"),
            _marks({"type": "bar", "size": 13, "color": _BOX}, "q1", "q3"),
            _marks(median, "median"),
        ],
    )


class _Bar(NamedTuple):
    """A fit on the timeline, or a stretch of them. Times in seconds since the run began."""

    row: str
    status: str
    started_at: float
    finished_at: float
    text: str
    n_fits: int = 1

    def joins(self, later: _Bar, width_s: float) -> bool:
        """Whether one bar may stand for both: the eye could not tell them apart."""
        alike = self.status == later.status or later.finished_at - self.started_at <= width_s
        return alike and later.started_at - self.finished_at <= width_s

    def joined(self, later: _Bar) -> _Bar:
        """One bar for both, in the colour of the worse."""
        n_fits = self.n_fits + later.n_fits
        status = max(self.status, later.status, key=list(_STATUS).index)
        finished_at = max(self.finished_at, later.finished_at)
        return _Bar(self.row, status, self.started_at, finished_at, f"{n_fits} fits", n_fits)


def _timeline(fits: Iterable[_Fit], begun: float) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, VegaChart

    known = (fit for fit in fits if math.isfinite(fit.started_at + fit.finished_at - begun))
    timed = sorted(known, key=attrgetter("started_at"))
    if not timed:
        return []
    row_of = rows_of(timed)
    rows = list(dict.fromkeys(row_of.values()))
    shown = set(rows[:_ROWS])
    bars = [
        _Bar(
            row_of[fit.worker],
            fit.status,
            fit.started_at - begun,
            fit.finished_at - begun,
            str(fit),
        )
        for fit in timed
        if row_of[fit.worker] in shown
    ]
    drawn = _legible(bars)
    row = "worker" if len(set(row_of)) == len(rows) else "slot that workers had one after another"
    bar = "a fit" if len(drawn) == len(bars) else "a stretch of fits, in the colour of the worst"
    return [
        Markdown("## Timeline"),
        Markdown(f"A row is a {row}; a bar is {bar}."),
        VegaChart(_timeline_spec(drawn, rows[:_ROWS])),
        *_left_out(len(rows) - _ROWS, "row"),
    ]


def _legible(bars: Sequence[_Bar]) -> list[_Bar]:
    """At most `_BARS` bars: neighbours are joined until they are so few."""
    drawn = list(bars)
    width_s = (
        max(bar.finished_at for bar in bars) - min(bar.started_at for bar in bars)
    ) / 1000  # a pixel
    while len(drawn) > _BARS:
        drawn, width_s = _joined(bars, width_s), 2 * width_s
    return drawn


def _joined(bars: Iterable[_Bar], width_s: float) -> list[_Bar]:
    done = []
    last: dict[str, _Bar] = {}
    for bar in bars:
        before = last.get(bar.row)
        if before is not None and before.joins(bar, width_s):
            last[bar.row] = before.joined(bar)
            continue
        if before is not None:
            done.append(before)
        last[bar.row] = bar
    return [*done, *last.values()]


def _timeline_spec(bars: Sequence[_Bar], rows: Sequence[str]) -> dict[str, Any]:
    first, last = min(0.0, *(bar.started_at for bar in bars)), max(bar.finished_at for bar in bars)
    least_s = (last - first) / 500  # a bar shorter than this could not be seen
    values = [
        {
            **{"worker": bar.row, "status": bar.status, "fits": bar.text},
            **{
                "started_at": round(bar.started_at, 3),
                "seconds": round(bar.finished_at - bar.started_at, 3),
            },
            "finished_at": round(max(bar.finished_at, bar.started_at + least_s), 3),
        }
        # the bad ones are drawn last, above the others
        for bar in sorted(bars, key=lambda bar: list(_STATUS).index(bar.status))
    ]
    colours = {"domain": list(_STATUS), "range": list(_STATUS.values())}
    legend = {"orient": "top", "title": None}
    layer = _marks({"type": "bar", "size": 13}, "started_at", "finished_at")
    layer["encoding"]["color"] = {"field": "status", "scale": colours, "legend": legend}
    return _chart(
        values,
        y={"field": "worker", "sort": list(rows)},
        x={"title": "seconds since the run began", "scale": {"domain": [first, last]}},
        tooltip=[{"field": name} for name in ("fits", "status", "worker", "started_at", "seconds")],
        layer=[layer],
    )


def _chart(
    values: Sequence[Mapping[str, Any]],
    y: Mapping[str, Any],
    x: Mapping[str, Any],
    tooltip: Sequence[Mapping[str, Any]],
    layer: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A Vega-Lite chart: one row per value of ``y``, the layers upon each other along ``x``."""
    axis = {"labelLimit": 360, "title": None, "grid": True}
    return {
        "data": {"values": list(values)},
        # a number of pixels: with {"step": ...} Vega warns that it cannot fill the width
        "height": _ROW_HEIGHT * len({value[y["field"]] for value in values}),
        "encoding": {
            "y": {**y, "type": "nominal", "axis": axis},
            "x": {**x, "type": "quantitative"},
            "tooltip": list(tooltip),
        },
        "layer": list(layer),
        "config": {
            "font": "Roboto, Helvetica, Arial, sans-serif",  # as the text around it
            "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
            "axisX": {"tickCount": 10, "labelFlush": False, "labelSeparation": 8},
            "legend": {"labelFontSize": 12},
            "view": {"stroke": None},
        },
    }


def _marks(mark: Mapping[str, Any], start: str, end: str = "") -> dict[str, Any]:
    """A layer of marks along x: at one field, or from it to another."""
    ends = {"x2": {"field": end}} if end else {}
    return {"mark": dict(mark), "encoding": {"x": {"field": start}, **ends}}


def _failures(fits: Iterable[_Fit]) -> list[MetaflowCardComponent]:
    from metaflow.cards import Markdown, PythonCode, Table

    alike: dict[tuple[str, str], list[_Fit]] = defaultdict(list)
    for fit in fits:
        if fit.error:
            alike[fit.status, _last_line(fit.error)].append(fit)
    if not alike:
        return []
    groups = sorted(alike.items(), key=lambda group: -len(group[1]))
    shown = groups[:_ERRORS]
    rows = [
        [str(number), status, line, str(len(failed)), _named(failed)]
        for number, ((status, line), failed) in enumerate(shown, start=1)
    ]
    details: list[MetaflowCardComponent] = []
    for number, (_, failed) in enumerate(shown, start=1):
        error = failed[0].error.strip()
        if "\n" in error:  # else the table has all of it
            details.append(Markdown(f"### {number}: {failed[0]}"))
            details.append(PythonCode(code_string=_tail(error)))
    return [
        Markdown("## What failed, and why"),
        Table(rows, ["", "Status", "Last line", "Fits", "Which"]),
        *_left_out(len(groups) - len(shown), "error"),
        *details,
    ]


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return _clipped(lines[-1], _TEXT_LENGTH) if lines else "No message."


def _named(fits: Sequence[_Fit]) -> str:
    more = len(fits) - _FITS_NAMED
    return "; ".join(map(str, fits[:_FITS_NAMED])) + (f"; and {more:,} more" if more > 0 else "")


def _tail(error: str) -> str:
    return error if len(error) <= _TRACEBACK_LENGTH else "… " + error[-_TRACEBACK_LENGTH:]


def _left_out(number: int, what: str) -> list[MetaflowCardComponent]:
    """A line that says how many more there are, if there are any."""
    from metaflow.cards import Markdown

    verb = " is" if number == 1 else "s are"
    return [Markdown(f"{number:,} more {what}{verb} not shown.")] if number > 0 else []


def _float(value: float | None) -> float:
    return _NONE if value is None else float(value)


def _finite(values: Iterable[float]) -> list[float]:
    """What a chart can draw. A NaN or Infinity is no JSON: it would blank the page."""
    return [value for value in values if abs(value) < 1e300]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else _NONE


def _std(values: Sequence[float]) -> float:
    """As scikit-learn has it: of the population."""
    mean = _mean(values)
    return math.sqrt(_mean([(value - mean) * (value - mean) for value in values]))


def _number(value: float) -> str:
    return f"{value:.5g}"


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
