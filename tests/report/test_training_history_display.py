"""The picture of a model's iterations: what is on it."""

import numpy as np
import pytest
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
from matplotlib.figure import Figure

from skdistsearch.report import TrainingHistoryDisplay
from skdistsearch.report._style import looks

DATA = load_diabetes(return_X_y=True)


def model(seed=0, **params):
    trees = HistGradientBoostingRegressor(max_iter=200, max_depth=2, random_state=0, **params)
    return EarlyStopping(trees, random_state=seed)


@pytest.fixture(scope="module")
def fitted():
    return model().fit(*DATA)


def axes():
    return Figure(figsize=(7.5, 4.5), layout="constrained").subplots()


def test_curve_is_drawn_and_its_best_iteration_marked(fitted):
    display = TrainingHistoryDisplay.from_estimator(fitted, ax=axes())
    (line,), (mark,) = display.lines_.values(), display.marks_.values()
    best, curve = fitted.best_iteration_, fitted.validation_history_
    assert line.get_xdata().tolist() == list(range(1, len(curve) + 1))
    np.testing.assert_array_equal(line.get_ydata(), curve)
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (best, curve.min())
    assert display.ax_.get_xlabel() == "iteration"
    assert display.ax_.get_ylabel() == "squared error on the validation part (lower is better)"
    assert display.note_.get_text() == f"best at {best}"
    assert display.legend_ is None


def test_score_that_grows_is_said_to():
    pytest.importorskip("sklearn", minversion="1.7", reason="stops on a score from 1.7 on")
    display = TrainingHistoryDisplay.from_estimator(model(scoring="r2").fit(*DATA), ax=axes())
    assert display.ax_.get_ylabel() == "r2 on the validation part (higher is better)"


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: make_pipeline(StandardScaler(), inner),
        lambda inner: TransformedTargetRegressor(make_pipeline(inner)),
        lambda inner: GridSearchCV(inner, {"patience": [10]}, cv=2),
    ],
    ids=["pipeline", "target", "search"],
)
def test_model_within_others_is_found(around, fitted):
    display = TrainingHistoryDisplay.from_estimator(around(model()).fit(*DATA), ax=axes())
    assert display.metric == "squared_error"
    assert len(display.curves[""]) >= 10


def test_several_models_have_a_colour_and_a_name_each():
    models = {f"split {seed}": model(seed).fit(*DATA) for seed in range(3)}
    display = TrainingHistoryDisplay.from_estimators(models, ax=axes())
    assert [text.get_text() for text in display.legend_.get_texts()] == list(models)
    look = looks(models)
    for name, line in display.lines_.items():
        assert to_hex(line.get_color()).upper() == look[name]["color"]
    best = [each.best_iteration_ for each in models.values()]
    expected = f"3 models, each marked where it was best: {min(best)} to {max(best)}"
    assert display.note_.get_text() == expected


def test_many_models_are_thin_and_without_a_legend(fitted):
    display = TrainingHistoryDisplay.from_estimators({f"{n}": fitted for n in range(50)}, ax=axes())
    assert len(display.lines_) == len(display.marks_) == 50
    assert len({line.get_color() for line in display.lines_.values()}) == 1
    assert display.legend_ is None
    assert all(line.get_linewidth() < 1 for line in display.lines_.values())


def test_values_that_span_decades_are_on_a_logarithmic_axis(fitted):
    curves, best = {"": np.geomspace(1e6, 1, 20)}, {"": 20}
    display = TrainingHistoryDisplay(curves=curves, best_iterations=best, metric="loss").plot(
        axes()
    )
    assert display.ax_.get_yscale() == "log"
    assert TrainingHistoryDisplay.from_estimator(fitted, ax=axes()).ax_.get_yscale() == "linear"


def test_what_has_no_progress_is_an_error(fitted):
    with pytest.raises(
        ReportError, match="Ridge: no fitted EarlyStopping with a validation_history"
    ):
        TrainingHistoryDisplay.from_estimator(Ridge().fit(*DATA), ax=axes())
    silent = EarlyStopping(ProbeRegressor(), family=FAMILY).fit(*DATA)
    with pytest.raises(ReportError, match="EarlyStopping: no fitted EarlyStopping with"):
        TrainingHistoryDisplay.from_estimators({"a": fitted, "b": silent}, ax=axes())
    other = model(loss="absolute_error").fit(*DATA)
    with pytest.raises(ReportError, match="these are absolute_error, squared_error"):
        TrainingHistoryDisplay.from_estimators({"a": fitted, "b": other}, ax=axes())
    with pytest.raises(ReportError, match="No estimator"):
        TrainingHistoryDisplay.from_estimators({}, ax=axes())
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(model(), ax=axes())
