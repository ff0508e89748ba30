"""Results of a search as data."""

import numpy as np
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import DistributedSearchCV
from skdistsearch.jobs import Progress
from skdistsearch.jobs._results import as_data, data_of
from skdistsearch.storage import decode, encode

X, y = make_regression(40, 3, random_state=0)


def test_estimators_among_the_parameters_become_text():
    model = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
    grid = {"scale": ["passthrough", StandardScaler()], "model__alpha": [0.1]}
    search = DistributedSearchCV(model, grid, cv=2).fit(X, y)
    results = decode(encode(data_of(search)))
    assert results["cv_results_"]["params"][1] == {"model__alpha": 0.1, "scale": "StandardScaler()"}
    assert results["cv_results_"]["param_scale"].tolist() == ["passthrough", "StandardScaler()"]
    assert results["best_score_"] == search.best_score_
    for name, values in search.cv_results_.items():
        if not name.startswith("param"):
            np.testing.assert_array_equal(results["cv_results_"][name], values)


@pytest.mark.parametrize("value", [1, 2.5, "x", None, [1, (2, 3)], {"a": np.arange(2)}])
def test_data_stays_as_it_is(value):
    assert as_data(value) is value


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), "no fits yet"),
        (Progress(done=1, total=4, failed=1), "1 of 4 fits, 1 failed"),
        (Progress(done=4, total=4, attempt=2), "4 of 4 fits; attempt 2"),
    ],
)
def test_progress_is_one_line(progress, text):
    assert str(progress) == text
