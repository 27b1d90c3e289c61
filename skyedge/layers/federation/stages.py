"""From what the filters leave to replicas: which clusters are chosen, and how many replicas each of them gets.

Workloads that go the same way lie together in pieces that fit a cache.  Where they run on few clusters, only those columns
are kept before replicas are divided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.batch import NOT_CANDIDATE, Batch, Tiers
from skyedge.layers.federation.choice import Choice, choose_clusters
from skyedge.layers.federation.choice_by_region import choose_by_region
from skyedge.layers.federation.division import Strategy, divide_by_room, divide_by_static_weight
from skyedge.layers.federation.nodes import Places
from skyedge.layers.federation.webster import ELEMENTS_AT_ONCE, Counts, Flags


class Failure(IntEnum):
    """Why a workload was not placed by one affinity group."""

    NONE = 0
    NO_CLUSTER = 1
    CLUSTERS = 2
    REGIONS = 3
    ROOM = 4
    NOT_TRIED = 5


@dataclass(frozen=True)
class Outcome:
    """What came of the workloads of a batch, each by the affinity group that was tried last.

    Attributes:
        replicas: (workloads, clusters); nothing for those that failed.
        targets: clusters that run some, or that hold a workload without replicas, (workloads, clusters).
        failure: a :class:`Failure`, (workloads,).
        figure: how many candidates there were, or replicas without room, (workloads,).
    """

    replicas: NDArray[np.int32]
    targets: Flags
    failure: NDArray[np.int8]
    figure: Counts

    @classmethod
    def blank(cls, batch: Batch) -> Outcome:
        """Nothing is decided yet."""
        shape = (len(batch.workloads), len(batch.federation))
        failure = np.full(shape[0], Failure.NOT_TRIED, np.int8)
        return cls(np.zeros(shape, np.int32), np.zeros(shape, np.bool_), failure, np.zeros(shape[0], np.int64))


def decide(batch: Batch, rows: Places, group: Places, outcome: Outcome) -> None:
    """Place some workloads, each by one of its affinity groups.

    Args:
        batch: the workloads.
        rows: which of them; none that has a place.
        group: the number of the affinity group of each of these, (rows,).
        outcome: of the batch; what comes of these is put down in it.
    """
    for piece in _alike(batch, rows):
        _decide(batch, rows[piece], group[piece], outcome)


def _alike(batch: Batch, rows: Places) -> Iterator[Places]:
    """Places in ``rows`` of workloads that go the same way, in pieces."""
    divided = np.where(batch.replicas[rows] > 0, batch.strategy[rows], Strategy.DUPLICATED)
    way = np.ravel_multi_index(
        (divided, batch.spread_kind[rows], batch.overflows[rows].astype(np.int64), batch.scored[rows].astype(np.int64)),
        (len(Strategy), 3, 2, 2),
    )
    # Of workloads that go the same way, those with the same rules have as many candidates.
    order = np.lexsort((batch.footing[rows], way))
    step = max(1, ELEMENTS_AT_ONCE // max(len(batch.federation), 1))
    for same in np.split(order, np.flatnonzero(np.diff(way[order])) + 1):
        for start in range(0, len(same), step):
            yield same[start : start + step]


def _decide(batch: Batch, rows: Places, group: Places, outcome: Outcome) -> None:
    """Place workloads that go the same way."""
    runs = batch.there(rows)
    present = None if runs is None else runs[1]
    tiers = batch.tiers(rows, group, present)
    candidates = tiers != NOT_CANDIDATE
    spread = int(batch.spread_kind[rows[0]])
    wanted = batch.replicas[rows]
    strategy = Strategy(int(batch.strategy[rows[0]])) if wanted[0] else Strategy.DUPLICATED
    duplicated = strategy is Strategy.DUPLICATED
    needs_room = spread or strategy.by_room or (not duplicated and batch.overflows[rows[0]])
    room = batch.room_of(rows) if needs_room else None
    marks = batch.marks_of(rows, present) if spread or batch.scored[rows[0]] else None
    found = candidates.sum(axis=1)
    failure = np.where(found > 0, Failure.NONE, Failure.NO_CLUSTER).astype(np.int8)
    figure = found.astype(np.int64)
    chosen = candidates
    if spread and room is not None and marks is not None:
        choice = _choose(batch, rows, spread, marks, room if runs is None else room + runs[0], candidates)
        chosen = choice.chosen
        short = ~choice.fits & (failure == Failure.NONE)
        failure[short] = Failure.REGIONS if spread == 2 else Failure.CLUSTERS
    if duplicated:
        chosen[failure > 0] = False
        outcome.targets[rows] = chosen
        outcome.replicas[rows] = np.where(chosen, wanted[:, None], 0)
    else:
        row, column = np.nonzero(chosen)
        count = np.bincount(row, minlength=len(rows))
        at = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)

        def narrow(table: NDArray[np.generic] | None, fill: int) -> Counts:
            kept = np.full((len(rows), int(count.max(initial=0))), fill, np.int64)
            if table is not None:
                kept[row, at] = table[row, column]
            return kept

        divided, missing = _divide(
            batch,
            rows,
            strategy,
            narrow(tiers, NOT_CANDIDATE).astype(np.int8),
            narrow(room, 0),
            narrow(None if runs is None else runs[0], 0),
            narrow(batch.footings.weights()[batch.weights_row[rows]], 0) if strategy is Strategy.STATIC_WEIGHT else None,
            narrow(marks, 0) if batch.scored[rows[0]] else None,
        )
        short = (missing > 0) & (failure == Failure.NONE)
        failure[short], figure[short] = Failure.ROOM, missing[short]
        divided[failure > 0] = 0
        given = divided[row, at]
        to = rows[row[given > 0]], column[given > 0]
        outcome.replicas[to] = given[given > 0]
        outcome.targets[to] = True
    outcome.failure[rows], outcome.figure[rows] = failure, figure


def _choose(batch: Batch, rows: Places, spread: int, marks: Counts, available: Counts, candidates: Flags) -> Choice:
    """The clusters that spread constraints leave."""
    duplicated = batch.strategy[rows] == Strategy.DUPLICATED
    least, most = batch.min_clusters[rows], batch.max_clusters[rows]
    if spread == 2:
        return choose_by_region(
            marks,
            available,
            candidates,
            batch.federation.region_members,
            batch.min_regions[rows],
            batch.max_regions[rows],
            least,
            most,
            batch.replicas[rows],
            duplicated,
        )
    return choose_clusters(marks, available, candidates, least, most, np.where(duplicated, 0, batch.replicas[rows]))


def _divide(
    batch: Batch,
    rows: Places,
    strategy: Strategy,
    tiers: Tiers,
    room: Counts,
    there: Counts,
    weights: Counts | None,
    marks: Counts | None,
) -> tuple[Counts, Counts]:
    """Replicas by tiers, as :func:`assignment.assign_replicas` divides them, and how many find no room."""
    wanted, descending = batch.replicas[rows], batch.descending[rows]
    aggregated = np.full(len(rows), strategy is Strategy.AGGREGATED)
    left = wanted.copy()
    replicas, missing = np.zeros(tiers.shape, np.int64), np.zeros(len(rows), np.int64)
    last = tiers.max(axis=1, initial=NOT_CANDIDATE)
    for order in range(int(last.max(initial=NOT_CANDIDATE)) + 1):
        mine = tiers == order
        fits = np.where(mine, room + there, 0).sum(axis=1)
        target = np.where(last == order, left, np.minimum(left, fits))
        target[~mine.any(axis=1)] = 0
        if weights is not None:
            replicas += divide_by_static_weight(target, weights, mine, descending)
        else:
            part = divide_by_room(target, room, there, mine, aggregated, batch.fresh[rows], descending, marks)
            full = part.missing > 0
            missing += part.missing
            replicas += np.where(full[:, None], 0, part.replicas)
        left -= target
    return replicas, missing
