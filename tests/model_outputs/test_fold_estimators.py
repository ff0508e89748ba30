"""``fold_estimators_``: the fitted models of all splits, loaded from files."""

import gc
import pickle

import pytest
from helpers.all_outputs import assert_all_outputs, search_with_all_outputs
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

from skdistsearch.exceptions import CorruptDataError

X, y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 3]}


def test_pickled_search_contains_its_models_and_the_folder_is_removed():
    search = search_with_all_outputs(TREE, GRID).fit(X, y)
    folder = search.fold_estimators_._folder
    assert folder.is_dir()
    data = pickle.dumps(search)
    del search
    gc.collect()
    assert not folder.exists()
    assert_all_outputs(pickle.loads(data), X, y)


def test_models_are_a_sequence_by_candidate_and_split():
    estimators = search_with_all_outputs(TREE, GRID).fit(X, y).fold_estimators_
    assert [len(models) for models in estimators] == [3, 3]
    assert [model.max_depth for model in estimators[-1]] == [3, 3, 3]
    assert [model.max_depth for models in estimators[:1] for model in models[1:]] == [1, 1]
    for wrong in (lambda: estimators[2], lambda: estimators[0][3]):
        with pytest.raises(IndexError):
            wrong()


def test_changed_file_is_an_error(tmp_path):
    search = search_with_all_outputs(TREE, GRID, checkpoint=tmp_path / "checkpoint").fit(X, y)
    for path in (tmp_path / "checkpoint").glob("fits/*/*.pkl"):
        path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CorruptDataError, match="is corrupt: its checksum does not match"):
        search.fold_estimators_[0][0]
