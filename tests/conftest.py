"""Fixtures of all tests. The tests neither read nor write the user's Metaflow configuration."""

import pytest
from helpers.environment import stop_workers, unconfigured_metaflow  # noqa: F401
from helpers.tracking import experiment, store  # noqa: F401

from skdistsearch.testing import LocalAWS


@pytest.fixture(scope="session")
def shared_aws():
    """Start AWS on loopback for all tests that use it. Mark them ``xdist_group("aws")``."""
    pytest.importorskip("moto", reason="AWS on loopback needs moto")
    with LocalAWS(slots=2) as aws:
        yield aws


@pytest.fixture
def aws(shared_aws):
    """Return AWS on loopback in its initial state."""
    shared_aws.reset()
    return shared_aws
