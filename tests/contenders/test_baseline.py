"""`add_baseline`: a contender that ignores the features."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV, add_baseline

PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])


def test_baseline_is_scored_on_the_same_splits():
    data, cv = load_diabetes(return_X_y=True), KFold(4, shuffle=True, random_state=1)
    grid = {"model__alpha": [0.1, 1.0]}
    search = DistributedSearchCV(PIPE, add_baseline(PIPE, grid), cv=cv, scoring="r2")
    results = search.fit(*data).cv_results_
    scores = [results[f"split{split}_test_score"][2] for split in range(4)]
    alone = cross_val_score(DummyRegressor(), *data, cv=cv, scoring="r2")
    np.testing.assert_array_equal(scores, alone)
    assert grid == {"model__alpha": [0.1, 1.0]}


@pytest.mark.parametrize("last", [LogisticRegression(), "passthrough", None])
def test_classifier_in_pipeline_or_grid_gets_a_dummy_classifier(last):
    pipe = Pipeline([("scale", StandardScaler()), ("model", last)])
    grid = add_baseline(pipe, [{"model": [LogisticRegression()], "model__C": [1.0]}])
    assert isinstance(grid[-1]["model"][0], DummyClassifier)
    cv = StratifiedKFold(5)
    search = DistributedSearchCV(pipe, grid, cv=cv, scoring="accuracy", refit=False)
    results = search.fit(*load_iris(return_X_y=True)).cv_results_
    np.testing.assert_allclose(results["mean_test_score"][-1], 1 / 3)  # of three classes


def test_estimator_without_a_baseline_is_an_error():
    with pytest.raises(ValueError, match=r"Ridge is not a Pipeline\. .*Pipeline\(\[\('model',"):
        add_baseline(Ridge(), {"alpha": [1.0]})
    with pytest.raises(ValueError, match="'pca', is neither a classifier nor a regressor"):
        add_baseline(Pipeline([("pca", PCA())]), {"pca__n_components": [1]})
