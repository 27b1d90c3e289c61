"""How many replicas of each workload each cluster gets: Karmada's strategies, over workloads x clusters.

All strategies come down to Webster's method (:mod:`skyedge.layers.federation.webster`) over some weights and some replicas:

====================  ==============================  ===========================================
what is asked         weights                         replicas that are divided
====================  ==============================  ===========================================
static                as the policy says              all
dynamic, more wanted  room for more                   the increase; those that run stay
dynamic, fewer        where replicas are              all that are left
dynamic, afresh       room, with what is given back   all
====================  ==============================  ===========================================

A cluster never gets more than it has room for: Webster's method is monotone, and were there as many replicas as room in
all, each would get just its own.

Aggregated is dynamic over the shortest list of clusters with room enough: those with replicas that stay first, then by
weight, then by name.  ``room`` is how many *more* replicas fit, by the estimate for one workload by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

import numpy as np

from skyedge.layers.federation.webster import ELEMENTS_AT_ONCE, Counts, Flags, webster_seats


class Strategy(IntEnum):
    """How replicas are divided; the numbers are those of a column of many."""

    DUPLICATED = 0
    STATIC_WEIGHT = 1
    DYNAMIC_WEIGHT = 2
    AGGREGATED = 3

    @property
    def by_room(self) -> bool:
        """Whether the room of clusters plays a part."""
        return self in (Strategy.DYNAMIC_WEIGHT, Strategy.AGGREGATED)


class Mode(Enum):
    """Whether replicas that run stay where they are, if they can, or all is divided anew."""

    STEADY = "Steady"
    FRESH = "Fresh"


FNV_OFFSET, FNV_PRIME = 0x811C9DC5, 0x01000193
"""Of the 32-bit hash of Fowler, Noll and Vo, variant 1a."""

COLUMN_BITS = 21
"""Of a number to sort by, for the cluster: two million of them."""

MOST_ROOM = (1 << 40) - 1
"""More room than this counts as this much."""

PREFERRED = 1 << 62


@dataclass(frozen=True)
class Division:
    """Who gets what.

    Attributes:
        replicas: of each workload on each cluster, (workloads, clusters).
        missing: how many replicas too few there is room for, (workloads,).  A workload that misses any is not scheduled
            at all: its row of ``replicas`` is what was scheduled.
    """

    replicas: Counts
    missing: Counts


def ties_descend(uid: str) -> bool:
    """Whether ties of name go to the last one: where the hash of a workload's unique name is odd.

    Otherwise the cluster whose name comes first would get the odd replica of every workload.
    """
    digest = FNV_OFFSET
    for byte in uid.encode():
        digest = (digest ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return bool(uid) and digest % 2 == 1


def all_ties_descend(uids: Sequence[str]) -> Flags:
    """:func:`ties_descend` of each, (workloads,)."""
    encoded = [uid.encode() for uid in uids]
    lengths = np.array([len(one) for one in encoded], np.intp)
    longest = int(lengths.max(initial=0))
    letters = np.frombuffer(b"".join(one.ljust(longest, b"\0") for one in encoded), np.uint8).reshape(len(uids), longest)
    digests = np.full(len(uids), FNV_OFFSET, np.uint64)
    for place in range(longest):
        digested = ((digests ^ letters[:, place]) * np.uint64(FNV_PRIME)) & np.uint64(0xFFFFFFFF)
        digests = np.where(place < lengths, digested, digests)
    odd: Flags = (digests % 2 == 1) & (lengths > 0)
    return odd


def divide_duplicated(replicas: Counts, candidates: Flags) -> Counts:
    """All replicas on every candidate, (workloads, clusters)."""
    everywhere: Counts = np.where(candidates, replicas[:, None], 0)
    return everywhere


def divide_by_static_weight(replicas: Counts, weights: Counts, candidates: Flags, descending: Flags | None = None) -> Counts:
    """In proportion to given weights, whatever room there is, (workloads, clusters); all zero: in equal parts.

    Args:
        replicas: of each workload, (workloads,).
        weights: (workloads, clusters); zero for a cluster that the policy does not mention.
        candidates: where each workload may run, (workloads, clusters).
        descending: see :func:`ties_descend`, (workloads,).
    """
    weights = np.where(candidates, weights, 0)
    weighed = np.where(weights.any(axis=1, keepdims=True), weights > 0, candidates)
    return webster_seats(replicas, weights, members=weighed, descending=descending)


def divide_by_room(
    replicas: Counts,
    room: Counts,
    scheduled: Counts,
    candidates: Flags,
    aggregated: Flags,
    fresh: Flags | None = None,
    descending: Flags | None = None,
    marks: Counts | None = None,
) -> Division:
    """By the room that clusters have, in proportion to it or on as few as will do.

    Args:
        replicas: wanted, (workloads,).
        room: how many more of a workload fit, (workloads, clusters).
        scheduled: how many are there already, (workloads, clusters); what is not on a candidate counts as gone.
        candidates: where each workload may run, (workloads, clusters).
        aggregated: which workloads want few clusters, (workloads,).
        fresh: which workloads are divided anew though they run, (workloads,); none if left out.
        descending: see :func:`ties_descend`, (workloads,).
        marks: divide in proportion to room x marks, and what does not fit there by room, (workloads, clusters); Karmada has
            no such thing.  Where fewer replicas are wanted, they play no part.
    """
    none = np.zeros(len(replicas), np.bool_)
    fresh, descending = none if fresh is None else fresh, none if descending is None else descending
    divided, missing = np.empty(room.shape, np.int64), np.empty(len(replicas), np.int64)
    step = max(1, ELEMENTS_AT_ONCE // max(room.shape[1], 1))
    for start in range(0, len(replicas), step):
        here = slice(start, start + step)
        divided[here], missing[here] = _by_room(
            replicas[here],
            np.where(candidates[here], room[here], 0),
            np.where(candidates[here], scheduled[here], 0),
            aggregated[here],
            fresh[here],
            descending[here],
            None if marks is None else marks[here],
        )
    unfit = np.flatnonzero(missing)
    divided[unfit] = scheduled[unfit]
    return Division(divided, missing)


def _by_room(
    replicas: Counts,
    room: Counts,
    there: Counts,
    aggregated: Flags,
    fresh: Flags,
    descending: Flags,
    marks: Counts | None,
) -> tuple[Counts, Counts]:
    """What each cluster gets, and how many replicas find no room; where any does not, the former means nothing."""
    assigned = there.sum(axis=1)
    down = ~fresh & (assigned > replicas)
    weights = room
    weights[fresh] += there[fresh]
    weights[down] = there[down]
    kept = there.copy()
    kept[fresh | down] = 0
    to_give = replicas - kept.sum(axis=1)
    missing: Counts = np.maximum(to_give - weights.sum(axis=1), 0)
    to_give[missing > 0] = 0
    few = np.flatnonzero(aggregated & (to_give > 0))
    if len(few):
        # Where fewer are wanted, or all is divided anew, nothing counts as scheduled: only what runs on stays preferred.
        preferred = kept[few] > 0
        weights[few] *= shortest_with_room(to_give[few], weights[few], preferred)
    if marks is not None:
        votes = weights * np.where(down[:, None], 1, marks)
        return kept + seats_within(to_give, votes, weights, descending), missing
    return kept + webster_seats(to_give, weights, members=weights > 0, descending=descending), missing


def seats_within(new_seats: Counts, votes: Counts, most: Counts, descending: Flags) -> Counts:
    """Seats by Webster's method, but for nobody more than ``most``: what that leaves over goes to the others, again so.

    Args:
        new_seats: to give, at most the sum of ``most``, (rows,).
        votes: (rows, parties).  Those without any come after all others are full, by how much they can take.
        most: (rows, parties).
        descending: see :func:`ties_descend`, (rows,).
    """
    seats: Counts = np.zeros(votes.shape, np.int64)
    left = new_seats.copy()
    rows = np.flatnonzero(left > 0)
    while len(rows):
        free = most[rows] - seats[rows]
        mine = np.where(free > 0, votes[rows], 0)
        mine = np.where(mine.any(axis=1, keepdims=True), mine, free)
        given = webster_seats(left[rows], mine, members=mine > 0, descending=descending[rows])
        given = np.minimum(given, free)
        seats[rows] += given
        left[rows] -= given.sum(axis=1)
        rows = rows[left[rows] > 0]
    return seats


def shortest_with_room(wanted: Counts, room: Counts, preferred: Flags) -> Flags:
    """The fewest clusters, in order, that together have room: preferred ones first, then the roomiest, then by name.

    Args:
        wanted: replicas, (workloads,).
        room: (workloads, clusters), clusters in the order of their names.
        preferred: (workloads, clusters).
    """
    clusters = room.shape[1]
    # One number holds all that the order asks for; sorting numbers is several times as fast as sorting places by columns.
    key = np.minimum(room, MOST_ROOM) << COLUMN_BITS
    key |= np.arange(clusters)[::-1]
    key[preferred] |= PREFERRED
    ordered = np.sort(key, axis=1)[:, ::-1]
    before = np.cumsum((ordered & ~PREFERRED) >> COLUMN_BITS, axis=1)
    count = (before < wanted[:, None]).sum(axis=1)
    last = np.take_along_axis(ordered, np.minimum(count, clusters - 1)[:, None], axis=1)
    chosen: Flags = (key >= last) & (wanted > 0)[:, None]
    return chosen
