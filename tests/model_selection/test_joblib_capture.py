"""The seam with scikit-learn and joblib; and canaries for each private name it relies on."""

import inspect

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.ensemble import StackingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.fixes import parse_version

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedHalvingRandomSearchCV,
    DistributedRandomizedSearchCV,
    DistributedSearchCV,
)
from skdistsearch.exceptions import BackendError
from skdistsearch.model_selection._joblib_capture import Capture

X, y = load_diabetes(return_X_y=True)
HAS_CALLBACKS = parse_version(sklearn.__version__) >= parse_version("1.9")


class Seen:
    """A backend that remembers the batches it was given."""

    def __init__(self):
        self.batches = []

    def run(self, batch):
        self.batches.append(batch)
        return map(batch.run_here, range(len(batch)))

    def __deepcopy__(self, memo):
        return self


def test_a_round_is_one_batch():
    seen = Seen()
    DistributedSearchCV(Ridge(), {"alpha": [1, 2, 3]}, cv=4, backend=seen).fit(X, y)
    (batch,) = seen.batches
    assert [(fit.candidate, fit.split) for fit in batch.fits] == [
        (candidate, split) for candidate in range(3) for split in range(4)
    ]


def test_halving_gives_a_batch_for_each_round():
    seen = Seen()
    search = DistributedHalvingGridSearchCV(
        Ridge(), {"alpha": [1, 2, 3, 4]}, cv=2, backend=seen, factor=2, random_state=0
    ).fit(X, y)
    assert len(seen.batches) == search.n_iterations_ > 1


def test_neither_nested_parallels_nor_the_refit_are_captured():
    seen = Seen()
    stack = StackingRegressor([("a", Ridge()), ("b", Ridge(2))], cv=2, n_jobs=2)
    with joblib.parallel_config("threading"):
        DistributedSearchCV(stack, {"a__alpha": [1, 2]}, cv=2, backend=seen).fit(X, y)
    assert len(seen.batches) == 1


def test_joblib_is_as_it_was_after_a_fit_and_after_a_failed_one():
    before = joblib.parallel.get_active_backend()
    DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y[:-1])
    after = joblib.parallel.get_active_backend()
    assert (type(after[0]), after[1]) == (type(before[0]), before[1])


def test_what_all_fits_share_is_held_once_and_the_search_stays_here():
    seen = Seen()
    DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2, backend=seen).fit(X, y)
    (batch,) = seen.batches
    assert {"scorer", "fit_params", "error_score"} <= batch.shared.keys()
    assert set(batch.fits[0].keywords) == {
        "train",
        "test",
        "parameters",
        "split_progress",
        "candidate_progress",
    }


def test_fit_without_an_outcome_is_an_error():
    class Forgetful(Seen):
        def run(self, batch):
            return map(batch.run_here, range(1, len(batch)))

    search = DistributedSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2, backend=Forgetful())
    with pytest.raises(BackendError, match=r"1 fits, first candidate 0 \(alpha=1\), split 0"):
        search.fit(X, y)


def test_backend_is_closed_when_the_search_fails():
    closed = []

    class Watched(Seen):
        def run(self, batch):
            try:
                yield from map(batch.run, range(len(batch)))
            finally:
                closed.append(True)

    class Failing(Ridge):
        def fit(self, X, y):
            raise ZeroDivisionError

    search = DistributedSearchCV(Failing(), {"alpha": [1]}, backend=Watched(), error_score="raise")
    with pytest.raises(ZeroDivisionError):
        search.fit(X, y)
    assert closed == [True]


def test_search_with_pre_dispatch_and_read_once_backend_ends():
    search = DistributedSearchCV(
        Ridge(), {"alpha": list(range(1, 30))}, pre_dispatch=1, n_jobs=2, backend=Seen()
    )
    assert len(search.fit(X, y).cv_results_["params"]) == 29


def test_round_without_a_candidate_is_scikit_learns_error():
    class Empty(DistributedSearchCV):
        def _run_rounds(self, evaluate_candidates, **context):
            evaluate_candidates([])

    with pytest.raises(ValueError, match="No fits were performed"):
        Empty(Ridge(), {"alpha": [1]}).fit(X, y)


def test_runs_is_there_only_if_fits_ran_in_metaflow():
    assert not hasattr(DistributedSearchCV(Ridge(), {"alpha": [1]}).fit(X, y), "runs_")


# Canaries: each says which name of scikit-learn or joblib has gone.

OURS = {"backend", "checkpoint", "cache_mb", "extract", "keep"}


def test_canary_fit_and_score_takes_what_the_capture_reads():
    parameters = list(inspect.signature(_fit_and_score).parameters)
    assert parameters[:3] == ["estimator", "X", "y"]
    read = {"train", "test", "parameters", "fit_params", "split_progress", "candidate_progress"}
    read |= {"return_estimator"}
    assert read <= set(parameters)
    assert ({"caller", "callback_ctx"} <= set(parameters)) == HAS_CALLBACKS


def test_canary_base_search_cv_takes_what_we_hand_on():
    ours = set(inspect.signature(DistributedSearchCV).parameters)
    base = set(inspect.signature(BaseSearchCV).parameters)
    assert ours - base == OURS | {"param_grid", "random_state"}
    assert base <= ours


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (DistributedRandomizedSearchCV, RandomizedSearchCV),
        (DistributedHalvingGridSearchCV, HalvingGridSearchCV),
        (DistributedHalvingRandomSearchCV, HalvingRandomSearchCV),
        (DistributedSearchCV, GridSearchCV),
    ],
)
def test_canary_parameters_are_those_of_scikit_learn_in_their_order(ours, theirs):
    expected = {name: p.default for name, p in inspect.signature(theirs).parameters.items()}
    found = {name: p.default for name, p in inspect.signature(ours).parameters.items()}
    assert list(found)[: len(expected)] == list(expected)
    for name, default in expected.items():
        np.testing.assert_equal(found[name], default)
    assert set(found) - set(expected) <= OURS | {"random_state"}


def test_canary_joblib_calls_the_capture_as_a_backend():
    ran = []

    def run(batch):
        ran.append(len(batch))
        return map(batch.run_here, range(len(batch)))

    def fit(estimator, X, y, **keywords):
        return {"test_scores": keywords["parameters"]["a"]}

    with Capture(run, None, 0).entered():
        parallel = joblib.Parallel()
    calls = [
        joblib.delayed(fit)(
            clone(Ridge()),
            X,
            y,
            parameters={"a": a},
            split_progress=(0, 1),
            candidate_progress=(a, 5),
        )
        for a in range(5)
    ]
    with parallel:
        assert parallel(calls) == [{"test_scores": a} for a in range(5)]
    assert ran == [5]


@pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn < 1.9 has no callbacks")
def test_canary_callback_contexts_hold_what_is_sent_along():
    from sklearn.callback import AutoPropagatedCallback, CallbackContext

    assert hasattr(AutoPropagatedCallback, "max_propagation_depth")
    source = inspect.getsource(CallbackContext)
    for name in ("_callbacks", "_children_map", "call_on_fit_task_begin", "call_on_fit_task_end"):
        assert name in source
