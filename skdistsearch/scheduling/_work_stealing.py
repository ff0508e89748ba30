"""Processes that take the next fits themselves, so that what shares work stays together.

Each worker has a lane: it takes units of fits, one at a time, from a group of its own. When that
group is done it begins another, and when all have been begun it helps with the one that has most
left. What is taken is marked by a file that only one process can make.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from skdistsearch.scheduling._chunks import Chunk

Groups = Sequence[Sequence[Chunk]]
"""Of each group, the units that it is taken in."""


def split_into_units(groups: Sequence[Chunk], workers: int) -> list[list[Chunk]]:
    """The groups, cut into units that shrink towards the end: guided self-scheduling."""
    left = sum(map(len, groups))
    found = []
    for group in groups:
        cut, first = [], 0
        while first < len(group):
            size = max(1, min(left // (4 * workers), len(group) - first))
            cut.append(tuple(group[first : first + size]))
            first += size
            left -= size
        found.append(cut)
    return found


def claim_units(
    groups: Groups, folder: Path, others: Callable[[Iterable[int]], None], label: str = ""
) -> Iterator[Chunk]:
    """Units that this process has taken, until none is left.

    ``others`` is told of the fits that other processes have taken. ``label``: what the marks of
    this process have in them. Units that another one with the same label has taken, which ended
    before this one began, come first.
    """
    known = {name for name in os.listdir(folder) if label and (folder / name).read_text() == label}
    yield from (_unit(groups, name) for name in sorted(known))
    group, helps = -1, False
    while free := _free(groups, names := set(os.listdir(folder))):
        for name in names - known:
            others(_unit(groups, name))
        known |= names
        if group not in free:
            group, helps = _next(free, groups)
        # Who helps begins at the other end, where the work is unlike what is being done
        name = free[group][-1 if helps and len(groups) > 1 else 0]
        if _take(folder / name, label):
            known.add(name)
            yield _unit(groups, name)


def _free(groups: Groups, names: set[str]) -> dict[int, list[str]]:
    """By group, the names of the units that nobody has taken."""
    of_all = ([f"{number}-{unit}" for unit in range(len(cut))] for number, cut in enumerate(groups))
    left = ([name for name in of_group if name not in names] for of_group in of_all)
    return {number: of_group for number, of_group in enumerate(left) if of_group}


def _next(free: dict[int, list[str]], groups: Groups) -> tuple[int, bool]:
    """The group to go on with, and whether another process is at it."""
    untouched = [number for number, left in free.items() if len(left) == len(groups[number])]
    if untouched:
        return untouched[0], False
    n_fits = {number: sum(len(_unit(groups, name)) for name in free[number]) for number in free}
    return max(n_fits, key=n_fits.__getitem__), True


def _unit(groups: Groups, name: str) -> Chunk:
    group, _, unit = name.partition("-")
    return groups[int(group)][int(unit)]


def _take(path: Path, label: str) -> bool:
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    if label:
        os.write(file, label.encode())
    os.close(file)
    return True
