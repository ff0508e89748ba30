"""Fixtures of all tests: nothing of the user's own Metaflow is read or written."""

import os

# Before OpenMP is loaded: test processes share the cores, and threads that spin while they wait
# for each other take them from those that work. A fit of 0.3 s took up to 75.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from loky import get_reusable_executor

from skdistsearch.testing import LocalAWS


@pytest.fixture(autouse=True, scope="session")
def own_metaflow(tmp_path_factory):
    """A Metaflow that nobody has configured, with a place of its own for its runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("METAFLOW_")]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def cloud():
    """AWS on loopback, one for all tests that need it: mark them ``xdist_group("aws")``."""
    pytest.importorskip("moto", reason="AWS on loopback is moto's")
    with LocalAWS(slots=2) as aws:
        yield aws


@pytest.fixture
def aws(cloud):
    """AWS on loopback, as if nobody had used it before."""
    cloud.reset()
    return cloud


@pytest.fixture(scope="session", autouse=True)
def workers_end_with_the_tests():
    """Idle workers would outlive the temporary folders."""
    yield
    get_reusable_executor().shutdown(kill_workers=True)
