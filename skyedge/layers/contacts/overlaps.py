"""Intervals that overlap, and sets of them that hold too many at a time: the geometry under every contest for an antenna.

Intervals are half open.  Those of one group (the contacts of a site, of a satellite) that hold an instant in common form
a clique; every largest clique is found at the beginning of one of its members, so as many cliques as there are intervals
say all that there is to say about who may talk at once (Gupta, Lee & Leung 1979).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Cliques:
    """Sets of intervals of which too many overlap: pairs of (clique, member) in order of clique, and each one's capacity."""

    clique: Rows  # (pairs,)
    member: Rows  # (pairs,)
    capacity: NDArray[np.int64]  # (cliques,)

    def __len__(self) -> int:
        return len(self.capacity)


def overlapping(group: Rows, begin: Ints, end: Ints) -> tuple[Rows, Rows]:
    """Pairs of rows of one group that overlap, (pairs,) each: the one that begins first (or stands first), the other."""
    if not len(group):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    order = np.lexsort((begin, group))
    span = int(max(begin.max(), end.max()) - begin.min()) + 1
    key = group[order] * span + (begin[order] - begin.min())
    # All of the group that begin before this one ends, and stand behind it.
    last = group[order] * span + np.minimum(end[order] - begin.min(), span - 1)
    stop = np.maximum(np.searchsorted(key, last, side="left"), np.arange(1, len(order) + 1))
    count = stop - np.arange(1, len(order) + 1)
    earlier = np.repeat(np.arange(len(order)), count)
    later = earlier + 1 + (np.arange(len(earlier)) - np.repeat(np.cumsum(count) - count, count))
    return order[earlier], order[later]


def overfull_cliques(group: Rows, begin: Ints, end: Ints, capacity: Ints, pairs: tuple[Rows, Rows]) -> Cliques:
    """The cliques with more members than their group's ``capacity``, one an instant.

    Args:
        group: of each interval, (intervals,).
        begin: of each interval.
        end: of each interval.
        capacity: how many of a group may be taken at a time, (groups,).
        pairs: what :func:`overlapping` found.
    """
    earlier, later = pairs
    size = np.bincount(later, minlength=len(group)) + 1
    # Of several that begin at once the one that stands last has all others as members.
    order = np.lexsort((begin, group))
    same = (group[order][1:] == group[order][:-1]) & (begin[order][1:] == begin[order][:-1])
    is_last = np.ones(len(group), bool)
    is_last[order[:-1][same]] = False
    kept = (size > capacity[group]) & is_last
    number = np.cumsum(kept) - 1
    inside = kept[later]
    clique = np.concatenate([number[later[inside]], number[kept]])
    member = np.concatenate([earlier[inside], np.flatnonzero(kept)])
    sort = np.lexsort((member, clique))
    return Cliques(clique[sort], member[sort], capacity[group[kept]].astype(np.int64))


def joined(parts: list[Cliques]) -> Cliques:
    """Cliques of several kinds over the same intervals as one set."""
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    return Cliques(
        np.concatenate([part.clique + offset for part, offset in zip(parts, offsets, strict=False)]),
        np.concatenate([part.member for part in parts]),
        np.concatenate([part.capacity for part in parts]),
    )
