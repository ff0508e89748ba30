"""``keep="skops"``: fold estimators without pickle."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skdistsearch import DistributedHalvingGridSearchCV, DistributedSearchCV, Ensemble
from skdistsearch.exceptions import CorruptDataError, UntrustedTypeError
from skdistsearch.storage import dump_skops, load_skops
from skdistsearch.testing import FaultyRegressor

pytest.importorskip("skops", reason="the format of the models")

X, y = load_diabetes(return_X_y=True)
X, y = X[:60], y[:60]
GRID = {"alpha": [0.1, 1.0]}


def fit(estimator=None, grid=GRID, keep="skops", **params):
    params = {"cv": KFold(3), "keep": keep, **params}
    return DistributedSearchCV(estimator or Ridge(), grid, **params).fit(X, y)


@pytest.mark.parametrize("params", [{"n_jobs": 1}, {"n_jobs": 2}], ids=str)
def test_models_are_those_of_the_fits(params):
    search = fit(keep=("predictions", "skops"), **params)
    for split, (_, test) in enumerate(KFold(3).split(X)):
        predicted = search.fold_estimators_[1][split].predict(X[test])
        assert np.array_equal(predicted, search.oof_predictions_["predict"][1, test])


def test_nothing_is_unpickled(monkeypatch):
    search = fit()
    monkeypatch.setattr(pickle, "loads", None)
    assert search.fold_estimators_[0][0].alpha == 0.1


def test_checkpoint_has_the_models_and_they_are_resumed(tmp_path):
    first = fit(checkpoint=tmp_path)
    assert len(list(tmp_path.glob("fits/*/*.skops"))) == 6
    again = fit(checkpoint=tmp_path)
    assert again._fit_times == first._fit_times
    assert np.array_equal(again.fold_estimators_[1][2].coef_, first.fold_estimators_[1][2].coef_)


def test_pickles_of_a_checkpoint_are_not_loaded(tmp_path):
    fit(checkpoint=tmp_path, keep="estimators")
    search = fit(checkpoint=tmp_path)
    assert len(list(tmp_path.glob("fits/*/*.skops"))) == 6
    for path in tmp_path.glob("fits/*/*.skops"):
        path.write_bytes(b"cos\nsystem\n")
    with pytest.raises(CorruptDataError, match="checksum"):
        search.fold_estimators_[0][0]


def test_copied_search_has_the_models_and_what_is_trusted():
    search = fit()
    search.fold_estimators_.trusted.append("shop.Price")
    twin = pickle.loads(pickle.dumps(copy.deepcopy(search)))
    assert twin.fold_estimators_[1][1].alpha == 1.0
    assert twin.fold_estimators_.trusted == ["shop.Price"]


def test_halving_search_keeps_models():
    search = DistributedHalvingGridSearchCV(Ridge(), GRID, cv=2, keep="skops").fit(X, y)
    assert search.fold_estimators_[0][0].alpha == 0.1


def test_ensemble_of_fold_models_uses_them():
    search = fit(keep=("predictions", "skops"))
    pickled = fit(keep=("predictions", "estimators"))
    ours, theirs = (
        Ensemble.from_search(each, X, y, members="folds").predict(X) for each in (search, pickled)
    )
    assert np.array_equal(ours, theirs)


def test_ensemble_is_saved_without_pickle():
    ensemble = Ensemble.from_search(fit(keep="predictions"), X, y)
    assert np.array_equal(load_skops(dump_skops(ensemble)).predict(X), ensemble.predict(X))


def test_class_of_the_user_is_trusted_by_name():
    search = fit(FaultyRegressorOfUser(), {"factor": [1.0]})
    with pytest.raises(UntrustedTypeError, match=r"fold_estimators_.trusted.append"):
        search.fold_estimators_[0][0]
    search.fold_estimators_.trusted.append(f"{__name__}.FaultyRegressorOfUser")
    assert search.fold_estimators_[0][0].factor == 1.0


class FaultyRegressorOfUser(FaultyRegressor):
    """A class that no list of trusted types knows."""


def test_model_that_cannot_be_saved_is_named_and_the_scores_count():
    pipe = Pipeline([("function", None), ("model", Ridge())])
    grid = {"function": [FunctionTransformer(lambda X: X), FunctionTransformer(None)]}
    with pytest.warns(UserWarning, match="keep='skops' failed for 3 of 6 models.*candidate 0"):
        search = fit(pipe, grid)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.fold_estimators_[0][0] is None
    assert search.fold_estimators_[1][0] is not None


def test_pickles_and_skops_together_are_an_error_before_any_fit():
    with pytest.raises(ValueError, match="as pickles or by skops, not both"):
        fit(keep=("estimators", "skops"))
