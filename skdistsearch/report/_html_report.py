"""`html_report`: all that there is to see of a search, in one file."""

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

from skdistsearch.exceptions import ReportError
from skdistsearch.report import _html_page
from skdistsearch.report._cv_scores_display import CVScoresDisplay
from skdistsearch.report._leaderboard import leaderboard, parameter_names, readable_value
from skdistsearch.report._parameter_scores_display import ParameterScoresDisplay
from skdistsearch.report._style import bare_axes, clipped, counted, height_of, score_name
from skdistsearch.report._timeline_display import TimelineDisplay
from skdistsearch.report._training_history_display import TrainingHistoryDisplay, early_stopping_in

if TYPE_CHECKING:
    from pandas import DataFrame

_PARAMETERS = 12  # pictures of scores against a parameter
_LANES = 40  # of workers, up to which the timeline grows
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
"""Distributions whose versions are listed, by modules: those that the process has imported."""


def html_report(
    search: Any,
    path: str | Path,
    *,
    title: str | None = None,
    metric: str | None = None,
    top: int = 30,
    sections: Sequence[tuple[str, Any]] = (),
) -> Path:
    """A report on a fitted search, as one HTML file with everything in it.

    It has a summary, the leaderboard of contenders and candidates, pictures (scores, scores against
    each parameter, progress of the best model if it is `skdistsearch.EarlyStopping`, timeline),
    settings and versions. It has no script and asks for nothing from the network.

    Parameters
    ----------
    search : fitted search
        Of this package or of scikit-learn.
    path : str or pathlib.Path
        The file to write; its folder exists. One that is there is replaced.
    title : str or None, default=None
        None is the class of the search.
    metric : str or None, default=None
        What to rank by, as in `skdistsearch.report.leaderboard`.
    top : int, default=30
        How many candidates the first table and the box plot show; the others are folded.
    sections : sequence of (str, object), default=()
        More to show below the summary, each with its title: text, a `pandas.DataFrame`, a
        `matplotlib.figure.Figure`, or a display that has drawn one (``figure_``).

    Returns
    -------
    path : pathlib.Path
        Of the file.

    Raises
    ------
    ReportError
        There is no such metric, or ``top`` is less than 1.
    TypeError
        A section is not a title and one of those contents.
    sklearn.exceptions.NotFittedError
        The search is not fitted.

    Notes
    -----
    Settings are the parameters of the search as their ``repr`` shows them: what is secret in them
    is in the file.

    Examples
    --------
    >>> from skdistsearch.report import html_report
    >>> held_out = "Held-out R²: 0.61"
    >>> html_report(search, "report.html", sections=[("Test", held_out)])  # doctest: +SKIP
    """
    check_is_fitted(search, "cv_results_")
    if top < 1:
        raise ReportError(f"top={top!r} must be at least 1.")
    for number, section in enumerate(sections):
        _check(number, section)
    table = leaderboard(search, metric=metric)
    parts = [
        *_summary(search, table),
        *(
            part
            for name, content in sections
            for part in (_html_page.heading(name), _content(content))
        ),
        *_standings(search, table, top),
        *_pictures(search, table, top),
        *_settings(search),
    ]
    path = Path(path)
    path.write_text(_html_page.page(title or type(search).__name__, parts), encoding="utf-8")
    return path


def _check(number: int, section: Any) -> None:
    if not isinstance(section, (tuple, list)) or len(section) != 2:
        raise TypeError(f"sections[{number}] is not a (title, content): {section!r:.80}")
    name, content = section
    is_known = isinstance(content, str) or _is_table(content) or hasattr(_drawn(content), "savefig")
    if not (isinstance(name, str) and is_known):
        raise TypeError(
            f"sections[{number}]: the title is a str; the content is text, a DataFrame, a Figure, "
            f"or a display with a figure_. Got {name!r:.80} and {content!r:.80}."
        )


def _drawn(content: Any) -> Any:
    return getattr(content, "figure_", content)


def _is_table(content: Any) -> bool:
    return hasattr(content, "itertuples")


def _content(content: Any) -> str:
    if isinstance(content, str):
        return _html_page.paragraph(content)
    if not _is_table(content):
        return _html_page.picture(_drawn(content), "")
    table = content.reset_index() if any(content.index.names) else content
    rows = [[_value(value) for value in row] for row in table.itertuples(index=False)]
    return _html_page.table(
        list(map(str, table.columns)), rows, [d.kind in "iuf" for d in table.dtypes]
    )


def _value(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return "-" if math.isnan(value) else f"{value:.5g}"
    return str(value)


# Summary


def _summary(search: Any, table: DataFrame) -> list[str]:
    best, digits = table.iloc[0], _digits(table)
    parameters = f" with {best['parameters']}" if best["parameters"] else ""
    score, _, direction = score_name(search, table.attrs["metric"]).partition(" (")
    without = int((~np.isfinite(table["mean_score"])).sum())
    sentences = [
        f"The best of {counted(len(table), 'candidate')} of "
        f"{counted(table['contender'].nunique(), 'contender')} is "
        f"{best['contender']}{parameters}: mean {score} "
        f"{_with_error(best['mean_score'], best['std_error'], digits)} over "
        f"{counted(search.n_splits_, 'split')}.",
        _runner_up(table, digits),
        f"{counted(without, 'candidate')} without a score." if without else "",
    ]
    remark = (
        f"Of {score}, {direction.rstrip(')')}. ± is the standard error, as if splits did not share "
        "training rows. The mean of the best flatters it, as it is the best of several: what it is "
        "worth is for rows to tell that the search has not seen."
    )
    return [
        _html_page.paragraph(" ".join(filter(None, sentences))),
        _html_page.paragraph(remark, "soft"),
        _html_page.paragraph(_facts(search), "soft"),
    ]


def _runner_up(table: DataFrame, digits: int) -> str:
    others = table[table["contender"] != table["contender"].iloc[0]]
    if others.empty or not np.isfinite(others["difference"].iloc[0]):
        return ""
    second = others.iloc[0]
    below = _with_error(-second["difference"], second["difference_std_error"], digits)
    return f"The next contender, {second['contender']}, is {below} below it on the same splits."


def _with_error(mean: float, error: float, digits: int) -> str:
    rounded = round(mean, digits) + 0.0  # no -0.000
    return f"{rounded:.{digits}f}" + (f" ± {error:.{digits}f}" if np.isfinite(error) else "")


def _facts(search: Any) -> str:
    times_s = search.cv_results_["mean_fit_time"]
    facts = [
        f"Written {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        f"{counted(len(times_s) * search.n_splits_, 'fit')}, together "
        f"{np.nansum(times_s) * search.n_splits_:,.3g} s",
        *(f"Metaflow run {run}" for run in getattr(search, "runs_", ())),
    ]
    return ". ".join(facts) + "."


# Standings


def _standings(search: Any, table: DataFrame, top: int) -> list[str]:
    metric, digits = table.attrs["metric"], _digits(table)
    contenders = leaderboard(search, by="contender", metric=metric)
    score = score_name(search, metric).partition(" (")[0]

    def ranking(table: DataFrame) -> str:
        columns = _columns(table, score, digits)
        numeric = [name not in ("contender", "parameters") for name in columns]
        return _html_page.table(list(columns), list(zip(*columns.values(), strict=True)), numeric)

    parts = [_html_page.heading("Contenders"), ranking(contenders)] if len(contenders) > 1 else []
    parts += [_html_page.heading("Candidates"), ranking(table.iloc[:top])]
    if len(table) > top:
        title = f"The other {len(table) - top:,} of {len(table):,} candidates"
        parts.append(_html_page.folded(title, ranking(table.iloc[top:])))
    return parts


def _columns(table: DataFrame, score: str, digits: int) -> dict[str, list[str]]:
    recorded = [name for name in table if name.startswith("mean_") and name != "mean_score"]
    columns = {
        "rank": table["rank"].map(str),
        "contender": table["contender"],
        "parameters": table["parameters"],
        f"mean {score}": _with_errors(table["mean_score"], table["std_error"], digits),
        "to the first": _with_errors(table["difference"], table["difference_std_error"], digits),
        "fit time (s)": [f"{time:.3g}" for time in table["fit_time_s"]],
        **{name.replace("_", " ", 1): map(_value, table[name]) for name in recorded},
    }
    if "candidates" in table:
        columns["candidates"] = table["candidates"].map(str)
    return {name: list(values) for name, values in columns.items()}


def _with_errors(means: Iterable[float], errors: Iterable[float], digits: int) -> list[str]:
    pairs = zip(means, errors, strict=True)
    return ["-" if math.isnan(m) else _with_error(m, e, digits) for m, e in pairs]


def _digits(table: DataFrame) -> int:
    """Decimals that show two digits of the usual standard error."""
    errors = table["std_error"].to_numpy()
    errors = errors[np.isfinite(errors) & (errors > 0)]
    return int(np.clip(1 - np.floor(np.log10(np.median(errors))), 0, 9)) if errors.size else 4


# Pictures


def _pictures(search: Any, table: DataFrame, top: int) -> list[str]:
    metric, scored = table.attrs["metric"], table[np.isfinite(table["mean_score"])]
    parts = []
    if not scored.empty:
        ax = bare_axes(10, height_of(min(len(scored), top)))
        scores = CVScoresDisplay.from_search(search, metric=metric, ax=ax, top=top)
        parts += [
            _html_page.heading("Scores on the splits"),
            _html_page.picture(scores.figure_, "box plots"),
        ]
        parts += _parameters(search, scored)
    model = early_stopping_in(getattr(search, "best_estimator_", None))
    if model is not None:
        progress = TrainingHistoryDisplay.from_estimator(model, ax=bare_axes(10, 4.5))
        parts += [
            _html_page.heading("Progress of the best model, as it was refitted"),
            _html_page.picture(progress.figure_, "metric on the validation part by iteration"),
        ]
    workers = {worker for *_, worker in getattr(search, "_fit_times", ())}
    if workers:
        ax = bare_axes(10, height_of(min(len(workers), _LANES)))
        timeline = TimelineDisplay.from_search(search, ax=ax)
        parts += [
            _html_page.heading("Timeline"),
            _html_page.picture(timeline.figure_, "fits over time"),
        ]
    return parts


def _parameters(search: Any, scored: DataFrame) -> list[str]:
    candidates = [search.cv_results_["params"][index] for index in scored.index]
    known = parameter_names(search.estimator, search.cv_results_["params"])
    varied = [
        name
        for name in known
        if len({readable_value(params[name]) for params in candidates if name in params}) > 1
    ]
    metric = scored.attrs["metric"]
    pictures = []
    for name in varied[:_PARAMETERS]:
        ax = bare_axes(6.4, 4.4)
        display = ParameterScoresDisplay.from_search(search, name, metric=metric, ax=ax)
        pictures.append(_html_page.picture(display.figure_, f"scores against {known[name]}"))
    if not pictures:
        return []
    more = len(varied) - len(pictures)
    return [
        _html_page.heading("Scores against parameters"),
        _html_page.side_by_side(pictures),
        _html_page.paragraph(f"{counted(more, 'more parameter')} not drawn.", "soft")
        if more
        else "",
    ]


# Settings


def _settings(search: Any) -> list[str]:
    settings = {"class": type(search).__name__, **search.get_params(deep=False)}
    shown = {name: clipped(_text(value), _SETTING_LENGTH) for name, value in settings.items()}
    return [
        _html_page.heading("Settings and versions"),
        _html_page.folded("Settings of the search", _html_page.pairs(shown)),
        _html_page.folded("Versions", _html_page.pairs(_versions())),
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _versions() -> Mapping[str, str]:
    found = {"Python": platform.python_version(), "platform": platform.platform()}
    for module, name in _PACKAGES.items():
        if module in sys.modules:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # on the path, and not installed
                found[name] = "of unknown version"
    return found
