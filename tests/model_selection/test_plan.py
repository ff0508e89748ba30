"""A search in three steps: plan, run the chunks, assemble."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from helpers.counting_estimator import CountingRegressor, RandomRegressor
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
    checkpoints,
)
from skdistsearch.exceptions import CheckpointError, PlanError
from skdistsearch.execution import Runner
from skdistsearch.testing import FaultyRegressor

X, y = load_diabetes(return_X_y=True)
GRID = {"alpha": [0.1, 1.0, 10.0]}
BY_THREE = MetaflowBackend(fits_per_task=3)


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


# Checkpoints -------------------------------------------------------------------------------------


@pytest.fixture
def counted(tmp_path):
    """Return a search whose fits leave files, and a function that counts the files."""
    folder = tmp_path / "fits"
    folder.mkdir()
    model = CountingRegressor(folder=str(folder))
    grid = {"factor": [0.5, 1.0, 2.0]}
    search = DistributedSearchCV(model, grid, cv=2, refit=False, backend=BY_THREE)
    return search, lambda: len(list(folder.iterdir()))


def test_chunk_that_ran_before_costs_no_fit(counted, tmp_path):
    search, n_fits = counted
    plan = search.plan(X, y)
    first = plan.run(1, checkpoint=tmp_path / "kept")
    again = pickled(plan).run(1, checkpoint=tmp_path / "kept")
    assert n_fits() == 3
    assert [outcome.result for outcome in again] == [outcome.result for outcome in first]


def test_interrupted_chunk_costs_the_missing_fits(counted, tmp_path, monkeypatch):
    search, n_fits = counted
    plan = search.plan(X, y)
    run = Runner.run

    def run_until_the_machine_is_lost(self, fit):
        if fit == 2:
            raise KeyboardInterrupt
        return run(self, fit)

    monkeypatch.setattr(Runner, "run", run_until_the_machine_is_lost)
    with pytest.raises(KeyboardInterrupt):
        plan.run(0, checkpoint=tmp_path / "kept")
    monkeypatch.undo()
    assert n_fits() == 2
    outcomes = [plan.run(chunk, checkpoint=tmp_path / "kept") for chunk in range(len(plan))]
    assert n_fits() == 6
    expected = GridSearchCV(search.estimator, search.param_grid, cv=2, refit=False).fit(X, y)
    scores = search.assemble(plan, outcomes).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, expected.cv_results_["mean_test_score"])


def test_outcomes_keep_the_order_of_the_chunk(tmp_path):
    plan = DistributedSearchCV(Ridge(), GRID, cv=2, backend=BY_THREE).plan(X, y)
    plan = replace(plan, chunks=((5, 0, 3), (1, 2, 4)))
    for _ in range(2):
        assert [each.fit for each in plan.run(0, checkpoint=tmp_path / "kept")] == [5, 0, 3]


def test_equal_candidates_in_different_chunks_are_separate_fits(tmp_path):
    grid = [{"folder": [str(tmp_path)]}] * 2
    backend = MetaflowBackend(fits_per_task=2)
    search = DistributedSearchCV(RandomRegressor(), grid, cv=2, refit=False, backend=backend)
    plan = search.plan(X, y)
    outcomes = [plan.run(chunk, checkpoint=tmp_path / "kept") for chunk in range(2)]
    scores = [str(each.result["test_scores"]) for chunk in outcomes for each in chunk]
    assert len(set(scores)) == 4


def test_fit_and_plan_share_a_checkpoint(counted, tmp_path):
    search, n_fits = counted
    plan = search.plan(X, y)
    plan.run(0, checkpoint=tmp_path / "kept")
    search.set_params(checkpoint=tmp_path / "kept", backend="local").fit(X, y)
    assert n_fits() == 6


def test_checkpoint_of_a_plan_has_one_search(tmp_path):
    plan = DistributedSearchCV(Ridge(), GRID, cv=2, backend=BY_THREE).plan(X, y)
    for chunk in reversed(range(len(plan))):
        plan.run(chunk, checkpoint=tmp_path / "kept")
    checkpoint = checkpoints.inspect(tmp_path / "kept")
    assert checkpoint.n_fits == 6
    assert len(checkpoint.searches) == 1


def test_predictions_are_assembled_from_a_checkpoint(tmp_path):
    options = {"cv": 2, "keep": ("predictions",)}
    plan = DistributedSearchCV(Ridge(), GRID, **options).plan(X, y)
    for _ in range(2):
        outcomes = [plan.run(chunk, checkpoint=tmp_path / "kept") for chunk in range(len(plan))]
    search = DistributedSearchCV(Ridge(), GRID, **options)
    kept = search.assemble(pickled(plan), pickled(outcomes)).oof_predictions_
    expected = DistributedSearchCV(Ridge(), GRID, **options).fit(X, y).oof_predictions_
    np.testing.assert_array_equal(kept["predict"], expected["predict"])


def test_invalid_checkpoint_is_an_error(search_and_plan):
    _, plan = search_and_plan
    with pytest.raises(CheckpointError, match="checkpoint='a b' is not valid"):
        plan.run(0, checkpoint="a b")
