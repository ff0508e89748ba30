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
from skdistsearch.model_selection._param_grid import candidates

PIPE = Pipeline([("reduce", PCA()), ("model", Ridge())])


def check(param_grid, estimator=PIPE):
    """The error of a fit; X is never looked at."""
    with pytest.raises(ParamGridError) as info:
        DistributedSearchCV(estimator, param_grid).fit("never looked at")
    return str(info.value)


def test_dicts_of_lists_are_the_grid_of_scikit_learn():
    grid = [{"a": [1, 2], "b": np.array([3, 4])}, {"c": ["x"]}]
    assert candidates(grid) == list(ParameterGrid(grid))


def test_sampled_dict_is_the_sample_of_scikit_learn():
    distributions = {"a": loguniform(1e-3, 1), "b": [1, 2, 3], "c": randint(0, 5)}
    expected = list(ParameterSampler(distributions, 7, random_state=3))
    assert candidates({**distributions, "__n_iter": 7}, random_state=3) == expected


def test_grid_and_sample_mix_in_one_search():
    found = candidates([{"a": [1, 2]}, {"b": loguniform(1, 9), "__n_iter": 3}, {"c": [5]}], 0)
    assert [set(candidate) for candidate in found] == [{"a"}, {"a"}, {"b"}, {"b"}, {"b"}, {"c"}]


@pytest.mark.parametrize("seed", [0, np.random.RandomState(0)])
def test_sample_does_not_depend_on_other_dicts(seed):
    mine = {"b": loguniform(1, 9), "__n_iter": 3}
    other = {"z": randint(0, 100), "__n_iter": 4}
    alone = candidates(mine, np.random.RandomState(0) if not isinstance(seed, int) else seed)
    assert candidates([other, mine], seed)[4:] == alone


def test_same_seed_repeats_and_another_differs():
    grid = {"b": loguniform(1, 9), "__n_iter": 3}
    assert candidates(grid, 1) == candidates(grid, 1) != candidates(grid, 2)
    assert candidates(grid) != candidates(grid)


def test_search_over_model_families():
    grid = [
        {"model": [Ridge()], "model__alpha": loguniform(0.1, 1), "__n_iter": 2},
        {"model": [SVC()], "model__C": [1, 2], "model__gamma": ["scale"]},
    ]
    DistributedSearchCV(PIPE, grid)._check_candidates()


def test_distribution_without_n_iter_is_refused():
    assert "'model__alpha' is a distribution, and this dict has no '__n_iter'" in check(
        {"model__alpha": loguniform(0.1, 1)}
    )


@pytest.mark.parametrize("n_iter", [0, -1, 2.5, "3", None, True])
def test_bad_n_iter_is_refused(n_iter):
    message = check({"model__alpha": loguniform(0.1, 1), "__n_iter": n_iter})
    assert f"'__n_iter' must be an integer of at least 1, got {n_iter!r}" in message


def test_unknown_name_is_refused_with_the_valid_ones():
    message = check({"model__alhpa": [1]})
    assert "Invalid parameter 'alhpa'" in message
    assert "'alpha'" in message


def test_name_that_one_of_the_models_does_not_know_is_refused():
    assert "'solver'" in check({"model": [Ridge(), Lasso()], "model__solver": ["svd"]})


def test_empty_list_is_refused():
    assert "'model__alpha' need to be a non-empty sequence" in check({"model__alpha": []})
    assert "there is no candidate" in check([])


def test_value_of_a_wrong_type_is_a_type_error_as_in_scikit_learn():
    with pytest.raises(TypeError, match="'model__alpha' needs to be a list or a numpy array"):
        DistributedSearchCV(PIPE, {"model__alpha": 1.0}).fit("never looked at")
    with pytest.raises(ParamGridTypeError):
        DistributedSearchCV(PIPE, {"model__alpha": "one"}).fit("never looked at")
    assert "Parameter grid is not a dict (3)" in check([3])


def test_every_mistake_is_named_at_once():
    message = check(
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
