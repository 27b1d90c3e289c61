"""The clusters of many workloads at once, under a spread constraint by cluster: :func:`spread.spread_by_cluster` in columns.

A cluster's place in a workload's order is one number, so the best few are found without putting all in order.  Those few
workloads whose best clusters have too little room then change places step by step, all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.federation.webster import ELEMENTS_AT_ONCE, Counts, Flags

COLUMN_BITS, ROOM_BITS, SCORE_BITS = 20, 31, 11
"""Of the number that is sorted by: for the cluster, its room (more counts as the most) and its score."""


@dataclass(frozen=True)
class Choice:
    """Which clusters each workload runs on.

    Attributes:
        chosen: (workloads, clusters); nothing for a workload that finds too few clusters, or too little room on them.
        fits: which workloads find enough, (workloads,).
    """

    chosen: Flags
    fits: Flags


def choose_clusters(
    scores: Counts,
    available_replicas: Counts,
    candidates: Flags,
    min_groups: Counts,
    max_groups: Counts,
    need_replicas: Counts,
) -> Choice:
    """The clusters of each workload.

    Args:
        scores: from 0 to 2047, (workloads, clusters), clusters in the order of their names.
        available_replicas: what each cluster could run, (workloads, clusters).
        candidates: which clusters come into question, (workloads, clusters).
        min_groups, max_groups: how many clusters, (workloads,); a maximum of 0 is none.
        need_replicas: for which there must be room, (workloads,); 0 where room plays no part.

    Raises:
        InputError: if a score is out of range, or there are over a million clusters.
    """
    clusters = scores.shape[1]
    check_scores(scores)
    chosen = np.zeros(scores.shape, np.bool_)
    members = candidates.sum(axis=1)
    fits = members >= min_groups
    count = np.where(max_groups > 0, np.minimum(max_groups, members), members)
    asking = np.flatnonzero(fits & (members > 0))
    # Workloads that choose as many lie together.
    asking = asking[np.argsort(count[asking], kind="stable")]
    step = max(1, ELEMENTS_AT_ONCE // max(clusters, 1))
    for start in range(0, len(asking), step):
        here = asking[start : start + step]
        chosen[here], fits[here] = _choose(
            scores[here], available_replicas[here], candidates[here], count[here], need_replicas[here]
        )
    return Choice(chosen, fits & ((need_replicas <= 0) | chosen.any(axis=1)))


def check_scores(scores: Counts) -> None:
    """
    Raises:
        InputError: if a score is out of range, or there are over a million clusters.
    """
    if scores.shape[1] >= 1 << COLUMN_BITS or scores.min(initial=0) < 0 or scores.max(initial=0) >= 1 << SCORE_BITS:
        raise InputError(f"scores go from 0 to {(1 << SCORE_BITS) - 1}, and clusters to {1 << COLUMN_BITS}")


def sort_keys(scores: Counts, room: Counts, candidates: Flags) -> Counts:
    """One number for each cluster, the best has the greatest: by score, room and name; negative for who is no candidate.

    No two are the same, for partial sorts take long over many that are.
    """
    key: Counts = (scores << (ROOM_BITS + COLUMN_BITS)) | (np.minimum(room, (1 << ROOM_BITS) - 1) << COLUMN_BITS)
    key |= np.arange(scores.shape[1] - 1, -1, -1)
    return np.where(candidates, key, -1 - np.arange(scores.shape[1]))


def best_of(key: Counts, count: Counts) -> Flags:
    """The clusters with the ``count`` greatest keys of each row, (rows, clusters); ``count`` in ascending order, from 1."""
    clusters, most = key.shape[1], int(count[-1])
    first = np.partition(key, clusters - most, axis=1)[:, clusters - most :]
    first.sort(axis=1)
    best: Flags = key >= first[np.arange(len(key)), most - count][:, None]
    return best


def _choose(scores: Counts, room: Counts, candidates: Flags, count: Counts, need: Counts) -> tuple[Flags, Flags]:
    """Which clusters are chosen, and who found room; nothing is chosen for the others."""
    key = sort_keys(scores, room, candidates)
    chosen = best_of(key, count)
    fits = need <= 0
    fits |= np.where(chosen, room, 0).sum(axis=1) >= need
    short = np.flatnonzero(~fits)
    if len(short):
        chosen[short], fits[short] = _exchange(key[short], room[short], candidates[short], count[short], need[short])
    return chosen, fits


def _exchange(key: Counts, room: Counts, candidates: Flags, count: Counts, need: Counts) -> tuple[Flags, Flags]:
    """The worst chosen gives way to the roomiest of the rest, until there is room."""
    clusters = key.shape[1]
    order = clusters - 1 - (np.sort(key, axis=1)[:, ::-1] & ((1 << COLUMN_BITS) - 1))
    members = candidates.sum(axis=1)
    place = np.arange(clusters)
    # The number of those that are no candidates is of no cluster: they come last, and are never asked for.
    order[place >= members[:, None]] = 0
    sorted_room = np.where(place < members[:, None], np.take_along_axis(room, order, axis=1), -1)
    total = np.where(place < count[:, None], sorted_room, 0).sum(axis=1)
    last = count - 1
    rows = np.flatnonzero((total < need) & (last >= 0))
    while len(rows):
        rest = np.where(place >= count[rows, None], sorted_room[rows], -1)
        roomiest, mine = rest.argmax(axis=1), last[rows]
        gain = rest[np.arange(len(rows)), roomiest] - sorted_room[rows, mine]
        swap = gain > 0
        for table in (order, sorted_room):
            one, other = table[rows[swap], mine[swap]], table[rows[swap], roomiest[swap]]
            table[rows[swap], mine[swap]], table[rows[swap], roomiest[swap]] = other, one
        total[rows] += np.where(swap, gain, 0)
        last[rows] -= 1
        rows = rows[(total[rows] < need[rows]) & (last[rows] >= 0)]
    fits = total >= need
    chosen = np.zeros(key.shape, np.bool_)
    row, column = np.nonzero((place < count[:, None]) & fits[:, None])
    chosen[row, order[row, column]] = True
    return chosen, fits
