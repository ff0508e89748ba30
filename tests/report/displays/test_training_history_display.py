"""Metric on the validation data by iteration."""

import numpy as np
import pytest
from helpers.pictures import make_axes, texts_of
from helpers.probe_family import FAMILY, ProbeRegressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import EarlyStopping
from skdistsearch.exceptions import ReportError

pytest.importorskip("matplotlib", reason="draws the pictures")

from matplotlib.colors import to_hex

from skdistsearch.report import TrainingHistoryDisplay
from skdistsearch.report.displays._style import contender_styles

DATA = load_diabetes(return_X_y=True)


def make_model(seed=0, **params):
    trees = HistGradientBoostingRegressor(max_iter=200, max_depth=2, random_state=0, **params)
    return EarlyStopping(trees, random_state=seed)


@pytest.fixture(scope="module")
def fitted():
    return make_model().fit(*DATA)


def test_best_iteration_of_the_curve_is_marked(fitted):
    display = TrainingHistoryDisplay.from_estimator(fitted, ax=make_axes())
    (line,), (mark,) = display.lines_.values(), display.marks_.values()
    best, curve = fitted.best_iteration_, fitted.validation_history_
    assert line.get_xdata().tolist() == list(range(1, len(curve) + 1))
    np.testing.assert_array_equal(line.get_ydata(), curve)
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (best, curve.min())
    assert display.ax_.get_xlabel() == "iteration"
    assert display.ax_.get_ylabel() == "squared error on the validation data (lower is better)"
    assert display.note_.get_text() == f"best iteration: {best}"
    assert display.legend_ is None


def test_direction_of_a_score_is_higher():
    pytest.importorskip("sklearn", minversion="1.7", reason="does not stop on a score")
    display = TrainingHistoryDisplay.from_estimator(
        make_model(scoring="r2").fit(*DATA), ax=make_axes()
    )
    assert display.ax_.get_ylabel() == "r2 on the validation data (higher is better)"


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: make_pipeline(StandardScaler(), inner),
        lambda inner: TransformedTargetRegressor(make_pipeline(inner)),
        lambda inner: GridSearchCV(inner, {"patience": [10]}, cv=2),
    ],
    ids=["pipeline", "target", "search"],
)
def test_early_stopping_within_other_estimators_is_found(around, fitted):
    display = TrainingHistoryDisplay.from_estimator(around(make_model()).fit(*DATA), ax=make_axes())
    assert display.metric == "squared_error"
    assert len(display.curves[""]) >= 10


def test_several_models_have_their_own_colours_and_names():
    models = {f"split {seed}": make_model(seed).fit(*DATA) for seed in range(3)}
    display = TrainingHistoryDisplay.from_estimators(models, ax=make_axes())
    assert texts_of(display.legend_.get_texts()) == list(models)
    styles = contender_styles(models)
    for name, line in display.lines_.items():
        assert to_hex(line.get_color()).upper() == styles[name]["color"]
    best = [each.best_iteration_ for each in models.values()]
    expected = f"3 models, best iterations marked: {min(best)} to {max(best)}"
    assert display.note_.get_text() == expected


def test_many_models_have_thin_lines_and_no_legend(fitted):
    display = TrainingHistoryDisplay.from_estimators(
        {f"{n}": fitted for n in range(50)}, ax=make_axes()
    )
    assert len(display.lines_) == len(display.marks_) == 50
    assert len({line.get_color() for line in display.lines_.values()}) == 1
    assert display.legend_ is None
    assert all(line.get_linewidth() < 1 for line in display.lines_.values())


def test_metric_that_spans_decades_has_a_logarithmic_axis(fitted):
    curves, best = {"": np.geomspace(1e6, 1, 20)}, {"": 20}
    display = TrainingHistoryDisplay(curves=curves, best_iterations=best, metric="loss").plot(
        make_axes()
    )
    assert display.ax_.get_yscale() == "log"
    assert (
        TrainingHistoryDisplay.from_estimator(fitted, ax=make_axes()).ax_.get_yscale() == "linear"
    )


def test_estimators_without_a_history_raise(fitted):
    with pytest.raises(
        ReportError, match="Ridge: no fitted EarlyStopping with a validation_history"
    ):
        TrainingHistoryDisplay.from_estimator(Ridge().fit(*DATA), ax=make_axes())
    silent = EarlyStopping(ProbeRegressor(), family=FAMILY).fit(*DATA)
    with pytest.raises(ReportError, match="EarlyStopping: no fitted EarlyStopping with"):
        TrainingHistoryDisplay.from_estimators({"a": fitted, "b": silent}, ax=make_axes())
    other = make_model(loss="absolute_error").fit(*DATA)
    with pytest.raises(ReportError, match=r"the same metric\. Got absolute_error, squared_error"):
        TrainingHistoryDisplay.from_estimators({"a": fitted, "b": other}, ax=make_axes())
    with pytest.raises(ReportError, match="estimators is empty"):
        TrainingHistoryDisplay.from_estimators({}, ax=make_axes())
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(make_model(), ax=make_axes())
