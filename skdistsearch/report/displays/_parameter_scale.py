"""Values of one parameter as positions on a scale, for candidates that may lack it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from skdistsearch._typing import Parameters
from skdistsearch.report._candidate_labels import cut_texts, distinct_texts
from skdistsearch.report.displays._style import spans_decades

NOT_SET = "not set"
"""Label of candidates without the parameter."""
STEP = 0.13
"""Distance of the special values from the numbers and from each other."""

_MAX_SPECIAL = 2  # values beside numbers, such as None; with more, all values are categories
_MAX_LABELS = 20  # categories with a label each
_MAX_VALUES = 7  # numbers with a tick each
_N_TICKS = 5
_LABEL_LENGTH = 16  # characters


@dataclass(frozen=True)
class ParameterScale:
    """Positions of a parameter's values: from 0 to 1, special values below 0.

    Numbers are on a linear scale, or on a logarithmic one if they span two decades. Other values
    are categories at equal distances. Special values are `NOT_SET`, and among numbers also None and
    words such as "sqrt".
    """

    name: str
    """Short name of the parameter."""
    positions: NDArray[np.float64]
    """Position of each candidate."""
    ticks: dict[float, str]
    """Labels by position."""
    is_numeric: bool
    """Whether the values are numbers, apart from special values."""
    is_log: bool
    """Whether the scale is logarithmic."""

    @classmethod
    def from_values(cls, name: str, candidates: Sequence[Parameters]) -> ParameterScale:
        """Place the values of a parameter of the candidates."""
        is_set = np.array([name in params for params in candidates])
        values = [params[name] for params in candidates if name in params]
        is_number = np.array([_is_number(value) for value in values])
        words = distinct_texts(value for value in values if not _is_number(value))
        numbers = np.array([value for value in values if _is_number(value)], dtype=float)
        is_numeric = len(set(numbers)) > 1 and len(set(words)) <= _MAX_SPECIAL
        is_log = is_numeric and spans_decades(numbers)
        placed = np.empty(len(values))
        ticks: dict[float, str] = {}
        if is_numeric:
            is_integer = all(isinstance(v, Integral) for v in values if _is_number(v))
            placed[is_number], ticks = _place_numbers(numbers, is_log, is_integer)
            placed[~is_number], labels = _place_special(words)
        else:
            placed, labels = _place_categories(distinct_texts(values))
        ticks |= labels
        positions = np.full(len(candidates), min([0.0, *ticks]) - STEP)
        positions[is_set] = placed
        if not is_set.all():
            ticks[float(positions[~is_set][0])] = NOT_SET
        return cls(name, positions, ticks, is_numeric, is_log)

    @property
    def n_values(self) -> int:
        """Number of different positions."""
        return len(np.unique(self.positions))


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _place_numbers(
    numbers: NDArray[np.float64], is_log: bool, is_integer: bool
) -> tuple[NDArray[np.float64], dict[float, str]]:
    """Return the positions of the numbers, and the ticks."""
    different = np.unique(numbers)
    ticks, texts = different, distinct_texts(different)
    if len(different) > _MAX_VALUES:
        ticks = _round_values(different[0], different[-1], is_log, is_integer)
        texts = [f"{value:.6g}" for value in ticks]
    places = _place(ticks, different, is_log)
    return _place(numbers, different, is_log), dict(zip(places.tolist(), texts, strict=True))


def _place(
    numbers: NDArray[np.float64], different: NDArray[np.float64], is_log: bool
) -> NDArray[np.float64]:
    """Return positions from 0, for the lowest of the different numbers, to 1, for the highest."""
    if is_log:
        numbers, different = np.log(numbers), np.log(different)
    positions: NDArray[np.float64] = (numbers - different[0]) / (different[-1] - different[0])
    return positions


def _round_values(low: float, high: float, is_log: bool, is_integer: bool) -> NDArray[np.float64]:
    """Return round numbers from ``low`` to ``high``."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    if is_log:
        values = np.asarray(LogLocator(numticks=_N_TICKS + 1).tick_values(low, high))
    else:
        values = np.asarray(MaxNLocator(_N_TICKS, integer=is_integer).tick_values(low, high))
    inside: NDArray[np.float64] = values[(low <= values) & (values <= high)]
    return inside


def _place_special(words: Sequence[str]) -> tuple[NDArray[np.float64], dict[float, str]]:
    """Return the positions of values that are not numbers, below those of numbers, and ticks."""
    different = sorted(set(words))
    return _place_words(words, dict(zip(different, -STEP * np.arange(1.0, 3.0), strict=False)))


def _place_categories(words: Sequence[str]) -> tuple[NDArray[np.float64], dict[float, str]]:
    """Return positions at equal distances, and the ticks unless there are too many."""
    different = sorted(set(words))
    places = np.linspace(0, 1, len(different)) if len(different) > 1 else [0.5]
    positions, ticks = _place_words(words, dict(zip(different, places, strict=True)))
    return positions, ticks if len(different) <= _MAX_LABELS else {}


def _place_words(
    words: Sequence[str], places: Mapping[str, float]
) -> tuple[NDArray[np.float64], dict[float, str]]:
    labels = cut_texts(list(places), _LABEL_LENGTH)
    ticks = {float(place): text for place, text in zip(places.values(), labels, strict=True)}
    return np.array([places[word] for word in words], dtype=float), ticks
