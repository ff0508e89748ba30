"""`add_baseline`: a contender that learns nothing but the mean, to compare others with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from skdistsearch._validation import estimator_type


def add_baseline(estimator: Any, param_grid: Any) -> list[Mapping[str, Any]]:
    """``param_grid`` with one more contender, which takes no notice of X.

    It is a `~sklearn.dummy.DummyRegressor` (always the mean of the targets) or a
    `~sklearn.dummy.DummyClassifier` (always how frequent the classes are) in place of the
    pipeline's last step: a candidate as all others are, scored on the same splits by the same
    scorer, with a rank in `skdistsearch.report.leaderboard`. What loses to it has learnt nothing.

    Parameters
    ----------
    estimator : sklearn.pipeline.Pipeline
        What the search is given.
    param_grid : dict or list of dicts
        Of `DistributedSearchCV` or `~sklearn.model_selection.GridSearchCV`. It stays as it is.

    Returns
    -------
    param_grid : list of dicts
        The same, and the baseline.

    Raises
    ------
    ValueError
        The estimator is no pipeline, or neither classifies nor regresses.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import Pipeline
    >>> from skdistsearch import DistributedSearchCV, add_baseline
    >>> from skdistsearch.report import leaderboard
    >>> pipe = Pipeline([("model", Ridge())])
    >>> grid = add_baseline(pipe, {"model__alpha": [0.1, 1.0]})
    >>> search = DistributedSearchCV(pipe, grid, cv=5).fit(*load_diabetes(return_X_y=True))
    >>> leaderboard(search)["contender"].tolist()
    ['Ridge', 'Ridge', 'DummyRegressor']
    """
    if not isinstance(estimator, Pipeline):
        raise ValueError(
            f"A baseline takes the place of a pipeline's last step, and {type(estimator).__name__} "
            "is no Pipeline. Give the search Pipeline([('model', estimator)]), and the names in "
            "param_grid the prefix 'model__'."
        )
    dicts = [param_grid] if isinstance(param_grid, Mapping) else list(param_grid)
    name, last = estimator.steps[-1]
    models = [last, *(value for each in dicts for value in _listed(each.get(name)))]
    kinds = {estimator_type(model) for model in models if hasattr(model, "fit")}
    if "classifier" in kinds:
        return [*dicts, {name: [DummyClassifier()]}]
    if "regressor" in kinds:
        return [*dicts, {name: [DummyRegressor()]}]
    raise ValueError(
        f"The last step of the pipeline, {name!r}, is neither a classifier nor a regressor, and "
        "param_grid has none for it: there is no baseline."
    )


def _listed(values: Any) -> Sequence[Any]:
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
