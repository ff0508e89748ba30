"""Lists and distributions as dimensions of Optuna."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Lasso, Ridge

from skdistsearch.exceptions import ParamGridError

optuna = pytest.importorskip("optuna")

from skdistsearch.adaptive._optuna_space import OptunaSpace  # noqa: E402

RIDGE, LASSO = Ridge(), Lasso()


def suggestions(distributions, n=30):
    space = OptunaSpace(distributions)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return study, [space.suggest(study.ask()) for _ in range(n)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (stats.uniform(2, 3), {"low": 2, "high": 5, "log": False, "step": None}),
        (stats.loguniform(0.1, 10), {"low": 0.1, "high": 10, "log": True, "step": None}),
        (stats.randint(1, 5), {"low": 1, "high": 4, "log": False, "step": 1}),
        (optuna.distributions.IntDistribution(1, 8, log=True), {"low": 1, "high": 8, "log": True}),
        (optuna.distributions.FloatDistribution(0, 1, step=0.5), {"low": 0, "step": 0.5}),
        ([1, "a", None, True], {"choices": (0, 1, 2, 3)}),  # 1 is equal to True
        (["a", 0.5, None], {"choices": ("a", 0.5, None)}),
        (np.array([1, 2]), {"choices": (1, 2)}),
        ([(1, 2), (3,)], {"choices": (0, 1)}),
        ([RIDGE, LASSO], {"choices": (0, 1)}),
        (optuna.distributions.CategoricalDistribution(("a", "b")), {"choices": ("a", "b")}),
    ],
    ids=[
        *("uniform", "loguniform", "randint", "int", "float", "equal values", "plain values"),
        *("array", "tuples", "estimators", "categories"),
    ],
)
def test_distribution_of_optuna(values, expected):
    study, _ = suggestions({"p": values}, n=1)
    distribution = vars(study.trials[0].distributions["p"])
    assert {name: distribution.get(name) for name in expected} == expected


def test_values_are_those_of_the_list():
    _, candidates = suggestions({"model": [RIDGE, LASSO], "n": np.array([1, 2])})
    assert {id(candidate["model"]) for candidate in candidates} == {id(RIDGE), id(LASSO)}
    assert {type(candidate["n"]) for candidate in candidates} == {np.int64}


def test_one_of_several_dicts_is_chosen_first():
    space = [{"model": [RIDGE], "alpha": [1]}, {"model": [LASSO], "alpha": stats.uniform(2, 1)}]
    study, candidates = suggestions(space)
    assert {(candidate["model"], candidate["alpha"] > 1) for candidate in candidates} == {
        (RIDGE, False),
        (LASSO, True),
    }
    assert {"param_distributions", "0: alpha"} <= {n for t in study.trials for n in t.params}


def test_known_candidate_becomes_a_trial():
    several = OptunaSpace([{"model": [RIDGE], "C": [1]}, {"model": [RIDGE, LASSO], "a": [1, 2]}])
    assert several.to_optuna({"model": LASSO, "a": 2}) == {
        "param_distributions": 1,
        "1: model": 1,
        "1: a": 2,
    }
    assert OptunaSpace({"a": stats.uniform(0, 1)}).to_optuna({"a": 1}) == {"a": 1.0}


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ({"b": 1}, "'b' is not a parameter"),
        ({"a": 3}, "3 is not a number from 0.0 to 1.0"),
        ({"n": 1.5}, "1.5 is not an integer from 1.0 to 4.0"),
        ({"c": "z"}, "'z' is not one of"),
    ],
)
def test_candidate_outside_the_space_raises(candidate, message):
    space = OptunaSpace({"a": stats.uniform(0, 1), "n": stats.randint(1, 5), "c": ["x", "y"]})
    with pytest.raises(ValueError, match=message):
        space.to_optuna(candidate)


@pytest.mark.parametrize("values", [stats.norm(), stats.loguniform(1, 2, loc=1), "ab", [], 3])
def test_other_distributions_raise(values):
    with pytest.raises(ParamGridError, match="is not a list of values"):
        OptunaSpace({"p": values})
