"""`add_baseline`: add a contender that ignores the features, for comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline

from skdistsearch._typing import ParamGrid
from skdistsearch._validation import estimator_type


def add_baseline(
    estimator: Pipeline, param_grid: ParamGrid | Sequence[ParamGrid]
) -> list[ParamGrid]:
    """Add a contender that ignores the features to a parameter grid.

    The baseline replaces the pipeline's last step. It is a `~sklearn.dummy.DummyRegressor`, which
    predicts the mean of the targets, or a `~sklearn.dummy.DummyClassifier`, which predicts the
    frequencies of the classes. It is a candidate like all others, scored on the same splits by the
    same scorer, and ranked by `skdistsearch.report.leaderboard`. A candidate that ranks below it
    has learnt nothing from the features.

    Parameters
    ----------
    estimator : sklearn.pipeline.Pipeline
        The estimator of the search.
    param_grid : dict or list of dict
        Parameter grid of `DistributedSearchCV` or `~sklearn.model_selection.GridSearchCV`. It is
        not changed.

    Returns
    -------
    param_grid : list of dict
        The given dicts, followed by one for the baseline.

    Raises
    ------
    ValueError
        The estimator is not a pipeline, or is neither a classifier nor a regressor.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import Pipeline
    >>> from skdistsearch import DistributedSearchCV, add_baseline
    >>> from skdistsearch.report import leaderboard
    >>> pipe = Pipeline([("model", Ridge())])
    >>> grid = add_baseline(pipe, {"model__alpha": [0.1, 1.0]})
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = DistributedSearchCV(pipe, grid, cv=5).fit(X, y)
    >>> leaderboard(search)["contender"].tolist()
    ['Ridge', 'Ridge', 'DummyRegressor']
    """
    if not isinstance(estimator, Pipeline):
        raise ValueError(
            f"A baseline replaces the last step of a pipeline, but {type(estimator).__name__} is "
            "not a Pipeline. Use Pipeline([('model', estimator)]), and add the prefix 'model__' to "
            "the names in param_grid."
        )
    grids = [param_grid] if isinstance(param_grid, Mapping) else list(param_grid)
    name, last = estimator.steps[-1]
    models = [last, *(model for grid in grids for model in _as_list(grid.get(name)))]
    types = {estimator_type(model) for model in models if hasattr(model, "fit")}
    if "classifier" in types:
        return [*grids, {name: [DummyClassifier()]}]
    if "regressor" in types:
        return [*grids, {name: [DummyRegressor()]}]
    raise ValueError(
        f"No baseline: the last step of the pipeline, {name!r}, is neither a classifier nor a "
        "regressor, and param_grid does not replace it by one."
    )


def _as_list(values: object) -> list[Any]:
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
