"""The capture of scikit-learn's calls, and canaries for the private names that it relies on."""

import inspect

import joblib
import numpy as np
import pytest
import sklearn
from helpers.recording_backend import RecordingBackend
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import StackingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
)
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _fit_and_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedHalvingRandomSearchCV,
    DistributedRandomizedSearchCV,
    DistributedSearchCV,
)
from skdistsearch.exceptions import BackendError
from skdistsearch.model_selection._joblib_capture import JoblibCapture

X, y = load_diabetes(return_X_y=True)
HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")


@pytest.fixture
def backend():
    return RecordingBackend()


@pytest.fixture
def halving_search(backend):
    return DistributedHalvingGridSearchCV(
        Ridge(), {"alpha": [1, 2, 3, 4]}, cv=2, backend=backend, factor=2, random_state=0
    )


def test_round_is_one_batch(backend):
    DistributedSearchCV(Ridge(), {"alpha": [1, 2, 3]}, cv=4, backend=backend).fit(X, y)
    (batch,) = backend.batches
    assert [(fit.candidate, fit.split) for fit in batch.fits] == [
        (candidate, split) for candidate in range(3) for split in range(4)
    ]


def test_halving_makes_a_batch_for_each_round(backend, halving_search):
    halving_search.fit(X, y)
    assert len(backend.batches) == halving_search.n_iterations_ > 1


def test_fit_times_are_collected_over_all_rounds(halving_search):
    halving_search.fit(X, y)
    n_candidates = len(halving_search.cv_results_["params"])
    assert [row[:2] for row in halving_search._fit_times] == [
        (candidate, split) for candidate in range(n_candidates) for split in range(2)
    ]
    assert all(0 < start <= end for _, _, start, end, _ in halving_search._fit_times)


def test_nested_parallels_and_the_refit_are_not_captured(backend):
    stack = StackingRegressor([("a", Ridge()), ("b", Ridge(2))], cv=2, n_jobs=2)
    with joblib.parallel_config("threading"):
        DistributedSearchCV(stack, {"a__alpha": [1, 2]}, cv=2, backend=backend).fit(X, y)
    assert len(backend.batches) == 1


class CloneableTimes(Ridge):
    """Ridge that can be cloned a few times."""

    n_clones = 0

    def __sklearn_clone__(self):
        type(self).n_clones += 1
        if self.n_clones > 4:
            raise RuntimeError("clone failed")
        return type(self)(**self.get_params())


@pytest.mark.parametrize("search_class", [GridSearchCV, DistributedSearchCV])
def test_error_of_a_clone_is_raised(search_class, monkeypatch):
    """scikit-learn clones the estimator while joblib takes its calls."""
    monkeypatch.setattr(CloneableTimes, "n_clones", 0)
    with pytest.raises(RuntimeError, match="clone failed"):
        search_class(CloneableTimes(), {"alpha": [1.0, 2.0, 3.0]}, cv=2).fit(X, y)


def test_joblib_backend_is_restored_after_a_fit_and_after_a_failed_one():
    before = joblib.parallel.get_active_backend()
    DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y[:-1])
    after = joblib.parallel.get_active_backend()
    assert (type(after[0]), after[1]) == (type(before[0]), before[1])


def test_active_run_is_removed_after_a_fit_and_after_a_failed_one():
    search = DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y)
    assert not hasattr(search, "_active_run")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search.fit(X, y[:-1])
    assert not hasattr(search, "_active_run")


def test_batch_holds_common_keywords_once_and_not_the_search(backend):
    DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2, backend=backend).fit(X, y)
    (batch,) = backend.batches
    assert {"scorer", "fit_params", "error_score"} <= batch.common_keywords.keys()
    assert set(batch.fits[0].keywords) == {
        "train",
        "test",
        "parameters",
        "split_progress",
        "candidate_progress",
    }


def test_fit_without_an_outcome_is_an_error():
    class SkipsFirstFit(RecordingBackend):
        def run(self, batch):
            return map(batch.run_in_process, range(1, len(batch)))

    search = DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2, backend=SkipsFirstFit())
    with pytest.raises(BackendError, match=r"1 fits, first candidate 0 \(alpha=1\), split 0"):
        search.fit(X, y)


def test_backend_is_closed_when_the_search_fails():
    closed = []

    class ClosableBackend(RecordingBackend):
        def run(self, batch):
            try:
                yield from map(batch.run, range(len(batch)))
            finally:
                closed.append(True)

    class FailingRidge(Ridge):
        def fit(self, X, y):
            raise ZeroDivisionError

    search = DistributedSearchCV(
        FailingRidge(), {"alpha": [1]}, backend=ClosableBackend(), error_score="raise"
    )
    with pytest.raises(ZeroDivisionError):
        search.fit(X, y)
    assert closed == [True]


class FailsForNRows(RegressorMixin, BaseEstimator):
    """Raises an exception that names its parameter if it is fitted on that number of rows."""

    def __init__(self, n_rows=0, error=ValueError):
        self.n_rows = n_rows
        self.error = error

    def fit(self, X, y):
        if len(X) == self.n_rows:
            raise self.error(f"not on {self.n_rows} rows")
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.parametrize("n_rows", [[3, 2], [2, 3], [9, 3, 2], [9, 9, 2]])
def test_first_of_several_failing_fits_raises_as_in_scikit_learn(n_rows):
    """The splits train on 2 and 3 rows. With a shared scaler, all fits of a split run first."""
    pipe = Pipeline([("scaler", StandardScaler()), ("model", FailsForNRows())])
    messages = []
    for search_class in (GridSearchCV, DistributedSearchCV):
        search = search_class(pipe, {"model__n_rows": n_rows}, cv=KFold(2), error_score="raise")
        with pytest.raises(ValueError, match="not on") as caught:
            search.fit(X[:5], y[:5])
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("search_class", [GridSearchCV, DistributedSearchCV])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_stop_iteration_of_a_fit_raises_as_in_scikit_learn(search_class, n_threads):
    model = FailsForNRows(2, StopIteration)
    search = search_class(model, {"n_rows": [9, 3, 2]}, cv=KFold(2), error_score="raise")
    with (
        joblib.parallel_config("threading", n_jobs=n_threads),
        pytest.raises(RuntimeError, match="generator raised StopIteration"),
    ):
        search.fit(X[:5], y[:5])


def test_search_with_pre_dispatch_submits_all_fits(backend):
    search = DistributedSearchCV(
        Ridge(), {"alpha": list(range(1, 30))}, pre_dispatch=1, n_jobs=2, backend=backend
    )
    assert len(search.fit(X, y).cv_results_["params"]) == 29
    assert [len(batch) for batch in backend.batches] == [29 * 5]


def test_round_without_candidates_raises_the_error_of_scikit_learn():
    class WithoutCandidates(DistributedSearchCV):
        def _run_rounds(self, evaluate_candidates, **context):
            evaluate_candidates([])

    with pytest.raises(ValueError, match="No fits were performed"):
        WithoutCandidates(Ridge(), {"alpha": [1]}).fit(X, y)


def test_search_without_metaflow_has_no_runs():
    assert not hasattr(DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y), "runs_")


# Canaries: each fails if scikit-learn or joblib changes a name that this package relies on.

OUR_PARAMETERS = {"backend", "checkpoint", "cache_mb", "extract", "keep", "race", "time_budget_s"}


def test_canary_fit_and_score_has_the_parameters_that_the_capture_reads():
    parameters = list(inspect.signature(_fit_and_score).parameters)
    assert parameters[:3] == ["estimator", "X", "y"]
    names = {"train", "test", "parameters", "fit_params", "split_progress", "candidate_progress"}
    names |= {"return_estimator"}
    assert names <= set(parameters)
    assert ({"caller", "callback_ctx"} <= set(parameters)) == HAS_CALLBACKS


def test_canary_search_has_all_parameters_of_base_search_cv():
    ours = set(inspect.signature(DistributedSearchCV).parameters)
    base = set(inspect.signature(BaseSearchCV).parameters)
    assert ours - base == OUR_PARAMETERS | {"param_grid", "random_state"}
    assert base <= ours


@pytest.mark.parametrize(
    ("our_class", "sklearn_class"),
    [
        (DistributedRandomizedSearchCV, RandomizedSearchCV),
        (DistributedHalvingGridSearchCV, HalvingGridSearchCV),
        (DistributedHalvingRandomSearchCV, HalvingRandomSearchCV),
        (DistributedSearchCV, GridSearchCV),
    ],
)
def test_canary_parameters_begin_with_those_of_scikit_learn(our_class, sklearn_class):
    expected = {name: p.default for name, p in inspect.signature(sklearn_class).parameters.items()}
    ours = {name: p.default for name, p in inspect.signature(our_class).parameters.items()}
    assert list(ours)[: len(expected)] == list(expected)
    for name, default in expected.items():
        np.testing.assert_equal(ours[name], default)
    assert set(ours) - set(expected) <= OUR_PARAMETERS | {"random_state"}


def test_canary_joblib_uses_the_capture_as_a_backend():
    batch_sizes = []

    def run(batch):
        batch_sizes.append(len(batch))
        return map(batch.run_in_process, range(len(batch)))

    def fit(estimator, X, y, **keywords):
        return {"test_scores": keywords["parameters"]["a"]}

    with JoblibCapture(run, None, 0).active():
        parallel = joblib.Parallel()
    calls = [
        joblib.delayed(fit)(
            clone(Ridge()),
            X,
            y,
            parameters={"a": a},
            split_progress=(0, 1),
            candidate_progress=(a, 5),
            train=[0],
            test=[1],
        )
        for a in range(5)
    ]
    with parallel:
        assert parallel(calls) == [{"test_scores": a} for a in range(5)]
    assert batch_sizes == [5]


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn < 1.9 has no callbacks")
def test_canary_callback_contexts_have_the_names_that_are_read():
    from sklearn.callback import AutoPropagatedCallback, CallbackContext

    assert hasattr(AutoPropagatedCallback, "max_propagation_depth")
    source = inspect.getsource(CallbackContext)
    for name in ("_callbacks", "_children_map", "call_on_fit_task_begin", "call_on_fit_task_end"):
        assert name in source
