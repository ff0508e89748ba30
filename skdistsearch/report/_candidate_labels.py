"""Short labels of the candidates in one picture, which tell them apart."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import takewhile

import numpy as np

from skdistsearch._text import as_one_line, truncate
from skdistsearch._typing import Parameters
from skdistsearch.report._candidate_names import format_value

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_LENGTHS = (40, 24, 16, 10, 6)
"""Lengths of names, in characters, tried until labels are short enough."""
_SHORTEST_VALUE = 10  # characters


def candidate_labels(
    candidates: Mapping[int, Parameters], contenders: Sequence[str], *, length: int
) -> list[str]:
    """Return a label of each candidate: the parameters that differ, the shortest first.

    Long names and values are cut where they are alike. If a label is still too long, its contender
    leaves out the longest parameters that are not needed to tell its candidates apart. Labels that
    are equal after that get the number of their candidate.

    Parameters
    ----------
    candidates : mapping of int to mapping
        Parameters of the candidates in the picture, by position in ``cv_results_``. Names are
        short.
    contenders : sequence of str
        The contender of each candidate.
    length : int
        Preferred maximum length, in characters.

    Returns
    -------
    labels : list of str
        The labels. The label of a contender with one candidate is its name.
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, contender in enumerate(contenders):
        rows_of[contender].append(row)
    params = list(candidates.values())
    labels = list(contenders)
    for contender, rows in rows_of.items():
        texts = _label_contender([params[row] for row in rows], length)
        for row, text in zip(rows, texts, strict=True):
            labels[row] = text or contender
    labels = [truncate(label, 3 * length // 2) for label in labels]
    counts = Counter(labels)
    return [
        label if counts[label] == 1 else f"{truncate(label, length)} (candidate {index})"
        for label, index in zip(labels, candidates, strict=True)
    ]


def distinct_texts(values: Iterable[object]) -> list[str]:
    """Return each value as text: the shortest of several formats that tells values apart."""
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    n_distinct = len({_identity(value) for value in values})
    formats: tuple[Callable[[object], str], ...] = (
        format_value,
        lambda value: _format_number(value, 4),
        lambda value: _format_number(value, 6),
        _format_fully,
    )
    texts: list[str] = []
    for format_ in formats:
        texts = [format_(value) for value in values]
        if len(set(texts)) == n_distinct:
            break
    return texts


def cut_texts(texts: Sequence[str], length: int) -> list[str]:
    """Return texts cut to about ``length`` characters: at the end, or where all are alike.

    Different texts stay different.
    """
    different = sorted(set(texts))
    for length_of_alike in (length, 3 * length):
        cut = _cut_alike(different, length, length_of_alike)
        if len(set(cut.values())) == len(different):
            return [cut[text] for text in texts]
    return list(texts)


def _cut_alike(texts: Sequence[str], length: int, length_of_alike: int) -> dict[str, str]:
    """Cut texts at the end, and those that would be equal then where they are alike."""
    groups: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        groups[truncate(text, length)].append(text)
    cut = {}
    for short, group in groups.items():
        start = _n_alike(group)
        end = _n_alike([text[start:][::-1] for text in group])
        for text in group:
            is_alone = len(group) == 1
            cut[text] = short if is_alone else _cut_around(text, start, end, length_of_alike)
    return cut


def _n_alike(texts: Sequence[str]) -> int:
    """Return the length of the start that all texts have in common."""
    columns = zip(*texts, strict=False)
    return len(list(takewhile(lambda column: len(set(column)) == 1, columns)))


def _cut_around(text: str, start: int, end: int, length: int) -> str:
    """Cut the ends of a text, and keep its part from ``start``, with what is before it."""
    if len(text) <= length:
        return text
    length -= bool(start) + bool(end)  # for the marks of what is left out
    middle = truncate(text[start : len(text) - end], length)
    before = text[max(0, start - length + len(middle)) : start]
    return f"{'…' if len(before) < start else ''}{before}{middle}{'…' if end else ''}"


def _label_contender(candidates: Sequence[Parameters], length: int) -> list[str]:
    """Return the labels of one contender's candidates; empty if there is only one candidate."""
    columns = _varying_columns(candidates)
    if not columns:
        return [""] * len(candidates)
    labels = _join_columns(columns)
    for part_length in _LENGTHS:
        if _longest(labels) <= length:
            break
        short = cut_texts(list(columns), part_length)
        cut = {
            name: cut_texts(texts, max(part_length, _SHORTEST_VALUE))
            for name, texts in zip(short, columns.values(), strict=True)
        }
        labels = _join_columns(_drop_columns(cut, length) if part_length < 40 else cut)
    return labels


def _varying_columns(candidates: Sequence[Parameters]) -> dict[str, list[str]]:
    """Return the texts of each parameter that varies, the shortest parameter first.

    The text of a parameter that a candidate lacks is empty.
    """
    columns: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for params in candidates for name in params):
        texts = iter(distinct_texts(params[name] for params in candidates if name in params))
        column = [next(texts) if name in params else "" for params in candidates]
        if len(set(column)) > 1:
            columns[name] = column
    return dict(sorted(columns.items(), key=lambda item: len(item[0]) + _longest(item[1])))


def _join_columns(columns: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        ", ".join(f"{name}={text}" for name, text in zip(columns, row, strict=True) if text)
        for row in zip(*columns.values(), strict=True)
    ]


def _drop_columns(columns: Mapping[str, Sequence[str]], length: int) -> dict[str, Sequence[str]]:
    """Leave out the longest columns that are not needed, until the labels are short enough."""
    kept = dict(columns)
    n_distinct = len(set(_join_columns(kept)))
    for name in reversed(list(columns)):
        if _longest(_join_columns(kept)) <= length:
            break
        rest = {other: texts for other, texts in kept.items() if other != name}
        if rest and len(set(_join_columns(rest))) == n_distinct:
            kept = rest
    return kept


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _identity(value: object) -> Hashable:
    return type(value).__name__, _format_fully(value)


def _format_number(value: object, n_digits: int) -> str:
    return f"{value:.{n_digits}g}" if isinstance(value, float) else format_value(value)


def _format_fully(value: object) -> str:
    return _ADDRESS.sub("", as_one_line(value if isinstance(value, str) else repr(value)))
