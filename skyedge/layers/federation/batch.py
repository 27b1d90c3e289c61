"""Workloads as columns, against one federation: what the filters leave of it, what each asks for, what it runs already.

Workloads share policies, flavours and kinds, so that all of this is looked up, not worked out, for each of them.  What a
workload runs already is its own: that is laid over the shared rows, cell by cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import HIGHEST_SCORE
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.division import Strategy, all_ties_descend
from skyedge.layers.federation.nodes import Places
from skyedge.layers.federation.objects import Workload
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules
from skyedge.layers.federation.room import UNLIMITED, Room, flavour_of
from skyedge.layers.federation.scores import ScoreBook, check_weights, score_named
from skyedge.layers.federation.spread import SpreadConstraint, check_constraints
from skyedge.layers.federation.webster import Counts, Flags
from skyedge.layers.scheduler.objects import PodShape

Tiers = NDArray[np.int8]

NOT_CANDIDATE = -1
MOST_TIERS = 127

ANY_GROUP = (AffinityGroup(),)


def groups_of(rules: PlacementRules) -> tuple[AffinityGroup, ...]:
    """The ways to place a workload; without any in the rules, every cluster."""
    return rules.groups or ANY_GROUP


def check_rules(rules: PlacementRules) -> dict[str, SpreadConstraint]:
    """The spread constraints by their field.

    Raises:
        InputError: if a constraint is not in order, there is none by cluster beside one by region, there is no such score,
            or scores are weighed wrongly.
    """
    found = check_constraints(rules.spread)
    if "region" in found and "cluster" not in found:
        raise InputError("who spreads by region has to say by how many regions and clusters: nothing is said of clusters")
    for name in sorted(rules.scores):
        score_named(name)
    if rules.scores:
        check_weights(rules.scores)
    if any(weight.weight < 0 for weight in rules.static_weights):
        raise InputError("a static weight is never negative")
    if any(len(group.overflow) >= MOST_TIERS for group in rules.groups):
        raise InputError(f"an affinity group overflows into at most {MOST_TIERS - 1} others")
    return found


def affinity_tiers(federation: Federation, group: AffinityGroup) -> Tiers:
    """The first tier of a group that means each cluster, (clusters,); -1 for none."""
    tiers: Tiers = np.full(len(federation), NOT_CANDIDATE, np.int8)
    for order, affinity in reversed(list(enumerate((group.affinity, *group.overflow)))):
        tiers[federation.matches(affinity)] = order
    return tiers


class Footings:
    """What the filters leave of a federation for each pair of rules and kind of resource, and static weights.

    Args:
        federation: whose clusters are filtered.
    """

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self._first: dict[tuple[int, str], int] = {}
        # The rules are held on to: their identity is what they are known by.
        self._rules: dict[int, tuple[PlacementRules, dict[str, SpreadConstraint], int]] = {}
        self._tiers: list[Tiers] = []
        self._if_there: list[Tiers] = []
        self._weights: list[Counts] = []
        self._weights_table: Counts = np.zeros((0, len(federation)), np.int64)
        self._tables: tuple[int, Tiers, Tiers] | None = None

    def constraints(self, rules: PlacementRules) -> dict[str, SpreadConstraint]:
        """Of rules, checked; see :func:`check_rules`."""
        return self._known(rules)[1]

    def weights_row(self, rules: PlacementRules) -> int:
        """The place of the rules' static weights in :meth:`weights`."""
        return self._known(rules)[2]

    def weights(self) -> Counts:
        """Static weights, (distinct, clusters)."""
        if len(self._weights_table) < len(self._weights):
            self._weights_table = np.array(self._weights, np.int64)
        return self._weights_table

    def row(self, rules: PlacementRules, api_kind: str) -> int:
        """The place in :meth:`tables` of the first affinity group; the others follow."""
        key = (id(rules), api_kind)
        place = self._first.get(key)
        if place is None:
            constraints = self.constraints(rules)
            place = self._first[key] = len(self._tiers)
            able = self.federation.may_know_kind(api_kind) & self.federation.has_fields(constraints)
            let_in = self.federation.knows_kind(api_kind) & self.federation.tolerated(rules.tolerations)
            for group in groups_of(rules):
                tiers = affinity_tiers(self.federation, group)
                tiers[~able] = NOT_CANDIDATE
                self._if_there.append(tiers)
                self._tiers.append(np.where(let_in, tiers, np.int8(NOT_CANDIDATE)))
        return place

    def tables(self) -> tuple[Tiers, Tiers]:
        """The tier of each cluster, -1 if filtered out, and what it is for who runs there already, (rows, clusters)."""
        if self._tables is None or self._tables[0] != len(self._tiers):
            shape = (len(self._tiers), len(self.federation))
            self._tables = (
                len(self._tiers),
                np.array(self._tiers, np.int8).reshape(shape),
                np.array(self._if_there, np.int8).reshape(shape),
            )
        return self._tables[1:]

    def _known(self, rules: PlacementRules) -> tuple[PlacementRules, dict[str, SpreadConstraint], int]:
        known = self._rules.get(id(rules))
        if known is None:
            row = -1
            constraints = check_rules(rules)
            if rules.strategy is Strategy.STATIC_WEIGHT:
                row = len(self._weights)
                self._weights.append(self._static_weights(rules))
            known = self._rules[id(rules)] = (rules, constraints, row)
        return known

    def _static_weights(self, rules: PlacementRules) -> Counts:
        weights = np.zeros(len(self.federation), np.int64)
        for one in rules.static_weights:
            np.maximum(weights, np.where(self.federation.matches(one.affinity), one.weight, 0), out=weights)
        return weights


@dataclass(frozen=True)
class Running:
    """Where workloads run already.

    Attributes:
        replicas: (workloads, clusters).
        targets: (workloads, clusters); of a workload without replicas too.
    """

    replicas: NDArray[np.int32]
    targets: Flags


class Batch:
    """Columns of workloads; all are (workloads,).

    Args:
        footings: of the federation.
        room: of its nodes; new flavours are estimated.
        workloads: in any order.
        barred: clusters that are lost, (clusters,); none if left out.
        running: where they run already; what the workloads say of it themselves, if left out.

    Raises:
        InputError: if rules are not in order, a number of replicas is negative, or a workload names a group that it has not.
    """

    def __init__(
        self,
        footings: Footings,
        room: Room,
        workloads: Sequence[Workload],
        barred: Flags | None = None,
        running: Running | None = None,
    ) -> None:
        self.footings, self.room, self.workloads = footings, room, tuple(workloads)
        self.federation, self.barred, self.running = footings.federation, barred, running
        count = len(self.workloads)
        shapes: dict[int, int] = {}
        distinct: list[PodShape] = []
        rules_seen: dict[int, int] = {}
        rules_list: list[PlacementRules] = []
        flavour, rule = np.zeros(count, np.intp), np.zeros(count, np.intp)
        self.footing = np.zeros(count, np.intp)
        for place, workload in enumerate(self.workloads):
            shape = shapes.get(id(workload.shape))
            if shape is None:
                shape = shapes[id(workload.shape)] = len(distinct)
                distinct.append(workload.shape)
            flavour[place] = shape
            number = rules_seen.get(id(workload.rules))
            if number is None:
                number = rules_seen[id(workload.rules)] = len(rules_list)
                rules_list.append(workload.rules)
            rule[place] = number
            self.footing[place] = footings.row(workload.rules, workload.api_kind)
        self.flavour = np.array(room.places([flavour_of(shape) for shape in distinct]), np.intp)[flavour]
        self.replicas = np.array([workload.replicas for workload in self.workloads], np.int64)
        self.fresh = np.array([workload.fresh for workload in self.workloads], np.bool_)
        self.descending = all_ties_descend([workload.uid for workload in self.workloads])
        if self.replicas.min(initial=0) < 0:
            wrong = self.workloads[int(self.replicas.argmin())]
            raise InputError(f"{wrong.replicas} replicas are no number of replicas", where=wrong.name)
        self._rules_columns(rules_list, rule)
        self.first_group = np.zeros(count, np.intp)
        for place, workload in enumerate(self.workloads):
            if workload.group and not workload.fresh:
                self.first_group[place] = _group_number(workload)
        self._cells()
        self._marks()

    def _rules_columns(self, rules: Sequence[PlacementRules], of: Places) -> None:
        """Columns that rules decide."""
        table = np.zeros((len(rules), 10), np.int64)
        for number, one in enumerate(rules):
            constraints = self.footings.constraints(one)
            spreads = one.strategy is not Strategy.STATIC_WEIGHT  # Karmada's static weights know no spread constraints
            by_region, by_cluster = constraints.get("region"), constraints.get("cluster")
            region = by_region or SpreadConstraint("region")
            cluster = by_cluster or SpreadConstraint("cluster")
            groups = groups_of(one)
            table[number] = (
                one.strategy,
                len(groups),
                spreads * (2 if by_region else 1 if by_cluster else 0),
                region.min_groups,
                region.max_groups,
                cluster.min_groups,
                cluster.max_groups,
                any(group.overflow for group in groups),
                one.weigh_by_score and one.strategy is Strategy.DYNAMIC_WEIGHT,
                self.footings.weights_row(one),
            )
        (
            self.strategy,
            self.groups,
            self.spread_kind,
            self.min_regions,
            self.max_regions,
            self.min_clusters,
            self.max_clusters,
            overflows,
            scored,
            self.weights_row,
        ) = table[of].T.copy()
        self.overflows, self.scored = overflows > 0, scored > 0

    def _cells(self) -> None:
        """What workloads themselves say of clusters: where they run, are driven from, or may have only so many."""
        column = self.federation.column
        there = [
            (row, place, number)
            for row, one in enumerate(self.workloads)
            if one.scheduled and self.running is None
            for name, number in one.scheduled.items()
            if (place := column(name)) is not None
        ]
        leaving = [
            (row, place)
            for row, one in enumerate(self.workloads)
            if one.evicting or one.barred
            for name in (*one.evicting, *one.barred)
            if (place := column(name)) is not None
        ]
        limits = [
            (row, place, most)
            for row, one in enumerate(self.workloads)
            if one.room_limit
            for name, most in one.room_limit.items()
            if (place := column(name)) is not None
        ]
        self._there = np.array(there, np.int64).reshape(-1, 3)
        self._leaving = np.array(sorted(leaving), np.int64).reshape(-1, 2)
        self._limits = np.array(limits, np.int64).reshape(-1, 3)
        if self._there[:, 2].min(initial=0) < 0:
            raise InputError("a workload runs a negative number of replicas somewhere")

    def _marks(self) -> None:
        """The place of each workload's marks in the table of scores; -1 for Karmada's own, which need none."""
        book = ScoreBook(self.federation)
        self.marks_row = np.full(len(self.workloads), -1, np.intp)
        for row in np.flatnonzero((self.spread_kind > 0) | self.scored).tolist():
            workload = self.workloads[row]
            if workload.rules.scores:
                self.marks_row[row] = book.row(self._as_it_runs(row))
        self._marks_table = book.table()

    def _as_it_runs(self, row: int) -> Workload:
        """The workload with what it runs by now."""
        if self.running is None:
            return self.workloads[row]
        mine = np.flatnonzero(self.running.targets[row])
        names, numbers = self.federation.names, self.running.replicas[row]
        return replace(self.workloads[row], scheduled={names[place]: int(numbers[place]) for place in mine.tolist()})

    def there(self, rows: Places) -> tuple[Counts, Flags] | None:
        """What some workloads run, and where, both (rows, clusters); None if it is nothing."""
        if self.running is not None:
            return self.running.replicas[rows].astype(np.int64), self.running.targets[rows]
        cells = self._of_rows(self._there, rows)
        if not len(cells):
            return None
        replicas = np.zeros((len(rows), len(self.federation)), np.int64)
        present = np.zeros(replicas.shape, np.bool_)
        replicas[cells[:, 0], cells[:, 1]] = cells[:, 2]
        present[cells[:, 0], cells[:, 1]] = True
        return replicas, present

    def tiers(self, rows: Places, group: Places, present: Flags | None) -> Tiers:
        """The tier of each cluster for some workloads by one of their groups, -1 if it is filtered out, (rows, clusters)."""
        usual, if_there = self.footings.tables()
        at = self.footing[rows] + group
        tiers: Tiers = usual[at]
        if present is not None:
            row, place = np.nonzero(present)
            tiers[row, place] = if_there[at[row], place]
        leaving = self._of_rows(self._leaving, rows)
        tiers[leaving[:, 0], leaving[:, 1]] = NOT_CANDIDATE
        if self.barred is not None:
            tiers[:, self.barred] = NOT_CANDIDATE
        return tiers

    def room_of(self, rows: Places) -> Counts:
        """How many more replicas of some workloads fit, (rows, clusters).

        Without any limit it is as many as are wanted, as in Karmada; for a workload without replicas it is nothing.  A quota
        may leave less.
        """
        room: Counts = self.room.table[self.flavour[rows]]
        wanted = self.replicas[rows]
        endless = np.flatnonzero((room >= UNLIMITED).any(axis=1))
        room[endless] = np.where(room[endless] >= UNLIMITED, wanted[endless, None], room[endless])
        room[wanted == 0] = 0
        limits = self._of_rows(self._limits, rows)
        row, place = limits[:, 0], limits[:, 1]
        room[row, place] = np.minimum(room[row, place], limits[:, 2])
        return room

    def marks_of(self, rows: Places, present: Flags | None) -> Counts:
        """Marks of some workloads, (rows, clusters)."""
        marks = np.zeros((len(rows), len(self.federation)), np.int64)
        usual = self.marks_row[rows] < 0
        if present is not None:
            marks[present] = HIGHEST_SCORE
        marks[~usual] = self._marks_table[self.marks_row[rows[~usual]]]
        return marks

    def _of_rows(self, cells: Counts, rows: Places) -> Counts:
        """Those cells that lie in some rows, their first column now the place in ``rows``."""
        if not len(cells):
            return cells
        first, last = np.searchsorted(cells[:, 0], rows), np.searchsorted(cells[:, 0], rows, side="right")
        length = last - first
        at = np.repeat(first - np.cumsum(length) + length, length) + np.arange(length.sum())
        mine = cells[at]
        mine[:, 0] = np.repeat(np.arange(len(rows)), length)
        return mine


def _group_number(workload: Workload) -> int:
    names = [group.name for group in groups_of(workload.rules)]
    # A group that is no longer in the rules: they are begun again.
    return names.index(workload.group) if workload.group in names else 0


def requests_of(workloads: Sequence[Workload]) -> Mapping[str, Counts]:
    """What a replica of each asks for by resource, (workloads,)."""
    known: dict[int, dict[str, int]] = {}
    mine = []
    for workload in workloads:
        if id(workload.shape) not in known:
            known[id(workload.shape)] = dict(flavour_of(workload.shape).request)
        mine.append(known[id(workload.shape)])
    names = sorted({name for request in known.values() for name in request})
    return {name: np.array([request.get(name, 0) for request in mine], np.int64) for name in names}
