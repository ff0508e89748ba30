"""Fixtures that keep tests apart from the user's settings, for `tests/` and `docs/`."""

import os

# Set before OpenMP is loaded. Test processes share the cores, and waiting threads that spin take
# them from working ones: a fit of 0.3 s took up to 75 s.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
from loky import get_reusable_executor


@pytest.fixture(autouse=True, scope="session")
def unconfigured_metaflow(tmp_path_factory):
    """Remove Metaflow's configuration from the environment; set new folders for data and cache."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("METAFLOW_")]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def stop_workers():
    """Stop idle workers after the tests: they would outlive the temporary folders."""
    yield
    get_reusable_executor().shutdown(kill_workers=True)
