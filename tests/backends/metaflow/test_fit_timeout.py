"""The time limit of a fit is kept, even by native code that never returns to Python."""

import ctypes
import time

import numpy as np
import pytest
from helpers.probing_regressor import ProbingRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning

from skdistsearch import DistributedSearchCV, MetaflowBackend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
X, y = load_diabetes(return_X_y=True)


def hold_interpreter_lock():
    """Sleep without releasing the interpreter lock."""
    ctypes.PyDLL(None).usleep(600_000_000)


def sleep():
    time.sleep(600)


def value():
    return 1.0


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.parametrize("probe", [hold_interpreter_lock, sleep])
def test_fit_that_takes_too_long_is_lost_within_seconds(probe):
    search = DistributedSearchCV(
        ProbingRegressor(),
        {"probe": [value, probe, value]},
        cv=[([0, 1], [2, 3])],
        backend=MetaflowBackend(max_workers=1, fit_timeout_s=2),
        refit=False,
    )
    begin = time.monotonic()
    with pytest.warns(FitFailedWarning, match=r"split 0: it ran longer than fit_timeout_s=2\. "):
        search.fit(X, y)
    assert time.monotonic() - begin < 30  # two runs
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [1.0, np.nan, 1.0])
