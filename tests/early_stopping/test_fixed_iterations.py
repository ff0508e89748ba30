"""`replace_early_stopping`: a clone that trains for a fixed number of iterations."""

import numpy as np
import pytest
from helpers.probe_family import FAMILY, ProbeRegressor, ProbeScaler
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistsearch import EarlyStopping
from skdistsearch.contenders._fit_params import FitParams, WithFitParams
from skdistsearch.early_stopping import replace_early_stopping
from skdistsearch.exceptions import FamilyError

X, Y = load_diabetes(return_X_y=True)


def stopping(estimator=None):
    return EarlyStopping(ProbeRegressor() if estimator is None else estimator, family=FAMILY)


def models_in(estimator):
    values = [estimator, *estimator.get_params().values()]
    assert not any(isinstance(value, EarlyStopping) for value in values)
    return [value for value in values if isinstance(value, ProbeRegressor)]


@pytest.mark.parametrize(
    "estimator",
    [
        stopping(),
        stopping(make_pipeline(ProbeScaler(), ProbeRegressor())),
        make_pipeline(ProbeScaler(), stopping()),
        make_pipeline(make_pipeline(ProbeScaler(), stopping())),
        TransformedTargetRegressor(stopping()),
        MultiOutputRegressor(stopping()),
        VotingRegressor([("one", stopping()), ("other", Ridge())]),
        WithFitParams(stopping(), FitParams(known="all")),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_early_stopping_is_replaced_at_any_depth(estimator):
    before = repr(estimator)
    (model,) = models_in(replace_early_stopping(estimator, 3))
    assert model.iterations == 3
    assert repr(estimator) == before


def test_every_early_stopping_is_replaced():
    both = VotingRegressor([("one", stopping()), ("other", stopping())])
    assert [model.iterations for model in models_in(replace_early_stopping(both, 3))] == [3, 3]


def test_clone_of_fitted_estimator_equals_model_with_as_many_iterations():
    trees = HistGradientBoostingRegressor(random_state=0)
    fitted = make_pipeline(StandardScaler(), EarlyStopping(trees, random_state=0)).fit(X, Y)
    final = replace_early_stopping(fitted, np.int64(12))
    assert not hasattr(final[-1], "n_iter_")
    expected = make_pipeline(
        StandardScaler(),
        HistGradientBoostingRegressor(random_state=0, max_iter=12, early_stopping=False),
    )
    np.testing.assert_array_equal(final.fit(X, Y).predict(X), expected.fit(X, Y).predict(X))


@pytest.mark.parametrize("n_iter", [0, 7.0, True, None])
def test_n_iter_must_be_a_positive_integer(n_iter):
    with pytest.raises(ValueError, match=r"n_iter=.* must be an integer of at least 1"):
        replace_early_stopping(stopping(), n_iter)


def test_estimator_without_early_stopping_is_an_error():
    with pytest.raises(ValueError, match="Pipeline contains no EarlyStopping to replace"):
        replace_early_stopping(make_pipeline(Ridge()), 3)


def test_unknown_family_is_an_error():
    with pytest.raises(FamilyError, match="EarlyStopping cannot stop Ridge"):
        replace_early_stopping(EarlyStopping(Ridge()), 3)
