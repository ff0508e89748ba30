"""A search to draw, axes to draw on, and what is read from a picture."""

import copy

from scipy.stats import loguniform
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
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
