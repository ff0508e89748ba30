"""Candidates made from ``param_grid``, and the errors for an invalid one."""

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.decomposition import PCA
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from skdistsearch import DistributedSearchCV
from skdistsearch.exceptions import ParamGridError, ParamGridTypeError
from skdistsearch.model_selection._param_grid import check_param_grid, make_candidates

PIPE = Pipeline([("reduce", PCA()), ("model", Ridge())])


def error_message_of(param_grid):
    """Return the message that ``fit`` raises before it looks at X."""
    with pytest.raises(ParamGridError) as info:
        DistributedSearchCV(PIPE, param_grid).fit("not used")
    return str(info.value)


def test_lists_give_the_candidates_of_parameter_grid():
    grid = [{"a": [1, 2], "b": np.array([3, 4])}, {"c": ["x"]}]
    assert make_candidates(grid) == list(ParameterGrid(grid))


SEEDS = pytest.mark.parametrize(
    "make_state", [int, np.random.RandomState], ids=["int", "RandomState"]
)


@SEEDS
def test_sampled_dict_gives_the_candidates_of_parameter_sampler(make_state):
    distributions = {"a": loguniform(1e-3, 1), "b": [1, 2, 3], "c": randint(0, 5)}
    expected = list(ParameterSampler(distributions, 7, random_state=make_state(3)))
    candidates = make_candidates({**distributions, "__n_iter": 7}, random_state=make_state(3))
    assert candidates == expected


def test_samples_advance_a_random_state_as_parameter_sampler_does():
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    distributions = {"a": loguniform(1e-3, 1)}
    make_candidates([{**distributions, "__n_iter": 2}, {**distributions, "__n_iter": 5}], ours)
    list(ParameterSampler(distributions, 5, random_state=theirs))
    assert ours.randint(2**31) == theirs.randint(2**31)


def test_grids_and_samples_can_be_mixed():
    param_grid = [{"a": [1, 2]}, {"b": loguniform(1, 9), "__n_iter": 3}, {"c": [5]}]
    names = [set(candidate) for candidate in make_candidates(param_grid, 0)]
    assert names == [{"a"}, {"a"}, {"b"}, {"b"}, {"b"}, {"c"}]


@SEEDS
def test_sample_does_not_depend_on_other_dicts(make_state):
    sampled = {"b": loguniform(1, 9), "__n_iter": 3}
    other = {"z": randint(0, 100), "__n_iter": 4}
    alone = make_candidates(sampled, make_state(0))
    assert make_candidates([other, sampled], make_state(0))[4:] == alone


def test_equal_seeds_give_equal_candidates():
    grid = {"b": loguniform(1, 9), "__n_iter": 3}
    assert make_candidates(grid, 1) == make_candidates(grid, 1) != make_candidates(grid, 2)
    assert make_candidates(grid) != make_candidates(grid)


def test_grid_of_several_models_is_valid():
    grid = [
        {"model": [Ridge()], "model__alpha": loguniform(0.1, 1), "__n_iter": 2},
        {"model": [SVC()], "model__C": [1, 2], "model__gamma": ["scale"]},
    ]
    check_param_grid(grid, PIPE)


def test_distribution_without_n_iter_is_an_error():
    message = error_message_of({"model__alpha": loguniform(0.1, 1)})
    assert "'model__alpha' is a distribution, but its dict has no '__n_iter'" in message


@pytest.mark.parametrize("n_iter", [0, -1, 2.5, "3", None, True])
def test_invalid_n_iter_is_an_error(n_iter):
    message = error_message_of({"model__alpha": loguniform(0.1, 1), "__n_iter": n_iter})
    assert f"'__n_iter' must be an integer of at least 1, got {n_iter!r}" in message


def test_unknown_parameter_is_an_error_that_lists_the_valid_ones():
    message = error_message_of({"model__alhpa": [1]})
    assert "Invalid parameter 'alhpa'" in message
    assert "'alpha'" in message


def test_parameter_that_one_of_several_models_lacks_is_an_error():
    message = error_message_of({"model": [Ridge(), Lasso()], "model__solver": ["svd"]})
    assert "'solver'" in message


def test_empty_lists_are_errors():
    message = error_message_of({"model__alpha": []})
    assert "'model__alpha' need to be a non-empty sequence" in message
    assert "param_grid is an empty list: it has no candidates" in error_message_of([])


def test_value_of_a_wrong_type_is_a_type_error_as_in_scikit_learn():
    with pytest.raises(TypeError, match="'model__alpha' needs to be a list or a numpy array"):
        DistributedSearchCV(PIPE, {"model__alpha": 1.0}).fit("not used")
    with pytest.raises(ParamGridTypeError):
        DistributedSearchCV(PIPE, {"model__alpha": "one"}).fit("not used")
    assert "Parameter grid is not a dict (3)" in error_message_of([3])


def test_one_error_names_every_mistake():
    message = error_message_of(
        [
            {"model__alpha": [], "reduce__n_component": [1]},
            {"model__alpha": [1.0]},
            {"model__alpha": loguniform(1, 2), "model__tol": loguniform(1, 2), "__n_iter": 0},
            {"nonsense": [1]},
        ]
    )
    assert message.count("\n") == 3
    assert "param_grid[0]: Parameter grid for parameter 'model__alpha' need" in message
    assert "param_grid[0]: Invalid parameter 'n_component'" in message
    assert "param_grid[2]: '__n_iter' must be" in message
    assert "param_grid[3]: Invalid parameter 'nonsense'" in message
