"""A search in three steps: plan, run the chunks, assemble."""

import pickle

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_diabetes, make_regression
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit

from skdistsearch import (
    DistributedHalvingGridSearchCV,
    DistributedRandomizedSearchCV,
    DistributedSearchCV,
    MetaflowBackend,
)
from skdistsearch.exceptions import PlanError
from skdistsearch.testing import FaultyRegressor

X, y = load_diabetes(return_X_y=True)
GRID = {"alpha": [0.1, 1.0, 10.0]}


def pickled(value):
    return pickle.loads(pickle.dumps(value))


def run_all_chunks(plan):
    """Run each chunk with its own copy of the plan, as tasks on different machines do."""
    return [pickled(pickled(plan).run(chunk)) for chunk in range(len(plan))]


def assert_same_results(search, expected):
    assert search.cv_results_.keys() == expected.cv_results_.keys()
    for key, value in expected.cv_results_.items():
        if not key.endswith("_time"):
            np.testing.assert_array_equal(search.cv_results_[key], value)
    np.testing.assert_array_equal(search.predict(X), expected.predict(X))


def test_assembled_search_equals_a_fitted_one():
    weight = np.linspace(1, 2, len(y))
    options = {"cv": KFold(4, shuffle=True, random_state=0), "return_train_score": True}
    expected = GridSearchCV(Ridge(), GRID, **options).fit(X, y, sample_weight=weight)
    search = DistributedSearchCV(Ridge(), GRID, **options)
    plan = pickled(search.plan(X, y, sample_weight=weight))
    assert not hasattr(search, "cv_results_")
    outcomes = run_all_chunks(plan)
    assembled = pickled(search).assemble(plan, outcomes[::-1])
    assert_same_results(assembled, expected)
    our_parameters = search.get_params(deep=False).keys() - expected.get_params(deep=False)
    our_attributes = {"_fit_times", "_own_attributes", "_test_to_train"}
    names = vars(assembled).keys() - our_parameters - our_attributes
    assert names == vars(expected).keys() - {"_checked_cv_orig"}


def test_plan_fixes_random_candidates_and_splits():
    search = DistributedRandomizedSearchCV(
        Ridge(), {"alpha": loguniform(1e-3, 1)}, n_iter=4, cv=ShuffleSplit(2)
    )
    plan = search.plan(X, y)
    search.assemble(plan, run_all_chunks(plan))
    assert search.cv_results_["params"] == plan.candidates
    expected_scores = [
        Ridge(**plan.candidates[0]).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in plan.splits
    ]
    scores = [search.cv_results_[f"split{split}_test_score"][0] for split in range(2)]
    assert scores == expected_scores


def test_generator_of_splits_is_read_once():
    splits = list(KFold(3).split(X))
    expected = GridSearchCV(Ridge(), GRID, cv=splits).fit(X, y)
    search = DistributedSearchCV(Ridge(), GRID, cv=(split for split in splits))
    plan = search.plan(X, y)
    assert_same_results(search.assemble(plan, run_all_chunks(plan)), expected)


def test_parameters_do_not_change():
    cv = KFold(3)
    search = DistributedSearchCV(Ridge(), GRID, cv=cv)
    before = search.get_params()
    plan = search.plan(X, y)
    search.assemble(plan, run_all_chunks(plan))
    assert search.get_params() == before
    assert search.cv is cv


def test_plan_with_a_lambda_can_be_pickled():
    scorer = make_scorer(lambda y, predicted: -abs(y - predicted).max())
    expected = GridSearchCV(Ridge(), GRID, scoring=scorer).fit(X, y)
    search = DistributedSearchCV(Ridge(), GRID, scoring=scorer)
    plan = search.plan(X, y)
    assert_same_results(search.assemble(plan, run_all_chunks(plan)), expected)


def test_one_candidate_and_one_split():
    search = DistributedSearchCV(Ridge(), {"alpha": [1.0]}, cv=ShuffleSplit(1, random_state=0))
    plan = search.plan(X, y)
    assert_same_results(
        search.assemble(plan, run_all_chunks(plan)),
        GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=ShuffleSplit(1, random_state=0)).fit(X, y),
    )


@pytest.mark.parametrize(
    ("backend", "n_candidates", "n_chunks"),
    [("local", 4, 20), ("local", 60, 100), (MetaflowBackend(fits_per_task=8), 4, 3)],
)
def test_number_of_chunks(backend, n_candidates, n_chunks):
    grid = {"alpha": np.linspace(1, 2, n_candidates)}
    plan = DistributedSearchCV(Ridge(), grid, cv=5, backend=backend).plan(X, y)
    assert len(plan) == n_chunks
    assert sorted(fit for chunk in plan.chunks for fit in chunk) == list(range(5 * n_candidates))


@pytest.fixture
def search_and_plan():
    """Return a search and its plan; the search must not become a fitted one."""
    search = DistributedSearchCV(Ridge(), GRID, cv=2)
    yield search, search.plan(X, y)
    assert not hasattr(search, "cv_results_")


def test_missing_outcomes_are_named(search_and_plan):
    search, plan = search_and_plan
    outcomes = run_all_chunks(plan)
    with pytest.raises(
        PlanError, match=r"1 outcomes are missing: candidate 1 \(alpha=1.0\), split 0"
    ):
        search.assemble(plan, outcomes[:2] + outcomes[3:])


def test_duplicated_outcomes_are_named(search_and_plan):
    search, plan = search_and_plan
    outcomes = run_all_chunks(plan)
    with pytest.raises(PlanError, match=r"1 fits have several: .*alpha=0.1.*split 1 \(chunk 1\)"):
        search.assemble(plan, [*outcomes, outcomes[1]])


def test_outcomes_of_another_plan_are_an_error(search_and_plan):
    search, plan = search_and_plan
    outcomes = run_all_chunks(plan)
    with pytest.raises(PlanError, match="1 of 7 outcomes belong to another plan"):
        search.assemble(plan, [*outcomes, search.plan(X, y).run(0)])


def test_anything_but_outcomes_is_an_error(search_and_plan):
    search, plan = search_and_plan
    outcomes = run_all_chunks(plan)
    with pytest.raises(PlanError, match="None is neither an outcome nor a list of outcomes"):
        search.assemble(plan, [*outcomes, None])


def test_chunk_out_of_range_is_an_error(search_and_plan):
    _, plan = search_and_plan
    with pytest.raises(PlanError, match="The plan has chunks 0 to 5, got chunk 6"):
        plan.run(6)


def test_exception_of_a_fit_is_raised_by_assemble():
    X, y = make_regression(20, 2, random_state=0)
    search = DistributedSearchCV(
        FaultyRegressor(), {"behavior": ["raise"]}, cv=2, error_score="raise"
    )
    plan = search.plan(X, y)
    with pytest.raises(ZeroDivisionError, match="was meant to fail"):
        search.assemble(plan, run_all_chunks(plan))


def test_search_of_several_rounds_cannot_be_planned():
    with pytest.raises(PlanError, match="several rounds"):
        DistributedHalvingGridSearchCV(Ridge(), GRID).plan(X, y)
