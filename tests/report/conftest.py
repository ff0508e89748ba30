"""Fitted searches for the pictures."""

import pytest
from helpers.pictures import fit_three_contenders


@pytest.fixture(scope="session")
def small_search():
    """Fit a search with 8 candidates."""
    return fit_three_contenders(4)


@pytest.fixture(scope="session")
def large_search():
    """Fit a search with 154 candidates."""
    return fit_three_contenders(150)
