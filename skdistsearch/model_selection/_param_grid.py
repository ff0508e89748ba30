"""``param_grid`` becomes candidates: grids and samples, mixed."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler
from sklearn.utils import check_random_state

from skdistsearch.exceptions import ParamGridError, ParamGridTypeError

N_ITER = "__n_iter"
"""Reserved key of a dict in ``param_grid``: sample so many candidates from this dict."""

_STRUCTURES_MAX = 64  # combinations of estimator-valued parameters that are tried for their names

Grid = Mapping[str, Any]


def candidates(param_grid: Grid | Sequence[Grid], random_state: Any = None) -> list[dict[str, Any]]:
    """The candidates of all dicts, dict by dict.

    Each sampled dict is sampled with the same seed: what it gives depends on no other dict, and
    is what `sklearn.model_selection.ParameterSampler` gives with that ``random_state``.
    """
    found: list[dict[str, Any]] = []
    seed = _seed(random_state)
    for grid in _dicts(param_grid):
        values = {key: value for key, value in grid.items() if key != N_ITER}
        if N_ITER in grid:
            found.extend(ParameterSampler(values, int(grid[N_ITER]), random_state=seed))
        else:
            found.extend(ParameterGrid(values))
    return found


def check(param_grid: Grid | Sequence[Grid], estimator: Any) -> None:
    """Raise one `ParamGridError` that names every mistake in ``param_grid``."""
    dicts = _dicts(param_grid)
    several = len(dicts) > 1
    mistakes: list[Exception] = []
    if not dicts:
        mistakes.append(ValueError("param_grid is an empty list: there is no candidate."))
    for number, grid in enumerate(dicts):
        where = f"param_grid[{number}]: " if several else ""
        mistakes += [_prefixed(where, mistake) for mistake in _mistakes(grid, estimator)]
    if not mistakes:
        return
    wrong_type = all(isinstance(mistake, TypeError) for mistake in mistakes)
    message = "\n".join(str(mistake) for mistake in mistakes)
    raise (ParamGridTypeError if wrong_type else ParamGridError)(message)


def _prefixed(where: str, mistake: Exception) -> Exception:
    return (TypeError if isinstance(mistake, TypeError) else ValueError)(f"{where}{mistake}")


def _dicts(param_grid: Grid | Sequence[Grid]) -> list[Grid]:
    return [param_grid] if isinstance(param_grid, Mapping) else list(param_grid)


def _seed(random_state: Any) -> Any:
    """The same seed for every dict, also if ``random_state`` is a generator with a state."""
    if random_state is None or isinstance(random_state, numbers.Integral):
        return random_state
    return check_random_state(random_state).randint(2**31 - 1)


def _mistakes(grid: Any, estimator: Any) -> Iterator[Exception]:
    if not isinstance(grid, Mapping):
        yield TypeError(f"Parameter grid is not a dict ({grid!r})")
        return
    sampled = N_ITER in grid
    if sampled:
        yield from _n_iter_mistakes(grid[N_ITER])
    usable = {}
    for key, value in grid.items():
        if key == N_ITER:
            continue
        found = _value_mistake(key, value, sampled)
        if found is None:
            usable[key] = value
        else:
            yield found
    yield from _name_mistakes(usable, estimator)


def _n_iter_mistakes(n_iter: Any) -> Iterator[Exception]:
    integral = isinstance(n_iter, numbers.Integral) and not isinstance(n_iter, bool)
    if not integral or n_iter < 1:
        yield ValueError(f"{N_ITER!r} must be an integer of at least 1, got {n_iter!r}.")


def _value_mistake(key: str, value: Any, sampled: bool) -> Exception | None:
    if hasattr(value, "rvs"):
        return None if sampled else _distribution_mistake(key)
    try:
        ParameterGrid({key: value})  # scikit-learn's own checks, in its own words
    except (TypeError, ValueError) as exc:
        return exc
    return None


def _distribution_mistake(key: str) -> Exception:
    return ValueError(
        f"Parameter {key!r} is a distribution, and this dict has no {N_ITER!r}: add "
        f"{N_ITER!r}: 10 to sample 10 candidates from it, or give a list of values."
    )


def _name_mistakes(grid: Grid, estimator: Any) -> Iterator[Exception]:
    """Names that the estimator refuses, whichever estimators the candidate itself puts in."""
    if not grid:
        return
    refused: dict[str, str] = {}
    for structure in _structures(grid):
        others = {key: _any_value(grid[key]) for key in grid if key not in structure}
        whole = {**structure, **others}
        if _refusal(estimator, whole) is None:  # as the fits will set it: in one call
            continue
        for key in others:
            if refusal := _refusal(estimator, {**structure, key: others[key]}):
                refused.setdefault(key, refusal)
        if not refused:
            refused[", ".join(structure)] = str(_refusal(estimator, whole))
    yield from (ValueError(refused[key]) for key in sorted(refused))


def _refusal(estimator: Any, parameters: dict[str, Any]) -> str | None:
    try:
        clone(estimator).set_params(**clone(parameters, safe=False))
    except ValueError as exc:
        return str(exc)
    return None


def _structures(grid: Grid) -> Iterable[dict[str, Any]]:
    """Settings of those parameters to which other names in ``grid`` belong."""
    prefixes = {
        key.rsplit("__", depth)[0] for key in grid for depth in range(1, key.count("__") + 1)
    }
    owners = {key: grid[key] for key in grid if key in prefixes and not hasattr(grid[key], "rvs")}
    return islice(ParameterGrid(owners), _STRUCTURES_MAX)


def _any_value(values: Any) -> Any:
    return values.rvs(random_state=0) if hasattr(values, "rvs") else values[0]
