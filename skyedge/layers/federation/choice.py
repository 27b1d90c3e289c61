"""The clusters of many workloads at once, under a spread constraint by cluster: :func:`spread.spread_by_cluster` in columns.

Each workload's clusters are put in order by one sort of one number each.  Those few workloads whose best clusters have too
little room then change places step by step, all of them together.
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
    workloads, clusters = scores.shape
    if clusters >= 1 << COLUMN_BITS or scores.min(initial=0) < 0 or scores.max(initial=0) >= 1 << SCORE_BITS:
        raise InputError(f"scores go from 0 to {(1 << SCORE_BITS) - 1}, and clusters to {1 << COLUMN_BITS}")
    chosen = np.zeros(scores.shape, np.bool_)
    fits = candidates.sum(axis=1) >= min_groups
    step = max(1, ELEMENTS_AT_ONCE // max(clusters, 1))
    for start in range(0, workloads if clusters else 0, step):
        here = slice(start, start + step)
        _choose(
            scores[here],
            available_replicas[here],
            candidates[here],
            max_groups[here],
            need_replicas[here],
            chosen[here],
            fits[here],
        )
    chosen[~fits] = False
    return Choice(chosen, fits & ((need_replicas <= 0) | chosen.any(axis=1)))


def _choose(
    scores: Counts, room: Counts, candidates: Flags, at_most: Counts, need: Counts, chosen: Flags, fits: Flags
) -> None:
    """Fill ``chosen``, and take from ``fits`` those without room."""
    clusters = scores.shape[1]
    key = (scores << (ROOM_BITS + COLUMN_BITS)) | (np.minimum(room, (1 << ROOM_BITS) - 1) << COLUMN_BITS)
    key |= np.arange(clusters)[::-1]
    key[~candidates] = -1
    key = np.sort(key, axis=1)[:, ::-1]
    order = clusters - 1 - (key & ((1 << COLUMN_BITS) - 1))
    members = candidates.sum(axis=1)
    count = np.where(at_most > 0, np.minimum(at_most, members), members)
    place = np.arange(clusters)
    # The number of those that are no candidates is of no cluster: they come last, and are never asked for.
    order[place >= members[:, None]] = 0
    sorted_room = np.where(place < members[:, None], np.take_along_axis(room, order, axis=1), -1)
    total = np.where(place < count[:, None], sorted_room, 0).sum(axis=1)
    last = count - 1
    rows = np.flatnonzero((need > 0) & (total < need) & (last >= 0))
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
    fits &= (need <= 0) | (total >= need)
    row, column = np.nonzero(place < count[:, None])
    chosen[row, order[row, column]] = True
