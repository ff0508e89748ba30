"""Checks of ``extract=`` and ``keep=``, before any fit."""

import pytest
from helpers.all_outputs import search_with_all_outputs
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeClassifier

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV
from skdistsearch.testing import FaultyRegressor

IRIS = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 3]}
INVALID_KEEP = (
    "is not valid. Use one of 'predictions', 'predict', 'predict_proba', 'decision_function', "
    "'estimators', 'skops', or a tuple of them"
)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"extract": ["a"]}, TypeError, "must be None or a dict"),
        ({"extract": {"a": 3}}, TypeError, "extract['a']=3 must be an attribute path"),
        ({"extract": {3: "a"}}, TypeError, "the name 3 must be a string"),
        ({"extract": {"a b": "a"}}, ValueError, "'a b' must be an identifier"),
        ({"extract": {"fit_time": "a"}}, ValueError, "'fit_time' is reserved for the search"),
        ({"extract": {"test_a": "a"}}, ValueError, "'test_a' is reserved for the search"),
        (
            {"extract": {"a": "b", "error_a": "b"}},
            ValueError,
            "two names would have the column 'std_error_a'",
        ),
        ({"extract": {"a": "b.c"}}, ValueError, "extract['a']='b.c' is not an attribute path"),
        ({"keep": 3}, TypeError, f"keep=3 {INVALID_KEEP}"),
        ({"keep": "prediction"}, ValueError, f"keep='prediction' {INVALID_KEEP}"),
        ({"keep": ("predict", "models")}, ValueError, f"keep='models' {INVALID_KEEP}"),
    ],
)
def test_invalid_option_is_an_error_before_any_fit(options, error, message, tmp_path):
    search = DistributedSearchCV(FaultyRegressor(folder=str(tmp_path)), {}, **options)
    with pytest.raises(error) as info:
        search.fit(*load_diabetes(return_X_y=True))
    assert message in str(info.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "messages"),
    [
        (
            {"extract": {"a": 3, 4: "b"}, "keep": 5},
            TypeError,
            ["extract['a']=3", "the name 4", "keep=5"],
        ),
        (
            {"extract": {"a b": "a", "c": "d.e"}, "keep": ("model", "fold")},
            ValueError,
            ["'a b'", "'d.e'", "keep='model'", "keep='fold'"],
        ),
    ],
)
def test_one_error_names_every_mistake(options, error, messages):
    with pytest.raises(error) as info:
        DistributedSearchCV(TREE, GRID, **options).fit(*IRIS)
    assert len(str(info.value).splitlines()) == len(messages)
    assert all(message in str(info.value) for message in messages)


def test_halving_search_cannot_keep_predictions():
    search = DistributedHalvingGridSearchCV(TREE, GRID, keep=("estimators", "predictions"))
    with pytest.raises(
        ValueError, match=r"predicts for a part of the rows only\. Use 'estimators'"
    ):
        search.fit(*IRIS)


def test_search_has_no_outputs_by_default():
    search = DistributedSearchCV(TREE, GRID, cv=3).fit(*IRIS)
    assert not hasattr(search, "oof_predictions_")
    assert not hasattr(search, "fold_estimators_")
    expected = GridSearchCV(TREE, GRID, cv=3).fit(*IRIS)
    assert search.cv_results_.keys() == expected.cv_results_.keys()


def test_second_fit_removes_outputs_that_are_no_longer_requested():
    search = search_with_all_outputs(TREE, GRID).fit(*IRIS)
    search.set_params(extract=None, keep=()).fit(*IRIS)
    for name in ("oof_predictions_", "fold_estimators_", "best_depth_"):
        assert not hasattr(search, name)
