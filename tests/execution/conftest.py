"""Fixtures of the tests of shared work."""

import pytest
from helpers.transformers import CALLS


@pytest.fixture(autouse=True)
def clear_calls():
    """Start each test without recorded calls."""
    CALLS.clear()
