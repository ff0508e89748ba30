"""`to_mlflow`: a fitted search as runs of MLflow, one for the search and one for each candidate."""

from __future__ import annotations

import csv
import math
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdistsearch._cv_results import split_scores
from skdistsearch._typing import FittedSearch
from skdistsearch._validation import is_integer
from skdistsearch.exceptions import ReportError
from skdistsearch.report._leaderboard import default_metric
from skdistsearch.report._mlflow_run import MetricRow, MlflowRun, import_mlflow, search_run

_CANDIDATE_PARAMS = {"estimator", "param_grid", "param_distributions"}
_SUMMARIES = ("mean_", "std_", "rank_")
_SPLIT_COLUMN = re.compile(r"split(\d+)_(.+)")


def to_mlflow(
    search: FittedSearch,
    *,
    run_name: str | None = None,
    children: int | None = 50,
    report: bool = True,
    model: bool | str = False,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Log a fitted search to MLflow: one run for the search, a child run for each candidate.

    The run of the search gets its parameters, the best parameters and score, the files
    ``cv_results.csv`` and ``report.html``, and the pathspecs of its Metaflow runs as the tag
    ``skdistsearch.runs``. A child run gets the candidate's parameters, its means, standard
    deviations and ranks, the scores and extracted values of the splits (one metric, with the split
    as its step), and the time from the start of its first fit to the end of its last.

    Parameters
    ----------
    search : fitted search
        A search of this package or of scikit-learn. Only searches of this package know when the
        fits of a candidate ran.
    run_name : str or None, default=None
        Name of the run. Within an active run of MLflow, the search is logged to that run, or with
        a name to a new child of it. So several searches in one run need names.
    children : int or None, default=50
        Number of candidates with a child run, the best first. None is all of them. Each is three
        requests to the tracking server. ``cv_results.csv`` has all candidates in any case.
    report : bool, default=True
        Whether to log `skdistsearch.report.html_report`, which needs pandas and matplotlib.
    model : bool or {"cloudpickle", "skops"}, default=False
        Whether to log ``best_estimator_``, and in which of MLflow's formats. True is
        ``"cloudpickle"``. ``"skops"`` is without pickle, with the types of
        `skdistsearch.skops_trusted_types`.
    tags : dict of str to str or None, default=None
        Tags of the run.

    Returns
    -------
    run_id : str
        Id of the run of the search.

    Raises
    ------
    ReportError
        If ``children`` or ``model`` is not valid, if ``model`` is asked for and the search has no
        ``best_estimator_``, or if the active run has parameters of another search.
    ImportError
        MLflow is not installed: ``pip install "skdistsearch[mlflow]"``.
    sklearn.exceptions.NotFittedError
        If the search is not fitted.

    Notes
    -----
    Values that are not finite are left out. A candidate without any score becomes a failed run.
    A new run starts when the first fit started: for a search that was resumed from a checkpoint,
    that may be days ago. Parameters are logged as text. If one contains a secret, so does the run.

    Examples
    --------
    >>> import mlflow
    >>> from tempfile import mkdtemp
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skdistsearch import DistributedSearchCV
    >>> from skdistsearch.report import to_mlflow
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=5).fit(X, y)
    >>> folder = mkdtemp()
    >>> mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    >>> experiment_id = mlflow.create_experiment("diabetes", artifact_location=folder)
    >>> experiment = mlflow.set_experiment("diabetes")
    >>> run_id = to_mlflow(search, run_name="alphas", report=False)
    >>> print(f"{mlflow.get_run(run_id).data.metrics['best_cv_score']:.3f}")
    0.480
    """
    check_is_fitted(search, "cv_results_")
    _check_arguments(search, children, model)
    mlflow = import_mlflow()
    times = _CandidateTimes(search)
    params, labels = _search_params(search), {**_search_tags(search), **(tags or {})}
    with search_run(mlflow, run_name, times.started_at, params, labels) as run:
        run.log(params, _search_metrics(search))
        for candidate in _best_candidates(search, children):
            _log_candidate(run, search, candidate, *times.of(candidate))
        with TemporaryDirectory() as folder:
            _write_files(search, Path(folder), report=report)
            run.client.log_artifacts(run.id, folder)
        if model:
            run.log_model(search.best_estimator_, "cloudpickle" if model is True else model)
    return run.id


def _check_arguments(search: FittedSearch, children: int | None, model: bool | str) -> None:
    if children is not None and not is_integer(children, least=0):
        raise ReportError(f"children={children!r} must be None or an integer of at least 0.")
    if model not in (False, True, "cloudpickle", "skops"):
        raise ReportError(f"model={model!r} must be True, False, 'cloudpickle' or 'skops'.")
    if model and not hasattr(search, "best_estimator_"):
        raise ReportError(f"model={model!r}: the search has no best_estimator_. Use refit=True.")


class _CandidateTimes:
    """Start and end of each candidate, in seconds since 1970: now, if they are not known."""

    def __init__(self, search: FittedSearch) -> None:
        self._now = time.time()
        self._fits: dict[int, list[float]] = defaultdict(list)
        for candidate, _, *times, _ in getattr(search, "_fit_times", ()):
            self._fits[candidate] += times
        self.started_at = min(map(min, self._fits.values()), default=self._now)
        """Start of the first fit of all."""

    def of(self, candidate: int) -> tuple[float, float]:
        """Return the start of the candidate's first fit and the end of its last one."""
        times = self._fits.get(candidate, [self._now])
        return min(times), max(times)


def _search_params(search: FittedSearch) -> dict[str, object]:
    params = search.get_params(deep=False).items()
    own = {name: value for name, value in params if name not in _CANDIDATE_PARAMS}
    best = getattr(search, "best_params_", {}).items()
    return own | {f"best_{name}": value for name, value in best}


def _search_tags(search: FittedSearch) -> dict[str, str]:
    runs = " ".join(getattr(search, "runs_", ()))
    return _class_tags(search) | ({"skdistsearch.runs": runs} if runs else {})


def _class_tags(estimator: object) -> dict[str, str]:
    """Return the tags that MLflow's autologging sets too."""
    cls = type(estimator)
    name = f"{cls.__module__}.{cls.__qualname__}"
    return {"estimator_name": cls.__name__, "estimator_class": name}


def _search_metrics(search: FittedSearch) -> list[MetricRow]:
    metrics = {
        "best_cv_score": getattr(search, "best_score_", math.nan),  # MLflow's name of it
        "n_candidates": len(search.cv_results_["params"]),
        "n_splits": search.n_splits_,
        "refit_time": getattr(search, "refit_time_", math.nan),
    }
    return [(name, float(value), 0) for name, value in metrics.items()]


def _best_candidates(search: FittedSearch, number: int | None) -> list[int]:
    """Return the candidates of the best ranks, the best first; those of later rounds lead."""
    results = search.cv_results_
    ranks = np.asarray(results[f"rank_test_{default_metric(search)}"])
    rounds = np.asarray(results.get("iter", np.zeros(len(ranks), int)))
    order: list[int] = np.lexsort((ranks, -rounds)).tolist()
    return order[:number]


def _log_candidate(
    run: MlflowRun, search: FittedSearch, candidate: int, started_at: float, ended_at: float
) -> None:
    results, tags = search.cv_results_, _class_tags(search.estimator)
    scores = split_scores(results, default_metric(search))[candidate]
    child = run.start_child(f"candidate {candidate}", started_at, tags)
    child.log(results["params"][candidate], _candidate_metrics(results, candidate))
    child.end(ended_at, failed=not np.isfinite(scores).any())


def _candidate_metrics(results: Mapping[str, Any], candidate: int) -> Iterator[MetricRow]:
    for name, column in results.items():
        if match := _SPLIT_COLUMN.fullmatch(name):
            yield match[2], float(column[candidate]), int(match[1])
        elif name.startswith(_SUMMARIES):
            yield name, float(column[candidate]), 0


def _write_files(search: FittedSearch, folder: Path, *, report: bool) -> None:
    results = search.cv_results_
    with open(folder / "cv_results.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(results)
        writer.writerows(zip(*results.values(), strict=True))
    if report:
        from skdistsearch.report._html_report import html_report

        html_report(search, folder / "report.html")
