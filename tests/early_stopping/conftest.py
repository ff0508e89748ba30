"""Fixtures of the tests of early stopping."""

import pytest
import sklearn
from helpers.probe_family import CALLS


@pytest.fixture(autouse=True)
def no_earlier_calls():
    CALLS.clear()


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield
