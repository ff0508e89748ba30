"""scikit-learn prepares a template, and makes its results of outcomes that it is given."""

import io
from contextlib import redirect_stdout

import numpy as np
import pytest
import sklearn
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils.fixes import parse_version

from skdistsearch.adaptive import Request, Row, Strategy
from skdistsearch.adaptive._search import AdaptiveSearchMixin

DATA = make_regression(30, 3, noise=1, random_state=0)
ALPHAS = [0.1, 1.0, 10.0]


class Everything(Strategy):
    """All candidates on all splits, or all but the last split of the last candidate."""

    def __init__(self, n_splits, skips_last):
        fits = [(n, split) for n in range(len(ALPHAS)) for split in range(n_splits)]
        self.fits = fits[:-1] if skips_last else fits

    def ask(self):
        if not self.fits:
            return None
        number, split = self.fits.pop()
        return Request(number, {"alpha": ALPHAS[number]}, split)

    def tell(self, request, score):
        assert np.isfinite(score)

    def rows(self):
        return [Row(n, {"alpha": alpha}, 0, {"number": n}) for n, alpha in enumerate(ALPHAS)]


class EverythingSearch(AdaptiveSearchMixin, BaseSearchCV):
    """Searches a grid by a strategy."""

    def __init__(self, estimator, *, skips_last=False, cv=3, n_jobs=None, verbose=0, **options):
        super().__init__(estimator, cv=cv, n_jobs=n_jobs, verbose=verbose, **options)
        self.skips_last = skips_last
        self.backend, self.checkpoint, self.extract, self.keep = "local", None, None, ()

    def _validate_params(self):
        pass

    def _make_strategy(self, template):
        return Everything(len(template), self.skips_last)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_train_score": True},
        {"scoring": ["r2", "neg_mean_squared_error"], "refit": "r2"},
    ],
    ids=str,
)
def test_results_equal_those_of_grid_search(options):
    search = EverythingSearch(Ridge(), **options).fit(*DATA)
    expected = GridSearchCV(Ridge(), {"alpha": ALPHAS}, cv=3, **options).fit(*DATA)
    assert search.best_index_ == expected.best_index_
    for name, values in expected.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(search.cv_results_[name], values, err_msg=name)
    assert list(search.cv_results_["n_splits_done"]) == [3, 3, 3]
    assert list(search.cv_results_["number"]) == [0, 1, 2]


def test_fit_that_did_not_run_has_no_score_and_warns_of_nothing():
    search = EverythingSearch(Ridge(), skips_last=True, return_train_score=True).fit(*DATA)
    results = search.cv_results_
    assert list(results["n_splits_done"]) == [3, 3, 2]
    assert np.isnan(results["split2_test_score"][2])
    assert np.isnan(results["mean_test_score"][2])
    assert results["rank_test_score"][2] == 3


def test_scikit_learn_prints_nothing_of_the_template():
    search = EverythingSearch(Ridge(), verbose=1)
    with redirect_stdout(io.StringIO()) as output:
        search.fit(*DATA)
    assert "1 candidates" not in output.getvalue()
    assert search.verbose == 1


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="scikit-learn < 1.9 has no callbacks",
)
def test_callbacks_are_called_for_each_fit_that_ran():
    callback = CountingCallback()
    search = EverythingSearch(Ridge(), skips_last=True)
    search.set_callbacks(callback).fit(*DATA)
    assert callback.n_ended == 8


class CountingCallback:
    def __init__(self):
        self.n_ended = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n_ended += context.task_name == "candidate-split-evaluation"
