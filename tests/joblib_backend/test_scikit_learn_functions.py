"""scikit-learn's functions give the same results on a Metaflow run as in one process."""

import sys
from pathlib import Path

import pytest
from joblib import parallel_config

import skdistsearch
from skdistsearch.backends import close_pools

sys.path.append(str(Path(__file__).parents[2]))  # the benchmarks are not installed

from benchmarks.scikit_learn_functions import FUNCTIONS, assert_equal, run_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(autouse=True, scope="module")
def end_pools():
    """End all workers after the last test; until then they stay."""
    yield
    close_pools()


@pytest.mark.filterwarnings("ignore:.*lbfgs failed to converge")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_those_of_one_process(name):
    skdistsearch.register_joblib()
    expected = run_here(name)
    with parallel_config(backend="metaflow", n_jobs=2, min_remote_s=0):
        found = FUNCTIONS[name]()
    assert_equal(found, expected)
