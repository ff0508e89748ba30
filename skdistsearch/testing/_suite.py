"""A test suite that every backend must pass."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_regression
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdistsearch import DistributedSearchCV
from skdistsearch._typing import ArrayLike, Estimator, ParamGrid
from skdistsearch.backends import Backend
from skdistsearch.exceptions import FitLostError, NotPicklableError
from skdistsearch.testing._estimators import FaultyRegressor

_ParamGrid: TypeAlias = ParamGrid | Sequence[ParamGrid]


class BackendSuite:
    """Tests that every backend must pass.

    Derive a class whose name begins with ``Test``, set ``backend``, and run pytest. A backend that
    passes gives the same results as scikit-learn's own searches, handles failed fits as they do,
    and loses only those fits that kill their workers.

    Attributes
    ----------
    backend : Backend
        The backend under test.
    n_jobs : int or None, default=2
        ``n_jobs`` of the searches.
    max_tries : int, default=2
        How often the backend may start a fit that kills its worker each time.

    Examples
    --------
    In a file of tests, for pytest to run:

    >>> from skdistsearch import LocalBackend
    >>> from skdistsearch.testing import BackendSuite
    >>> class TestMyBackend(BackendSuite):
    ...     backend = LocalBackend()
    """

    backend: Backend
    n_jobs: int | None = 2
    max_tries: int = 2

    def search(
        self, estimator: Estimator, param_grid: _ParamGrid, **params: Any
    ) -> DistributedSearchCV:
        """Return a search on the backend under test.

        Parameters
        ----------
        estimator : estimator object
            The estimator.
        param_grid : dict or list of dict
            The parameter grid.
        **params
            Other parameters of `~skdistsearch.DistributedSearchCV`. Default: two splits.

        Returns
        -------
        search : DistributedSearchCV
            Not fitted.
        """
        return DistributedSearchCV(
            estimator,
            param_grid,
            **{"cv": 2, "backend": self.backend, "n_jobs": self.n_jobs, **params},
        )

    def test_backend_is_a_value(self) -> None:
        """The backend equals its copies, and can be cloned with a search."""
        assert pickle.loads(pickle.dumps(self.backend)) == self.backend
        assert clone(self.search(Ridge(), {})).backend == self.backend

    def test_scores_equal_those_of_grid_search(self) -> None:
        """Results are equal bit for bit, with several metrics, weights and train scores."""
        X, y = load_diabetes(return_X_y=True)
        grid = {"alpha": np.logspace(-3, 3, 5), "fit_intercept": [True, False]}
        options = {
            "cv": 3,
            "scoring": {"r2": "r2", "mae": "neg_mean_absolute_error"},
            "refit": "r2",
            "return_train_score": True,
        }
        weight = np.linspace(1, 2, len(y))
        expected = GridSearchCV(Ridge(), grid, **options).fit(X, y, sample_weight=weight)
        search = self.search(Ridge(), grid, **options).fit(X, y, sample_weight=weight)
        _assert_same_results(search.cv_results_, expected.cv_results_)
        np.testing.assert_array_equal(search.predict(X), expected.predict(X))

    def test_lambdas_and_local_classes_reach_the_workers(self) -> None:
        """Workers need not be able to import them."""

        class LocalRidge(Ridge):  # type: ignore[misc]
            pass

        X, y = make_regression(30, 3, random_state=0)
        pipe = make_pipeline(FunctionTransformer(lambda X: X * 2), LocalRidge())
        scorer = make_scorer(lambda y, predicted: -abs(y - predicted).max())
        grid = {"localridge__alpha": [0.1, 1.0]}
        expected = GridSearchCV(pipe, grid, cv=2, scoring=scorer).fit(X, y)
        search = self.search(pipe, grid, scoring=scorer).fit(X, y)
        _assert_same_results(search.cv_results_, expected.cv_results_)

    def test_fit_that_raises_becomes_error_score(self, tmp_path: Path) -> None:
        """scikit-learn's warning contains the traceback of the worker."""
        X, y = make_regression(20, 2, random_state=0)
        search = self.search(
            FaultyRegressor(folder=str(tmp_path)), {"behavior": ["fit", "raise"]}, error_score=-7
        )
        with pytest.warns(FitFailedWarning, match=r"(?s)2 fits failed.*was meant to fail"):
            search.fit(X, y)
        assert list(search.cv_results_["split0_test_score"][1:]) == [-7]
        assert np.isfinite(search.cv_results_["mean_test_score"][0])
        assert FaultyRegressor.fits_begun(str(tmp_path), "raise") == 2

    def test_error_score_raise_keeps_the_type_of_the_error(self) -> None:
        """The message contains the traceback of the worker."""
        X, y = make_regression(20, 2, random_state=0)
        search = self.search(FaultyRegressor(), {"behavior": ["raise"]}, error_score="raise")
        with pytest.raises(ZeroDivisionError, match=r"(?s)was meant to fail.*Traceback.*in fit"):
            search.fit(X, y)

    @pytest.mark.parametrize("behavior", ["exit", "kill"])
    def test_dead_worker_loses_only_its_fit(self, behavior: str, tmp_path: Path) -> None:
        """The fit is retried once, then reported as lost; the other results are unaffected."""
        X, y = make_regression(20, 2, random_state=0)
        grid: list[dict[str, Any]] = [
            {"factor": [0.5, 1.0, 1.5, 2.0]},
            {"behavior": [behavior], "folder": [str(tmp_path)]},
        ]
        expected = GridSearchCV(FaultyRegressor(), grid[:1], cv=2).fit(X, y)
        search = self.search(FaultyRegressor(), grid)
        message = (
            rf"(?s)candidate 4 \(.*behavior='{behavior}'.*\), split [01]: its worker died 2 times"
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
            with pytest.warns(FitFailedWarning, match=message):
                search.fit(X, y)
        scores = search.cv_results_["mean_test_score"]
        np.testing.assert_array_equal(scores[:4], expected.cv_results_["mean_test_score"])
        assert np.isnan(scores[4])
        # Two splits, each tried twice. In a pool, the death of one worker can end another one after
        # the start of its fit was recorded, but before the estimator has counted it.
        assert 3 <= FaultyRegressor.fits_begun(str(tmp_path), behavior) <= 2 * self.max_tries

    def test_fit_whose_worker_died_once_succeeds(self, tmp_path: Path) -> None:
        """Another worker runs the fit again."""
        X, y = make_regression(20, 2, random_state=0)
        grid = {"factor": [0.5, 1.0, 1.5], "behavior": ["exit once"], "folder": [str(tmp_path)]}
        expected = GridSearchCV(FaultyRegressor(), {"factor": grid["factor"]}, cv=2).fit(X, y)
        search = self.search(FaultyRegressor(), grid).fit(X, y)
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
        )

    def test_lost_fit_raises_with_error_score_raise(self) -> None:
        """The error names the fit."""
        X, y = make_regression(20, 2, random_state=0)
        search = self.search(FaultyRegressor(), {"behavior": ["exit"]}, error_score="raise")
        with pytest.raises(FitLostError, match=r"candidate 0 \(behavior='exit'\), split [01]"):
            search.fit(X, y)

    def test_unpicklable_parameter_is_reported_before_the_first_fit(self, tmp_path: Path) -> None:
        """The error contains the name of the parameter in the grid."""
        X, y = make_regression(20, 2, random_state=0)
        pipe = make_pipeline(FunctionTransformer(), FaultyRegressor(folder=str(tmp_path)))
        generator = (i for i in "not picklable")
        grid = {"functiontransformer__kw_args": [None, {"stream": generator}]}
        with pytest.raises(
            NotPicklableError, match=r"functiontransformer__kw_args\.stream \(generator\)"
        ):
            self.search(pipe, grid).fit(X, y)
        assert FaultyRegressor.fits_begun(str(tmp_path), "fit") == 0

    def test_verbose_output_is_printed_by_the_caller(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """scikit-learn's progress messages appear on the stdout of the caller."""
        X, y = make_regression(20, 2, random_state=0)
        self.search(FaultyRegressor(), {"factor": [1.0, 2.0]}, verbose=3).fit(X, y)
        printed = capsys.readouterr().out
        assert "Fitting 2 folds for each of 2 candidates, totalling 4 fits" in printed
        assert printed.count("[CV 1/2] END") == printed.count("[CV 2/2] END") == 2


def _assert_same_results(
    results: Mapping[str, ArrayLike], expected: Mapping[str, ArrayLike]
) -> None:
    assert results.keys() == expected.keys()
    for key in expected:
        if not key.endswith("_time"):
            np.testing.assert_array_equal(results[key], expected[key], err_msg=key)
