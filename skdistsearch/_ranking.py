"""The ranking of candidates (standard library only)."""

from __future__ import annotations

from collections.abc import Mapping


def rank_by_key(keys: Mapping[int, tuple[float, ...]]) -> dict[int, int]:
    """Return the rank of each item, the smallest key first.

    Parameters
    ----------
    keys : mapping of int to tuple of float
        The key of each item. Smaller is better. Keys must not contain NaN.

    Returns
    -------
    ranks : dict of int to int
        Ranks from 1 by item, in the order of the ranking. Items with equal keys share a rank, as in
        scikit-learn's ``rank_test_score``, and stand in the order of their numbers.

    Examples
    --------
    >>> rank_by_key({0: (0.5,), 1: (0.1,), 2: (0.5,), 3: (0.9,)})
    {1: 1, 0: 2, 2: 2, 3: 4}
    """
    order = sorted(keys, key=lambda item: (keys[item], item))
    ranks: dict[tuple[float, ...], int] = {}
    for place, item in enumerate(order, start=1):
        ranks.setdefault(keys[item], place)
    return {item: ranks[keys[item]] for item in order}
