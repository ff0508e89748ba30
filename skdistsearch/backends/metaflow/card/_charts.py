"""Charts of a card, as specifications for Vega-Lite."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from skdistsearch._report_rows import LABEL_LENGTH
from skdistsearch._text import shorten
from skdistsearch.backends.metaflow.card._results import (
    STATUSES,
    CandidateResult,
    Status,
    finite_values,
)

ChartSpec: TypeAlias = dict[str, Any]
"""A specification for Vega-Lite."""

_MAX_BARS = 2000  # keeps the card small, see _components
_ROW_HEIGHT = 22  # pixels
_TIMELINE_PIXELS = 1000
_MIN_BAR = 1 / 500  # share of the timeline; shorter bars would be invisible

# Colours of Okabe and Ito, which colour-blind readers can tell apart
_STATUS_COLOURS: dict[Status, str] = {"done": "#0072B2", "failed": "#D55E00", "lost": "#000000"}
_BOX, _WHISKER, _MEDIAN = "#56B4E9", "#555555", "#000000"


# Box plot


def box_plot_spec(candidates: Sequence[CandidateResult], metric: str) -> ChartSpec:
    """Return a box plot, one row per candidate. Each candidate must have a finite score."""
    boxes = [_box_values(result, finite_values(result.scores[metric])) for result in candidates]
    low, high = min(box["min"] for box in boxes), max(box["max"] for box in boxes)
    margin = (high - low or abs(low) or 1.0) / 30
    median = {"type": "tick", "size": 17, "thickness": 2, "color": _MEDIAN}
    numbers = ("max", "q3", "median", "q1", "min")
    return _row_chart(
        boxes,
        y={"field": "candidate", "sort": None},
        x={
            "title": shorten(metric, LABEL_LENGTH),
            "scale": {"domain": [low - margin, high + margin]},
        },
        tooltip=[
            {"field": "parameters"},
            *({"field": name, "format": ".5~g"} for name in numbers),
        ],
        layers=[
            _mark_layer({"type": "rule", "color": _WHISKER}, "min", "max"),
            _mark_layer({"type": "bar", "size": 13, "color": _BOX}, "q1", "q3"),
            _mark_layer(median, "median"),
        ],
    )


def _box_values(result: CandidateResult, scores: Sequence[float]) -> dict[str, Any]:
    # statistics.quantiles needs two values
    values = [*scores, *scores] if len(scores) == 1 else scores
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {
        "candidate": shorten(f"{result.candidate}: {result.parameters}", LABEL_LENGTH),
        "parameters": result.parameters,
        "min": min(scores),
        "q1": low,
        "median": median,
        "q3": high,
        "max": max(scores),
    }


# Timeline


class Bar(NamedTuple):
    """A fit on the timeline, or a group of consecutive fits on the same row."""

    row: str
    """Label of the row."""
    status: Status
    """Status of the fit, or the worst status of the group."""
    started_at: float
    """Start, in seconds since the run began."""
    finished_at: float
    """End, in seconds since the run began."""
    text: str
    """Description of the fit or the group."""
    n_fits: int = 1
    """Number of fits."""

    def can_join(self, later: Bar, width_s: float) -> bool:
        """Return whether two bars look like one, if ``width_s`` is the width of a pixel."""
        is_alike = self.status == later.status or later.finished_at - self.started_at <= width_s
        return is_alike and later.started_at - self.finished_at <= width_s

    def join_with(self, later: Bar) -> Bar:
        """Return one bar for both."""
        n_fits = self.n_fits + later.n_fits
        status = max(self.status, later.status, key=STATUSES.index)
        finished_at = max(self.finished_at, later.finished_at)
        return Bar(self.row, status, self.started_at, finished_at, f"{n_fits} fits", n_fits)


def limit_bars(bars: Sequence[Bar]) -> list[Bar]:
    """Join neighbours until at most `_MAX_BARS` bars are left."""
    shown = list(bars)
    length_s = max(bar.finished_at for bar in bars) - min(bar.started_at for bar in bars)
    width_s = length_s / _TIMELINE_PIXELS
    while len(shown) > _MAX_BARS:
        shown, width_s = _join_neighbours(bars, width_s), 2 * width_s
    return shown


def _join_neighbours(bars: Iterable[Bar], width_s: float) -> list[Bar]:
    finished = []
    current: dict[str, Bar] = {}  # by row
    for bar in bars:
        previous = current.get(bar.row)
        if previous is not None and previous.can_join(bar, width_s):
            current[bar.row] = previous.join_with(bar)
            continue
        if previous is not None:
            finished.append(previous)
        current[bar.row] = bar
    return [*finished, *current.values()]


def timeline_spec(bars: Sequence[Bar], rows: Sequence[str]) -> ChartSpec:
    """Return a timeline with the given rows from top to bottom."""
    first, last = min(0.0, *(bar.started_at for bar in bars)), max(bar.finished_at for bar in bars)
    min_length_s = (last - first) * _MIN_BAR
    # Bars with a bad status are drawn last, on top of the others
    ordered = sorted(bars, key=lambda bar: STATUSES.index(bar.status))
    layer = _mark_layer({"type": "bar", "size": 13}, "started_at", "finished_at")
    layer["encoding"]["color"] = {
        "field": "status",
        "scale": {"domain": list(_STATUS_COLOURS), "range": list(_STATUS_COLOURS.values())},
        "legend": {"orient": "top", "title": None},
    }
    return _row_chart(
        [_bar_values(bar, min_length_s) for bar in ordered],
        y={"field": "worker", "sort": list(rows)},
        x={"title": "seconds since the run began", "scale": {"domain": [first, last]}},
        tooltip=[{"field": name} for name in ("fits", "status", "worker", "started_at", "seconds")],
        layers=[layer],
    )


def _bar_values(bar: Bar, min_length_s: float) -> dict[str, str | float]:
    return {
        "worker": bar.row,
        "status": bar.status,
        "fits": bar.text,
        "started_at": round(bar.started_at, 3),
        "seconds": round(bar.finished_at - bar.started_at, 3),
        "finished_at": round(max(bar.finished_at, bar.started_at + min_length_s), 3),
    }


# Both


def _row_chart(
    values: Sequence[Mapping[str, Any]],
    y: Mapping[str, Any],
    x: Mapping[str, Any],
    tooltip: Sequence[Mapping[str, Any]],
    layers: Sequence[Mapping[str, Any]],
) -> ChartSpec:
    """Return a chart with one row per value of ``y`` and layers drawn along ``x``."""
    axis = {"labelLimit": 360, "title": None, "grid": True}
    return {
        "data": {"values": list(values)},
        # In pixels: with {"step": ...} Vega warns that it cannot fill the width
        "height": _ROW_HEIGHT * len({value[y["field"]] for value in values}),
        "encoding": {
            "y": {**y, "type": "nominal", "axis": axis},
            "x": {**x, "type": "quantitative"},
            "tooltip": list(tooltip),
        },
        "layer": list(layers),
        "config": {
            "font": "Roboto, Helvetica, Arial, sans-serif",  # as the text of the card
            "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
            "axisX": {"tickCount": 10, "labelFlush": False, "labelSeparation": 8},
            "legend": {"labelFontSize": 12},
            "view": {"stroke": None},
        },
    }


def _mark_layer(mark: Mapping[str, Any], start: str, end: str = "") -> ChartSpec:
    """Return a layer of marks along x, at the field ``start`` or from it to the field ``end``."""
    ends = {"x2": {"field": end}} if end else {}
    return {"mark": dict(mark), "encoding": {"x": {"field": start}, **ends}}
