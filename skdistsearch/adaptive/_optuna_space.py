"""Search spaces for Optuna: lists, distributions of scipy and Optuna, and lists of such dicts."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdistsearch._typing import Parameters, ParamGrid
from skdistsearch.exceptions import ParamGridError

_DICT = "param_distributions"  # the parameter of a trial that chooses one of several dicts
_VALID = (
    "a list of values, scipy.stats.uniform, scipy.stats.loguniform, scipy.stats.randint, or a "
    "distribution of optuna.distributions"
)


class Dimension(ABC):
    """The values that one parameter may have."""

    @abstractmethod
    def suggest(self, trial: Any, name: str) -> Any:
        """Return the value that a trial of Optuna's suggests."""

    @abstractmethod
    def to_optuna(self, value: Any) -> Any:
        """Return the value as Optuna has it. Raises `ValueError` if it is not in the dimension."""


@dataclass(frozen=True)
class Choice(Dimension):
    """One of some values: numbers and strings as they are, others by their position."""

    values: Sequence[Any]

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the chosen value."""
        labels = self._labels()
        return self.values[labels.index(trial.suggest_categorical(name, labels))]

    def to_optuna(self, value: Any) -> Any:
        """Return the label of a value."""
        for label, known in zip(self._labels(), self.values, strict=True):
            if known is value or _is_equal(known, value):
                return label
        raise ValueError(f"{value!r} is not one of {list(self.values)!r}")

    def _labels(self) -> list[Any]:
        labels = [v.item() if isinstance(v, np.generic) else v for v in self.values]
        are_plain = all(v is None or isinstance(v, bool | int | float | str) for v in labels)
        if are_plain and len(set(labels)) == len(labels):
            return labels
        return list(range(len(labels)))


@dataclass(frozen=True)
class Range(Dimension):
    """Numbers between two limits, which are included."""

    low: float
    high: float
    is_integer: bool = False
    is_log: bool = False
    step: float | None = None

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the number."""
        if self.is_integer:
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(
                name, int(self.low), int(self.high), step=step, log=self.is_log
            )
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.is_log)

    def to_optuna(self, value: Any) -> Any:
        """Return the number."""
        kind: Any = numbers.Integral if self.is_integer else numbers.Real
        if not isinstance(value, kind) or not self.low <= value <= self.high:
            word = "an integer" if self.is_integer else "a number"
            raise ValueError(f"{value!r} is not {word} from {self.low} to {self.high}")
        return int(value) if self.is_integer else float(value)


class OptunaSpace:
    """A search space. Of several dicts, a trial first chooses one.

    Parameters
    ----------
    distributions : dict or list of dict
        ``param_distributions`` of the search.

    Raises
    ------
    ParamGridError
        The message names every distribution that is not valid.
    """

    def __init__(self, distributions: ParamGrid | Sequence[ParamGrid]) -> None:
        grids = [distributions] if isinstance(distributions, Mapping) else list(distributions)
        errors: list[str] = []
        self._spaces = [dict(_dimensions(grid, errors)) for grid in grids]
        if errors:
            raise ParamGridError("\n".join(errors))

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Return the candidate that a trial of Optuna's suggests."""
        number = 0
        if len(self._spaces) > 1:
            number = trial.suggest_categorical(_DICT, range(len(self._spaces)))
        return {
            name: dimension.suggest(trial, self._name_in_trial(number, name))
            for name, dimension in self._spaces[number].items()
        }

    def to_optuna(self, candidate: Parameters) -> dict[str, Any]:
        """Return a candidate as Optuna enqueues it; parameters that it lacks are suggested.

        Raises
        ------
        ValueError
            It is not in the space.
        """
        reasons = []
        for number, space in enumerate(self._spaces):
            if unknown := [name for name in candidate if name not in space]:
                reasons.append(f"{unknown[0]!r} is not a parameter of the space")
                continue
            try:
                values = {
                    self._name_in_trial(number, name): space[name].to_optuna(value)
                    for name, value in candidate.items()
                }
            except ValueError as exc:
                reasons.append(str(exc))
                continue
            return values | ({_DICT: number} if len(self._spaces) > 1 else {})
        raise ValueError("; ".join(dict.fromkeys(reasons)))

    def _name_in_trial(self, number: int, name: str) -> str:
        """Return another name for each dict: Optuna's parameters keep their distribution."""
        return f"{number}: {name}" if len(self._spaces) > 1 else name


def _dimensions(grid: ParamGrid, errors: list[str]) -> Iterator[tuple[str, Dimension]]:
    for name, values in grid.items():
        dimension = _from_optuna(values) or _from_scipy(values) or _from_list(values)
        if dimension is None:
            errors.append(f"Parameter {name!r}: {values!r} is not {_VALID}.")
        else:
            yield name, dimension


def _from_optuna(values: Any) -> Dimension | None:
    kind = type(values)
    if kind.__module__ != "optuna.distributions":
        return None
    if kind.__name__ == "CategoricalDistribution":
        return Choice(values.choices)
    is_integer = kind.__name__ == "IntDistribution"
    return Range(values.low, values.high, is_integer, values.log, values.step)


def _from_scipy(values: Any) -> Dimension | None:
    name = getattr(getattr(values, "dist", None), "name", "")
    if name not in ("uniform", "loguniform", "reciprocal", "randint"):
        return None
    low, high = map(float, values.support())
    if name == "uniform":
        return Range(low, high)
    if name == "randint":
        return Range(low, high, is_integer=True)
    is_shifted = bool(values.kwds.get("loc")) or len(values.args) > 2
    return None if is_shifted else Range(low, high, is_log=True)


def _from_list(values: Any) -> Dimension | None:
    is_listed = isinstance(values, Sequence | np.ndarray | range) and not isinstance(values, str)
    return Choice(list(values)) if is_listed and len(values) else None


def _is_equal(value: Any, other: Any) -> bool:
    try:
        is_same = type(value) is type(other) or not isinstance(value, bool)
        return bool(value == other) and is_same
    except Exception:  # arrays, and objects that cannot be compared
        return False


class OptunaProposer:
    """Proposes the candidates of a study of Optuna's.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : OptunaSpace
        The space.
    """

    def __init__(self, study: Any, space: OptunaSpace) -> None:
        self._study, self._space = study, space
        self._trials: list[Any] = []

    def propose(self) -> Parameters:
        """Return the next candidate."""
        self._trials.append(self._study.ask())
        return self._space.suggest(self._trials[-1])

    def learn(self, candidate: int, score: float) -> None:
        """Pass a score on; a candidate without one has failed."""
        from optuna.trial import TrialState

        if math.isfinite(score):
            self._study.tell(self._trials[candidate], score)
        else:
            self._study.tell(self._trials[candidate], state=TrialState.FAIL)

    def learn_dropped(self, candidate: int, score: float) -> None:
        """Tell that a candidate was pruned, with its score on the splits that it had."""
        from optuna.trial import TrialState

        trial = self._trials[candidate]
        if math.isfinite(score):
            trial.report(score, step=1)
        self._study.tell(trial, state=TrialState.PRUNED)
