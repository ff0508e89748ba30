"""A search to draw, axes to draw on, and what is read from a picture."""

import copy

import numpy as np
from scipy.stats import loguniform, rankdata
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeRegressor

from skdistsearch import DistributedSearchCV


def fit_three_contenders(n_ridge, **kwargs):
    """Fit a search with some random candidates of ridge regression, three trees and a neighbour."""
    grid = [
        {
            "__n_iter": n_ridge,
            "model": [Ridge()],
            "model__alpha": loguniform(1e-4, 1e2),
            "model__solver": ["svd", "lsqr"],
        },
        {"model": [DecisionTreeRegressor(random_state=0)], "model__max_depth": [1, 2, 3]},
        {"model": [KNeighborsRegressor()]},
    ]
    pipe = Pipeline([("model", Ridge())])
    search = DistributedSearchCV(pipe, grid, cv=3, refit=False, random_state=0, **kwargs)
    return search.fit(*load_diabetes(return_X_y=True))


def make_search(params, scores, estimator=None, scoring=None, times_s=None, **results):
    """Return a search of scikit-learn with the given results, without a fit.

    ``scores`` has the shape (n_candidates,) or (n_candidates, n_splits).
    """
    scores = np.asarray(scores, dtype=float)
    scores = np.column_stack([scores, scores]) if scores.ndim == 1 else scores
    means = scores.mean(axis=1)
    search = GridSearchCV(estimator or Ridge(), {}, scoring=scoring, refit=False)
    search.n_splits_ = scores.shape[1]
    search.scorer_ = get_scorer(scoring) if isinstance(scoring, str) else scoring
    search.cv_results_ = {
        "params": list(params),
        **{f"split{split}_test_score": column for split, column in enumerate(scores.T)},
        "mean_test_score": means,
        "rank_test_score": rankdata(-np.nan_to_num(means, nan=-1e9), method="min").astype(int),
        "mean_fit_time": np.ones(len(scores)) if times_s is None else np.asarray(times_s, float),
        "mean_score_time": np.zeros(len(scores)),
        **{name: np.asarray(values) for name, values in results.items()},
    }
    return search


def with_text_values(search, name, template):
    """Return a copy of the search whose values of a parameter are texts."""
    params = [
        {key: template.format(value) if key == name else value for key, value in candidate.items()}
        for candidate in search.cv_results_["params"]
    ]
    changed = copy.copy(search)
    changed.cv_results_ = {**search.cv_results_, "params": params}
    return changed


def make_axes(width=10, height=6):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def texts_of(labels):
    return [label.get_text() for label in labels]


def are_apart(labels):
    """Return whether no two labels overlap and none leaves the figure."""
    labels[0].get_figure().draw_without_rendering()
    boxes = [label.get_window_extent() for label in labels]
    are_inside = all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    return are_inside and not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])
