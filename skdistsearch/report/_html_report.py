"""`html_report`: report on a search in one HTML file."""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdistsearch._text import pluralize, truncate
from skdistsearch._typing import FittedSearch
from skdistsearch.exceptions import ReportError
from skdistsearch.report import _html_page as html
from skdistsearch.report._candidate_names import format_value, short_parameter_names
from skdistsearch.report._leaderboard import leaderboard
from skdistsearch.report._metrics import Metric, find_metric, shown_scores
from skdistsearch.report._rungs_display import RungsDisplay, has_rungs
from skdistsearch.report.displays._cv_scores_display import CVScoresDisplay
from skdistsearch.report.displays._parallel_coordinates_display import ParallelCoordinatesDisplay
from skdistsearch.report.displays._parameter_scores_display import ParameterScoresDisplay
from skdistsearch.report.displays._score_time_display import ScoreTimeDisplay
from skdistsearch.report.displays._style import figure_height, make_bare_axes
from skdistsearch.report.displays._timeline_display import TimelineDisplay
from skdistsearch.report.displays._training_history_display import (
    TrainingHistoryDisplay,
    find_early_stopping,
)

if TYPE_CHECKING:
    from pandas import DataFrame

_MAX_PARAMETERS = 12  # pictures of scores against a parameter
_MAX_ROWS = 40  # number of workers up to which the timeline grows
_SETTING_LENGTH = 4000  # characters
_PACKAGES = {
    "skdistsearch": "skdistsearch",
    "sklearn": "scikit-learn",
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "metaflow": "metaflow",
    "matplotlib": "matplotlib",
    "catboost": "catboost",
    "keras": "keras",
    "lightgbm": "lightgbm",
    "scikeras": "scikeras",
    "tensorflow": "tensorflow",
    "torch": "torch",
    "xgboost": "xgboost",
}
"""Modules and their distributions. Versions are listed for modules that are imported."""


def html_report(
    search: FittedSearch,
    path: str | Path,
    *,
    title: str | None = None,
    metric: str | None = None,
    top: int = 30,
    sections: Sequence[tuple[str, object]] = (),
) -> Path:
    """Write a report on a fitted search as one self-contained HTML file.

    The report has a summary, the leaderboard of contenders and candidates, pictures (scores,
    scores against fit times and parameters, training history of the best model if it is an
    `skdistsearch.EarlyStopping`, timeline), settings and versions. It has no scripts and makes no
    network requests.

    Parameters
    ----------
    search : fitted search
        A search of this package or of scikit-learn.
    path : str or pathlib.Path
        File to write, in an existing folder. An existing file is replaced.
    title : str or None, default=None
        Title of the page. None is the class name of the search.
    metric : str or None, default=None
        Metric to rank by, as in `skdistsearch.report.leaderboard`.
    top : int, default=30
        Number of candidates in the first table and in the box plot. The other candidates are in a
        table that a click unfolds.
    sections : sequence of (str, object), default=()
        Additional sections below the summary: title and content. The content is text, a
        `pandas.DataFrame`, a `matplotlib.figure.Figure`, or a display with a ``figure_``.

    Returns
    -------
    path : pathlib.Path
        Path of the file.

    Raises
    ------
    ReportError
        If ``metric`` is not a metric of the search, or ``top`` is less than 1.
    TypeError
        If a section is not a title and one of those contents.
    sklearn.exceptions.NotFittedError
        If the search is not fitted.

    Notes
    -----
    The settings are the ``repr`` of the search's parameters. If a parameter contains a secret, so
    does the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdistsearch.report import html_report
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=3).fit(X, y)
    >>> sections = [("Held-out test", "R² 0.61")]
    >>> path = html_report(search, Path(mkdtemp()) / "report.html", sections=sections)
    >>> "Held-out test" in path.read_text(encoding="utf-8")
    True
    """
    check_is_fitted(search, "cv_results_")
    if top < 1:
        raise ReportError(f"top={top!r} must be at least 1.")
    for number, section in enumerate(sections):
        _check_section(number, section)
    table = leaderboard(search, metric=metric)
    parts = [
        *_summary_section(search, table),
        *_extra_sections(sections),
        *_leaderboard_section(search, table, top),
        *_picture_sections(search, table, top),
        *_settings_section(search),
    ]
    path = Path(path)
    path.write_text(html.build_page(title or type(search).__name__, parts), encoding="utf-8")
    return path


# Sections of the user


def _check_section(number: int, section: object) -> None:
    if not isinstance(section, (tuple, list)) or len(section) != 2:
        raise TypeError(f"sections[{number}] must be (title, content). Got {section!r:.80}.")
    title, content = section
    is_known = (
        isinstance(content, str) or _is_table(content) or hasattr(_figure_of(content), "savefig")
    )
    if not (isinstance(title, str) and is_known):
        raise TypeError(
            f"sections[{number}]: the title must be a str, and the content must be text, a "
            "DataFrame, a Figure or a display with a figure_. "
            f"Got {title!r:.80} and {content!r:.80}."
        )


def _extra_sections(sections: Iterable[tuple[str, object]]) -> list[str]:
    return [
        part
        for title, content in sections
        for part in (html.heading(title), _render_content(content))
    ]


def _render_content(content: Any) -> str:
    if isinstance(content, str):
        return html.paragraph(content)
    if not _is_table(content):
        return html.embed_figure(_figure_of(content), "")
    table = content.reset_index() if any(content.index.names) else content
    rows = [[_format_cell(value) for value in row] for row in table.itertuples(index=False)]
    is_numeric = [dtype.kind in "iuf" for dtype in table.dtypes]
    return html.data_table(list(map(str, table.columns)), rows, is_numeric)


def _figure_of(content: object) -> Any:
    return getattr(content, "figure_", content)


def _is_table(content: object) -> bool:
    return hasattr(content, "itertuples")


def _format_cell(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return "-" if math.isnan(value) else f"{value:.5g}"
    return str(value)


# Summary


def _summary_section(search: FittedSearch, table: DataFrame) -> list[str]:
    metric = find_metric(search, table.attrs["metric"])
    remark = (
        f"For {metric.name}, {metric.direction}. ± is the standard error; it ignores that splits "
        "share training rows, so it is somewhat too small. The best mean is optimistic, because it "
        "was selected from several. Estimate the true performance on held-out data."
    )
    return [
        html.paragraph(_summary_text(search, table, metric)),
        html.paragraph(remark, "soft"),
        html.paragraph(_run_facts(search), "soft"),
    ]


def _summary_text(search: FittedSearch, table: DataFrame, metric: Metric) -> str:
    best, digits = table.iloc[0], _score_digits(table)
    parameters = f" with {best['parameters']}" if best["parameters"] else ""
    n_without_score = int((~np.isfinite(table["mean_score"])).sum())
    sentences = [
        f"The best of {pluralize(len(table), 'candidate')} of "
        f"{pluralize(table['contender'].nunique(), 'contender')} is "
        f"{best['contender']}{parameters}: {_mean_name(metric)} "
        f"{_with_error(shown_scores(table)[0], best['std_error'], digits)} over "
        f"{pluralize(search.n_splits_, 'split')}.",
        _runner_up_text(table, metric, digits),
        f"Without a score: {pluralize(n_without_score, 'candidate')}." if n_without_score else "",
    ]
    return " ".join(filter(None, sentences))


def _mean_name(metric: Metric) -> str:
    return metric.name if metric.name.startswith("mean ") else f"mean {metric.name}"


def _runner_up_text(table: DataFrame, metric: Metric, digits: int) -> str:
    others = table[table["contender"] != table["contender"].iloc[0]]
    if others.empty or not np.isfinite(others["difference"].iloc[0]):
        return ""
    second = others.iloc[0]
    gap = _with_error(-second["difference"], second["difference_std_error"], digits)
    side = "higher" if metric.is_negated else "lower"
    return f"The next best contender, {second['contender']}, is {gap} {side} on the same splits."


def _run_facts(search: FittedSearch) -> str:
    times_s = search.cv_results_["mean_fit_time"]
    n_fits, total_s = len(times_s) * search.n_splits_, np.nansum(times_s) * search.n_splits_
    facts = [
        f"Written {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        f"{pluralize(n_fits, 'fit')}, {total_s:,.3g} s in total",
        *(f"Metaflow run {run}" for run in getattr(search, "runs_", ())),
    ]
    return ". ".join(facts) + "."


# Leaderboard


def _leaderboard_section(search: FittedSearch, table: DataFrame, top: int) -> list[str]:
    metric, digits = find_metric(search, table.attrs["metric"]), _score_digits(table)
    contenders = leaderboard(search, by="contender", metric=table.attrs["metric"])
    parts = []
    if len(contenders) > 1:
        parts += [html.heading("Contenders"), _ranked_table(contenders, metric, digits)]
    parts += [html.heading("Candidates"), _ranked_table(table.iloc[:top], metric, digits)]
    if len(table) > top:
        title = f"The other {len(table) - top:,} of {len(table):,} candidates"
        parts.append(html.collapsible(title, _ranked_table(table.iloc[top:], metric, digits)))
    return parts


def _ranked_table(table: DataFrame, metric: Metric, digits: int) -> str:
    columns = _text_columns(table, metric, digits)
    is_numeric = [name not in ("contender", "parameters") for name in columns]
    rows = list(zip(*columns.values(), strict=True))
    return html.data_table(list(columns), rows, is_numeric)


def _text_columns(table: DataFrame, metric: Metric, digits: int) -> dict[str, list[str]]:
    extracted = [name for name in table if name.startswith("mean_") and name != "mean_score"]
    columns = {
        "rank": table["rank"].map(str),
        "contender": table["contender"],
        "parameters": table["parameters"],
        **({"round": table["round"].add(1).map(str)} if "round" in table else {}),
        _mean_name(metric): _with_errors(
            metric.shown(table["mean_score"]), table["std_error"], digits
        ),
        "difference to best": _with_errors(
            metric.shown(table["difference"]), table["difference_std_error"], digits
        ),
        "fit time (s)": [f"{time:.3g}" for time in table["fit_time_s"]],
        **{name.replace("_", " ", 1): map(_format_cell, table[name]) for name in extracted},
    }
    if "candidates" in table:
        columns["candidates"] = table["candidates"].map(str)
    return {name: list(values) for name, values in columns.items()}


def _with_errors(means: Iterable[float], errors: Iterable[float], digits: int) -> list[str]:
    return [
        "-" if math.isnan(mean) else _with_error(mean, error, digits)
        for mean, error in zip(means, errors, strict=True)
    ]


def _with_error(mean: float, error: float, digits: int) -> str:
    rounded = round(mean, digits) + 0.0  # turns -0.0 into 0.0
    return f"{rounded:.{digits}f}" + (f" ± {error:.{digits}f}" if np.isfinite(error) else "")


def _score_digits(table: DataFrame) -> int:
    """Return the number of decimals that shows two digits of the median standard error."""
    errors = table["std_error"].to_numpy()
    errors = errors[np.isfinite(errors) & (errors > 0)]
    return int(np.clip(1 - np.floor(np.log10(np.median(errors))), 0, 9)) if errors.size else 4


# Pictures


def _picture_sections(search: FittedSearch, table: DataFrame, top: int) -> list[str]:
    scored = table[np.isfinite(table["mean_score"])]
    parts = []
    if not scored.empty:
        parts += _scores_section(search, scored, top)
        parts += _time_section(search, scored)
        parts += _parameters_section(search, scored)
        parts += _rungs_section(search, scored)
    return [*parts, *_training_history_section(search), *_timeline_section(search)]


def _scores_section(search: FittedSearch, scored: DataFrame, top: int) -> list[str]:
    ax = make_bare_axes(10, figure_height(min(len(scored), top)))
    display = CVScoresDisplay.from_search(search, metric=scored.attrs["metric"], ax=ax, top=top)
    return [html.heading("Scores on the splits"), html.embed_figure(display.figure_, "box plots")]


def _time_section(search: FittedSearch, scored: DataFrame) -> list[str]:
    ax = make_bare_axes(10, 4.5)
    display = ScoreTimeDisplay.from_search(search, metric=scored.attrs["metric"], ax=ax)
    return [
        html.heading("Scores against fit times"),
        html.embed_figure(display.figure_, "mean scores against mean fit times"),
    ]


def _rungs_section(search: FittedSearch, scored: DataFrame) -> list[str]:
    if not has_rungs(search):
        return []
    ax = make_bare_axes(10, 4.5)
    display = RungsDisplay.from_search(search, metric=scored.attrs["metric"], ax=ax)
    return [
        html.heading("Dropped candidates"),
        html.embed_figure(display.figure_, "score of each candidate until it was dropped"),
    ]


def _parameters_section(search: FittedSearch, scored: DataFrame) -> list[str]:
    short_names, varying = _varying_parameters(search, scored)
    if not varying:
        return []
    metric = scored.attrs["metric"]
    pictures = []
    for name in varying[:_MAX_PARAMETERS]:
        ax = make_bare_axes(6.4, 4.4)
        display = ParameterScoresDisplay.from_search(search, name, metric=metric, ax=ax)
        pictures.append(html.embed_figure(display.figure_, f"scores against {short_names[name]}"))
    parts = [html.heading("Scores against parameters")]
    if len(varying) > 1:
        ax = make_bare_axes(10, 4.5)
        together = ParallelCoordinatesDisplay.from_search(search, metric=metric, ax=ax)
        parts.append(html.embed_figure(together.figure_, "parallel coordinates"))
    parts.append(html.side_by_side(pictures))
    n_omitted = len(varying) - len(pictures)
    if n_omitted:
        parts.append(html.paragraph(f"Not shown: {pluralize(n_omitted, 'parameter')}.", "soft"))
    return parts


def _varying_parameters(
    search: FittedSearch, scored: DataFrame
) -> tuple[dict[str, str], list[str]]:
    """Return the short names of all parameters, and the full names of those with several values."""
    params = search.cv_results_["params"]
    candidates = [params[index] for index in scored.index]
    short_names = short_parameter_names(search.estimator, params)
    values = {
        name: {format_value(candidate[name]) for candidate in candidates if name in candidate}
        for name in short_names
    }
    return short_names, [name for name, texts in values.items() if len(texts) > 1]


def _training_history_section(search: FittedSearch) -> list[str]:
    model = find_early_stopping(getattr(search, "best_estimator_", None))
    if model is None:
        return []
    display = TrainingHistoryDisplay.from_estimator(model, ax=make_bare_axes(10, 4.5))
    return [
        html.heading("Training history of the best model, refitted"),
        html.embed_figure(display.figure_, "metric on the validation data by iteration"),
    ]


def _timeline_section(search: FittedSearch) -> list[str]:
    workers = {worker for *_, worker in getattr(search, "_fit_times", ())}
    if not workers:
        return []
    ax = make_bare_axes(10, figure_height(min(len(workers), _MAX_ROWS)))
    display = TimelineDisplay.from_search(search, ax=ax)
    return [html.heading("Timeline"), html.embed_figure(display.figure_, "fits over time")]


# Settings


def _settings_section(search: FittedSearch) -> list[str]:
    settings = {"class": type(search).__name__, **search.get_params(deep=False)}
    texts = {
        name: truncate(_setting_text(value), _SETTING_LENGTH) for name, value in settings.items()
    }
    return [
        html.heading("Settings and versions"),
        html.collapsible("Settings of the search", html.key_value_table(texts)),
        html.collapsible("Versions", html.key_value_table(_versions())),
    ]


def _setting_text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _versions() -> Mapping[str, str]:
    versions = {"Python": platform.python_version(), "platform": platform.platform()}
    for module, name in _PACKAGES.items():
        if module in sys.modules:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # importable but not installed
                versions[name] = "unknown version"
    return versions
