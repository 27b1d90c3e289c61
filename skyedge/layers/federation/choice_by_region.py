"""The clusters of many workloads at once, under a spread constraint by region: :func:`spread.spread_by_region` in columns.

A region is looked at for all workloads together: its clusters in each one's order, and sums along that order.  The regions
follow at once where any fewest of them hold clusters enough, for then the heaviest are the best; where not, each distinct
case is searched once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyedge.layers.federation.choice import COLUMN_BITS, ROOM_BITS, Choice, best_of, check_scores, sort_keys
from skyedge.layers.federation.nodes import Places
from skyedge.layers.federation.spread import SCORE_UNIT, Group, select_groups
from skyedge.layers.federation.webster import ELEMENTS_AT_ONCE, Counts, Flags

FIRST_OF_REGION = 1 << 62
"""Put before the sort key of the best cluster of each region, which is chosen whatever else is."""

Case = tuple[int, int, int, tuple[int, ...], tuple[int, ...]]


def choose_by_region(
    scores: Counts,
    available_replicas: Counts,
    candidates: Flags,
    region_members: Sequence[Places],
    min_regions: Counts,
    max_regions: Counts,
    min_clusters: Counts,
    max_clusters: Counts,
    replicas: Counts,
    duplicated: Flags,
) -> Choice:
    """The clusters of each workload; at least one in each region that is chosen.

    Args:
        scores: from 0 to 2047, (workloads, clusters), clusters in the order of their names.
        available_replicas: what each cluster could run, (workloads, clusters).
        candidates: which clusters come into question, (workloads, clusters).
        region_members: the clusters of each region, regions in the order of their names.
        min_regions, max_regions, min_clusters, max_clusters: how many, (workloads,); a maximum of 0 is none.
        replicas: wanted, (workloads,).
        duplicated: which workloads put all of them on each cluster, (workloads,).

    Raises:
        InputError: if a score is out of range, or there are over a million clusters.
    """
    check_scores(scores)
    workloads, clusters = scores.shape
    values, weights = np.zeros((2, workloads, len(region_members)), np.int64)
    first = np.zeros((workloads, len(region_members)), np.intp)
    for region, mine in enumerate(region_members):
        step = max(1, ELEMENTS_AT_ONCE // len(mine))
        for start in range(0, workloads, step):
            here = slice(start, start + step)
            key = sort_keys(scores[here][:, mine], available_replicas[here][:, mine], candidates[here][:, mine])
            key = np.sort(key, axis=1)[:, ::-1]
            values[here, region] = (key >= 0).sum(axis=1)
            first[here, region] = mine[np.where(key[:, 0] >= 0, len(mine) - 1 - (key[:, 0] & ((1 << COLUMN_BITS) - 1)), 0)]
            weights[here, region] = _group_scores(
                key, replicas[here], duplicated[here], min_regions[here], min_clusters[here]
            )
    regions = _select(values, weights, min_regions, max_regions, min_clusters)
    fits: Flags = np.any(regions, axis=1)
    chosen = np.zeros(scores.shape, np.bool_)
    # One column more, which is never open, for clusters whose region is not known.
    region_of = np.full(clusters, len(region_members), np.intp)
    for region, mine in enumerate(region_members):
        region_of[mine] = region
    is_open = np.concatenate([regions, np.zeros((workloads, 1), np.bool_)], axis=1)
    members = np.where(regions, values, 0).sum(axis=1)
    count = np.where(max_clusters > 0, np.minimum(max_clusters, members), members)
    count = np.maximum(count, regions.sum(axis=1))
    rows = np.flatnonzero(fits)
    rows = rows[np.argsort(count[rows], kind="stable")]
    step = max(1, ELEMENTS_AT_ONCE // max(clusters, 1))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        key = sort_keys(scores[some], available_replicas[some], candidates[some] & is_open[some][:, region_of])
        row, selected = np.nonzero(regions[some])
        key[row, first[some[row], selected]] |= FIRST_OF_REGION
        chosen[some] = best_of(key, count[some])
    return Choice(chosen, fits)


def _group_scores(key: Counts, replicas: Counts, duplicated: Flags, min_regions: Counts, min_clusters: Counts) -> Counts:
    """How good one region is for each workload, (workloads,): :func:`spread.group_score`.

    Args:
        key: of the region's clusters, the best first, (workloads, clusters of the region).
    """
    member = key >= 0
    score = np.where(member, key >> (ROOM_BITS + COLUMN_BITS), 0)
    room = np.where(member, (key >> COLUMN_BITS) & ((1 << ROOM_BITS) - 1), 0)
    able = member & (room >= replicas[:, None])
    number = able.sum(axis=1)
    all_on_each = SCORE_UNIT * number + np.where(able, score, 0).sum(axis=1) // np.maximum(number, 1)
    share = -(-replicas // np.maximum(min_regions, 1))
    least = np.maximum(min_regions, min_clusters)
    place = np.arange(key.shape[1])
    sums = np.cumsum(room, axis=1)
    enough = (place + 1 >= least[:, None]) & (sums >= share[:, None])
    last = np.minimum(np.where(enough.any(axis=1), enough.argmax(axis=1), key.shape[1]), member.sum(axis=1) - 1)
    last = np.maximum(last, 0)
    row = np.arange(len(key))
    shared = SCORE_UNIT * np.minimum(sums[row, last], share) + np.cumsum(score, axis=1)[row, last] // (last + 1)
    marks: Counts = np.where(duplicated, all_on_each, np.where(member.any(axis=1), shared, 0))
    return marks


def _select(values: Counts, weights: Counts, least: Counts, most: Counts, target: Counts) -> Flags:
    """The regions of each workload, (workloads, regions); none if no choice holds clusters enough."""
    workloads, regions = values.shape
    selected = np.zeros((workloads, regions), np.bool_)
    filled = (values > 0).sum(axis=1)
    fewest = np.maximum(least, 1)
    possible = (filled >= fewest) & ((most == 0) | (most >= fewest))
    # Of the regions with clusters, any fewest hold as many as are wanted: then no choice is larger, and the heaviest win.
    ascending = np.cumsum(np.sort(np.where(values > 0, values, np.iinfo(np.int32).max), axis=1), axis=1)
    at = np.minimum(fewest, regions) - 1
    plain = possible & (ascending[np.arange(workloads), at] >= target) if regions else possible
    rows = np.flatnonzero(plain)
    if len(rows):
        order = np.lexsort((-values[rows], -np.where(values[rows] > 0, weights[rows], -1)), axis=1)
        row, place = np.nonzero(np.arange(regions) < fewest[rows, None])
        selected[rows[row], order[row, place]] = True
    known: dict[Case, list[int]] = {}
    for workload in np.flatnonzero(possible & ~plain).tolist():
        case = (
            int(least[workload]),
            int(most[workload]),
            int(target[workload]),
            tuple(values[workload].tolist()),
            tuple(weights[workload].tolist()),
        )
        if case not in known:
            known[case] = _search(case)
        selected[workload, known[case]] = True
    return selected


def _search(case: Case) -> list[int]:
    least, most, target, values, weights = case
    width = len(str(len(values)))
    groups = [
        Group(f"{place:0{width}d}", value, weight)
        for place, (value, weight) in enumerate(zip(values, weights, strict=True))
        if value
    ]
    return [int(name) for name in select_groups(groups, least, most or len(groups), target) or ()]
