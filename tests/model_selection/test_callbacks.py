"""scikit-learn's callbacks are fired as fits finish, wherever the fits run."""

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.utils.fixes import parse_version

from skdistsearch import DistributedSearchCV
from skdistsearch.testing import FaultyRegressor

pytestmark = [
    pytest.mark.skipif(
        parse_version(sklearn.__version__) < parse_version("1.9"),
        reason="scikit-learn < 1.9 has no callbacks",
    ),
    pytest.mark.parametrize(
        "options",
        [{}, {"n_jobs": 2}, pytest.param({"backend": "metaflow"}, marks=pytest.mark.slow)],
        ids=["in-process", "processes", "metaflow"],
    ),
]


@pytest.mark.filterwarnings("ignore:The estimator Ridge does not support callbacks")
def test_progress_bar_reaches_the_end(options, capsys):
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar draws with rich")
    from sklearn.callback import ProgressBar

    search = DistributedSearchCV(Ridge(), {"alpha": np.logspace(-3, 3, 12)}, cv=2, **options)
    search.set_callbacks(ProgressBar()).fit(*load_diabetes(return_X_y=True))
    lines = capsys.readouterr().out.splitlines()
    assert "100%" in [line for line in lines if "search #0" in line][-1]
    assert "100%" in [line for line in lines if "- fit" in line][-1]


def test_callbacks_are_fired_as_fits_finish(options, tmp_path):
    X, y = make_regression(20, 2, random_state=0)
    callback = RecordingCallback(str(tmp_path))
    grid = {"factor": np.arange(4.0), "folder": [callback.folder], "duration_s": [0.3]}
    search = DistributedSearchCV(FaultyRegressor(), grid, cv=2, refit=False, **options)
    search.set_callbacks(callback).fit(X, y)
    assert callback.n_begun == len(callback.fits_begun_at_ends) == 8
    assert callback.fits_begun_at_ends[0] < 8
    assert callback.n_rows == {10}
    assert callback.search_ids == {id(search)}


def test_callbacks_that_reach_into_models_follow_each_of_several_equal_candidates(options):
    if "backend" in options:
        pytest.skip("such callbacks do not reach another machine")
    from sklearn.callback.tests._utils import MaxIterEstimator, RecordingAutoPropagatedCallback

    X, y = make_regression(20, 2, random_state=0)
    n_calls = []
    for search_class in (GridSearchCV, DistributedSearchCV):
        callback = RecordingAutoPropagatedCallback()
        grid = {"max_iter": [3, 3, 2]}
        search = search_class(MaxIterEstimator(), grid, cv=2, scoring="r2", refit=False, **options)
        search.set_callbacks(callback).fit(X, y)
        n_calls.append(callback.count_hooks("on_fit_task_begin"))
    assert n_calls[0] == n_calls[1]


class RecordingCallback:
    """Records the calls that scikit-learn makes for the fits of a search."""

    def __init__(self, folder):
        self.folder = folder
        self.n_begun = 0
        self.fits_begun_at_ends = []  # at each end of a fit, the number of fits begun
        self.n_rows, self.search_ids = set(), set()

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None):
        if context.task_name == "candidate-split-evaluation":
            self.n_begun += 1
            self.n_rows.add(len(X))
            self.search_ids.add(id(estimator))

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "candidate-split-evaluation":
            self.fits_begun_at_ends.append(FaultyRegressor.fits_begun(self.folder, "fit"))
