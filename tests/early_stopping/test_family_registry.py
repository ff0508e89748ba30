"""The registry of families."""

import dataclasses
import re

import pytest
from helpers.probe_family import (
    CALLS,
    FAMILY,
    ProbeRegressor,
    ProbeScaler,
    X,
    Y,
    fit_one_iteration,
)
from sklearn.base import BaseEstimator
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from skdistsearch import EarlyStopping, early_stopping
from skdistsearch.early_stopping._base import is_a
from skdistsearch.exceptions import FamilyError


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(early_stopping._registry, "_REGISTERED", [])


@pytest.mark.usefixtures("registry")
def test_registered_family_is_found_and_can_be_replaced():
    early_stopping.register_family(FAMILY)
    assert EarlyStopping(ProbeRegressor()).fit(X, Y).best_iteration_ == 7
    other = dataclasses.replace(FAMILY, fit_with_validation=fit_one_iteration)
    early_stopping.register_family(other)
    assert EarlyStopping(ProbeRegressor()).fit(X, Y).best_iteration_ == 1
    assert [family.name for family in early_stopping.all_families()].count("probe") == 1
    early_stopping.register_family(dataclasses.replace(FAMILY, name="the last"))
    assert EarlyStopping(ProbeRegressor()).fit(X, Y).best_iteration_ == 7
    with pytest.raises(FamilyError, match=r"Not a skdistsearch.early_stopping.Family: 'mine'"):
        early_stopping.register_family("mine")


def test_subclass_matches_the_family():
    class Mine(HistGradientBoostingRegressor):
        pass

    assert early_stopping.find_family(Mine()).name == "HistGradientBoosting"
    assert not is_a(BaseEstimator(), "lightgbm", "BaseEstimator")


def test_unknown_family_is_an_error_before_any_fit():
    pipeline = make_pipeline(ProbeScaler(), Ridge())
    known = "CatBoost, HistGradientBoosting, Keras (scikeras), LightGBM, XGBoost."
    with pytest.raises(
        FamilyError, match=re.escape(f"stop Ridge: no known family matches it. Known: {known}")
    ):
        EarlyStopping(pipeline).fit(X, Y)
    with pytest.raises(FamilyError, match=r"call register_family\(Family\(\.\.\.\)\)"):
        EarlyStopping(TransformedTargetRegressor(ProbeRegressor())).fit(X, Y)
    assert not CALLS
