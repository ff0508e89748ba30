"""Local workers claim units of fits when they are free, and steal from each other at the end.

The caller cuts groups of fits with shared work into units. Each worker claims the units of one
group, one at a time, then those of another group that no worker has begun. When all groups have
been begun, it steals from the group that has most units left. With large data it does so within a
split, and goes on to the next one when no unit is left: the slices of a split take much memory.

A claim is a file that only one process can create (``O_CREAT | O_EXCL``) in a folder that all
workers see. There is no server and no lock that a dead worker could hold: it loses at most the unit
that it was running, which the caller notices in its journal. A queue of ``multiprocessing`` would
be simpler, but Metaflow's tasks are not children of one process, and a process that dies while it
reads from such a queue blocks all others. A network file system without atomic ``O_EXCL`` would
break it. ``tests/scheduling/test_work_stealing.py`` watches that each unit is claimed once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from skdistsearch._batch import Batch
from skdistsearch.scheduling._chunks import Chunk
from skdistsearch.scheduling._grouping import group_by_shared_work
from skdistsearch.scheduling._leading_fits import LeadingFits

UnitGroups: TypeAlias = Sequence[Sequence[Chunk]]
"""The units of each group of fits with shared work."""

_UNITS_PER_WORKER = 4  # of the fits that are left: units shrink towards the end


def make_units(batch: Batch, fits: Sequence[int], n_workers: int) -> list[list[Chunk]]:
    """Group fits by shared work, and cut the groups into units for ``n_workers`` workers.

    With large data, a unit is a fit or a path, so that all workers leave a split at about the same
    time.
    """
    leading = LeadingFits(batch, fits)
    groups = group_by_shared_work(batch, leading.fits)
    if _has_large_data(batch):
        return [[leading.with_followers([fit]) for fit in group] for group in groups]
    units = split_into_units(groups, n_workers)
    return [list(map(leading.with_followers, group)) for group in units]


def split_stages(batch: Batch, groups: UnitGroups) -> list[int]:
    """Return the stage of each group: with large data its split, and otherwise the same for all."""
    is_large = _has_large_data(batch)
    return [batch.fits[units[0][0]].split if is_large else 0 for units in groups]


def _has_large_data(batch: Batch) -> bool:
    work = batch.context.shared_work
    return work is not None and work.has_large_data


def split_into_units(groups: Sequence[Chunk], n_workers: int) -> list[list[Chunk]]:
    """Cut groups into units that shrink towards the end (guided self-scheduling)."""
    n_left = sum(map(len, groups))
    unit_groups = []
    for group in groups:
        units, first = [], 0
        while first < len(group):
            size = max(1, min(n_left // (_UNITS_PER_WORKER * n_workers), len(group) - first))
            units.append(tuple(group[first : first + size]))
            first += size
            n_left -= size
        unit_groups.append(units)
    return unit_groups


def all_fits(groups: UnitGroups) -> list[int]:
    """Return the fits of all units."""
    return [fit for units in groups for unit in units for fit in unit]


def claim_units(
    groups: UnitGroups,
    folder: Path,
    on_claimed_elsewhere: Callable[[Iterable[int]], None],
    owner: str = "",
    stages: Sequence[int] | None = None,
) -> Iterator[Chunk]:
    """Claim units for this process, and yield them, until none is left.

    Parameters
    ----------
    groups : sequence of sequences of units
        The same for all workers.
    folder : Path
        Folder of the claims. All workers see it.
    on_claimed_elsewhere : callable
        Called with the fits that other processes have claimed.
    owner : str, default=""
        Written to the claims of this process. Units claimed earlier under the same owner, by a
        process that has ended, are yielded first.
    stages : sequence of int or None, default=None
        Stage of each group. Units of a stage are claimed before those of a later one. None: all
        groups have the same one.
    """
    seen = {name for name in os.listdir(folder) if owner and (folder / name).read_text() == owner}
    yield from (_unit_by_name(groups, name) for name in sorted(seen))
    group, steals = -1, False
    while free := _free_units(groups, names := set(os.listdir(folder))):
        for name in names - seen:
            on_claimed_elsewhere(_unit_by_name(groups, name))
        seen |= names
        if stages:
            first = min(stages[number] for number in free)
            free = {number: names for number, names in free.items() if stages[number] == first}
        if group not in free:
            group, steals = _choose_group(free, groups)
        # a thief starts at the other end, where the work differs most from the owner's current unit
        name = free[group][-1 if steals and len(groups) > 1 else 0]
        if _try_claim(folder / name, owner):
            seen.add(name)
            yield _unit_by_name(groups, name)


def _free_units(groups: UnitGroups, claims: set[str]) -> dict[int, list[str]]:
    """Return, by group, the names of the units that no process has claimed."""
    free = {}
    for number, units in enumerate(groups):
        names = [f"{number}-{unit}" for unit in range(len(units))]
        if unclaimed := [name for name in names if name not in claims]:
            free[number] = unclaimed
    return free


def _choose_group(free: dict[int, list[str]], groups: UnitGroups) -> tuple[int, bool]:
    """Return the group to continue with, and whether that is stealing."""
    untouched = [number for number, names in free.items() if len(names) == len(groups[number])]
    if untouched:
        return untouched[0], False
    n_fits = {
        number: sum(len(_unit_by_name(groups, name)) for name in names)
        for number, names in free.items()
    }
    return max(n_fits, key=n_fits.__getitem__), True


def _unit_by_name(groups: UnitGroups, name: str) -> Chunk:
    group, _, unit = name.partition("-")
    return groups[int(group)][int(unit)]


def _try_claim(path: Path, owner: str) -> bool:
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    if owner:
        os.write(file, owner.encode())
    os.close(file)
    return True
