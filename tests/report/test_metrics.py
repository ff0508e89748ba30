"""Names and directions of metrics."""

import numpy as np
import pytest
from helpers.pictures import make_axes, make_search
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, mean_absolute_error, r2_score

from skdistsearch.report._metrics import find_metric

pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("pandas", reason="the leaderboard is a DataFrame")

from skdistsearch.report import (
    BestScoreDisplay,
    CVScoresDisplay,
    ParallelCoordinatesDisplay,
    ParameterScoresDisplay,
    ScoreTimeDisplay,
    leaderboard,
)

PARAMS = [{"alpha": alpha, "tol": tol} for alpha in (1, 2) for tol in (0.1, 0.2)]
ERRORS = np.array([3.0, 2.0, 5.0, 4.0])


def my_error(estimator, X, y):
    return -1.0


@pytest.mark.parametrize(
    ("scoring", "label"),
    [
        (None, "R² (higher is better)"),
        ("r2", "R² (higher is better)"),
        ("neg_mean_absolute_error", "mean absolute error (lower is better)"),
        (make_scorer(r2_score), "r2 score (higher is better)"),
        (
            make_scorer(mean_absolute_error, greater_is_better=False),
            "mean absolute error (lower is better)",
        ),
        (my_error, "my error (higher ranks first)"),
    ],
)
def test_label_names_the_direction(scoring, label):
    assert find_metric(make_search(PARAMS, -ERRORS, scoring=scoring), "score").label == label


def test_label_of_a_classifier_is_accuracy():
    search = make_search([{"C": 1}], [0.5], LogisticRegression())
    assert find_metric(search, "score").label == "accuracy (higher is better)"


def test_label_of_one_of_several_metrics_has_its_key():
    scorers = {"mae": make_scorer(mean_absolute_error, greater_is_better=False)}
    search = make_search(PARAMS, -ERRORS, scoring=scorers)
    assert find_metric(search, "mae").label == "mae (lower is better)"
    function = make_search(PARAMS, -ERRORS, scoring=my_error)  # returns several metrics
    assert find_metric(function, "neg_loss").label == "loss (lower is better)"


def test_leaderboard_keeps_the_numbers_of_the_search():
    table = leaderboard(make_search(PARAMS, -ERRORS, scoring="neg_mean_absolute_error"))
    assert table["mean_score"].tolist() == [-2, -3, -4, -5]
    assert table.attrs["lower_is_better"]


def test_pictures_show_errors_as_positive_numbers():
    search = make_search(PARAMS, -ERRORS, scoring="neg_mean_absolute_error")
    boxes = CVScoresDisplay.from_search(search, ax=make_axes())
    assert boxes.boxes_[0].get_path().vertices[0, 0] == 2
    best = BestScoreDisplay.from_search(search, ax=make_axes())
    assert best.line_.get_ydata().tolist() == [3, 2, 2, 2]
    times = ScoreTimeDisplay.from_search(search, ax=make_axes())
    assert times.front_.get_ydata().tolist() == [2]
    points = ParameterScoresDisplay.from_search(search, "alpha", ax=make_axes()).points_["Ridge"]
    assert sorted(points.get_offsets()[:, 1]) == [2, 3, 4, 5]
    together = ParallelCoordinatesDisplay.from_search(search, ax=make_axes())
    assert together.colorbar_.ax.get_ylabel() == "mean absolute error (lower is better)"
    assert together.colorbar_.mappable.get_clim() == (2, 5)
