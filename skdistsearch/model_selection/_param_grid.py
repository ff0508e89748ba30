"""Turn ``param_grid`` into candidates: grids and samples, mixed."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from skdistsearch._typing import Estimator, ParamGrid, RandomState
from skdistsearch._validation import is_integer
from skdistsearch.exceptions import ParamGridError, ParamGridTypeError

N_ITER = "__n_iter"
"""Reserved key of a dict in ``param_grid``: the number of candidates to sample from the dict."""

_STRUCTURES_MAX = 64  # combinations of estimator-valued parameters whose names are checked


def make_candidates(
    param_grid: ParamGrid | Sequence[ParamGrid], random_state: RandomState = None
) -> list[dict[str, Any]]:
    """Return the candidates of all dicts, dict by dict.

    Each sampled dict gives the candidates of `sklearn.model_selection.ParameterSampler` with
    ``random_state``, independently of the other dicts. Of a generator each gets a copy, but for
    the last dict, which advances it.
    """
    grids = _as_list(param_grid)
    last = max((number for number, grid in enumerate(grids) if N_ITER in grid), default=None)
    candidates: list[dict[str, Any]] = []
    for number, grid in enumerate(grids):
        values = {name: value for name, value in grid.items() if name != N_ITER}
        if N_ITER in grid:
            state = random_state if number == last else copy.deepcopy(random_state)
            candidates += ParameterSampler(values, int(grid[N_ITER]), random_state=state)
        else:
            candidates += ParameterGrid(values)
    return candidates


def check_param_grid(param_grid: ParamGrid | Sequence[ParamGrid], estimator: Estimator) -> None:
    """Raise one `ParamGridError` that names every mistake in ``param_grid``."""
    grids = _as_list(param_grid)
    errors: list[Exception] = []
    if not grids:
        errors.append(ValueError("param_grid is an empty list: it has no candidates."))
    for number, grid in enumerate(grids):
        prefix = f"param_grid[{number}]: " if len(grids) > 1 else ""
        errors += [_with_prefix(prefix, error) for error in _errors_in(grid, estimator)]
    if not errors:
        return
    are_types = all(isinstance(error, TypeError) for error in errors)
    message = "\n".join(map(str, errors))
    raise (ParamGridTypeError if are_types else ParamGridError)(message)


def _with_prefix(prefix: str, error: Exception) -> Exception:
    return (TypeError if isinstance(error, TypeError) else ValueError)(f"{prefix}{error}")


def _as_list(param_grid: ParamGrid | Sequence[ParamGrid]) -> list[ParamGrid]:
    return [param_grid] if isinstance(param_grid, Mapping) else list(param_grid)


def _errors_in(grid: object, estimator: Estimator) -> Iterator[Exception]:
    if not isinstance(grid, Mapping):
        yield TypeError(f"Parameter grid is not a dict ({grid!r})")
        return
    is_sampled = N_ITER in grid
    if is_sampled:
        yield from _n_iter_errors(grid[N_ITER])
    valid = {}
    for name, value in grid.items():
        if name == N_ITER:
            continue
        error = _value_error(name, value, is_sampled)
        if error is None:
            valid[name] = value
        else:
            yield error
    yield from _name_errors(valid, estimator)


def _n_iter_errors(n_iter: object) -> Iterator[Exception]:
    if not is_integer(n_iter, least=1):
        yield ValueError(f"{N_ITER!r} must be an integer of at least 1, got {n_iter!r}.")


def _value_error(name: str, value: object, is_sampled: bool) -> Exception | None:
    if hasattr(value, "rvs"):
        return None if is_sampled else _distribution_error(name)
    try:
        ParameterGrid({name: value})  # scikit-learn's own checks and messages
    except (TypeError, ValueError) as exc:
        return exc
    return None


def _distribution_error(name: str) -> Exception:
    return ValueError(
        f"Parameter {name!r} is a distribution, but its dict has no {N_ITER!r}: add {N_ITER!r}: 10 "
        "to sample 10 candidates from the dict, or use a list of values."
    )


def _name_errors(grid: ParamGrid, estimator: Estimator) -> Iterator[Exception]:
    """Yield an error for each name that the estimator rejects.

    A candidate may replace an estimator and set parameters of the new one: names are valid if
    some combination of such estimators accepts them.
    """
    if not grid:
        return
    rejections: dict[str, str] = {}
    for structure in _estimator_combinations(grid):
        others = {name: _any_value(grid[name]) for name in grid if name not in structure}
        candidate = {**structure, **others}
        if _rejection_message(estimator, candidate) is None:  # set in one call, as in the fits
            continue
        for name in others:
            if rejection := _rejection_message(estimator, {**structure, name: others[name]}):
                rejections.setdefault(name, rejection)
        if not rejections:
            rejections[", ".join(structure)] = str(_rejection_message(estimator, candidate))
    yield from (ValueError(rejections[name]) for name in sorted(rejections))


def _rejection_message(estimator: Estimator, parameters: dict[str, Any]) -> str | None:
    try:
        clone(estimator).set_params(**clone(parameters, safe=False))
    except ValueError as exc:
        return str(exc)
    return None


def _estimator_combinations(grid: ParamGrid) -> Iterable[dict[str, Any]]:
    """Return combinations of values of those parameters that other names in ``grid`` belong to."""
    prefixes = {
        name.rsplit("__", depth)[0] for name in grid for depth in range(1, name.count("__") + 1)
    }
    owners = {
        name: values
        for name, values in grid.items()
        if name in prefixes and not hasattr(values, "rvs")
    }
    return islice(ParameterGrid(owners), _STRUCTURES_MAX)


def _any_value(values: Any) -> Any:
    return values.rvs(random_state=0) if hasattr(values, "rvs") else values[0]
