"""Sizes of the brackets of Hyperband, and of the rungs within them.

A bracket is a successive halving: its rungs have fewer and fewer candidates with more and more of
the resource. Hyperband has several brackets, from one that begins with many candidates on little of
the resource to one that gives all of it to a few candidates at once.

References
----------
Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar: Hyperband: A Novel Bandit-Based Approach to
Hyperparameter Optimization. JMLR 18 (2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

_TOLERANCE = 1e-9  # of logarithms, such as that of 243 to the base 3


@dataclass(frozen=True)
class Rung:
    """Size of one rung."""

    n_candidates: int
    """Number of candidates that reach it."""
    amount: int
    """Amount of the resource that each of them has there."""
    n_splits: int
    """Number of splits on which they are fitted."""


Bracket: TypeAlias = tuple[Rung, ...]
"""The rungs of one successive halving, from the first to the last."""


def make_brackets(
    *,
    max_amount: int,
    min_amount: int,
    factor: float,
    n_splits: int,
    n_brackets: int | None = None,
    n_candidates: int | None = None,
    n_candidates_max: float = math.inf,
    grows_splits: bool = False,
) -> list[Bracket]:
    """Return the brackets, the one with most candidates first.

    Parameters
    ----------
    max_amount, min_amount : int
        Amounts of the resource in the last rung of all brackets, and at least in the first rung.
    factor : float
        One candidate in ``factor`` reaches the next rung, with ``factor`` times the resource.
    n_splits : int
        Number of splits of the last rungs.
    n_brackets : int or None
        Number of brackets; None for all.
    n_candidates : int or None
        Number of candidates of the first bracket; None for the one of Hyperband.
    n_candidates_max : float
        Number of candidates that there are.
    grows_splits : bool
        True if the first rung has one split, the second two, and so on.

    Examples
    --------
    >>> for bracket in make_brackets(
    ...     max_amount=9, min_amount=1, factor=3, n_splits=5
    ... ):
    ...     print([(rung.n_candidates, rung.amount) for rung in bracket])
    [(9, 1), (3, 3), (1, 9)]
    [(5, 3), (2, 9)]
    [(3, 9)]
    """
    n_steps = _count_steps(max_amount / min_amount, factor)
    scale = 1.0 if n_candidates is None else n_candidates / factor**n_steps
    brackets = []
    for n_cuts in list(range(n_steps, -1, -1))[:n_brackets]:
        n_first = math.ceil((n_steps + 1) * factor**n_cuts / (n_cuts + 1) * scale - _TOLERANCE)
        n_first = int(min(n_first, n_candidates_max))
        if n_brackets == 1:  # no more rungs than it takes to have one candidate left
            n_cuts = min(n_cuts, _count_steps(n_first, factor))
        amounts = _distinct_amounts(max_amount, min_amount, factor, n_cuts)
        brackets.append(_make_bracket(n_first, amounts, factor, n_splits, grows_splits))
    return brackets


def _count_steps(ratio: float, factor: float) -> int:
    """Return how many times ``factor`` goes into ``ratio``."""
    return math.floor(math.log(ratio) / math.log(factor) + _TOLERANCE)


def _distinct_amounts(max_amount: int, min_amount: int, factor: float, n_cuts: int) -> list[int]:
    """Return the amounts of the rungs, counted from the last one, which is exact."""
    amounts = {int(max_amount / factor**cut + _TOLERANCE) for cut in range(n_cuts + 1)}
    return sorted({max(amount, min_amount) for amount in amounts})


def _make_bracket(
    n_first: int, amounts: list[int], factor: float, n_splits: int, grows_splits: bool
) -> Bracket:
    rungs = []
    n_candidates = n_first
    for number, amount in enumerate(amounts):
        is_last = number == len(amounts) - 1
        n_used = min(number + 1, n_splits) if grows_splits and not is_last else n_splits
        rungs.append(Rung(n_candidates, amount, n_used))
        n_candidates = max(1, math.ceil(n_candidates / factor - _TOLERANCE))
    return tuple(rungs)
