"""Where the workloads of a federation run: decided for all at once, and again for those whom a change concerns.

As in Karmada, each workload is placed by the room that there is for it by itself; :meth:`Placements.overcommitted` says
where all of them together ask for more than is free.  Who wants each to see what others left asks for ``reserve``
(:mod:`skyedge.layers.federation.reserving`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.federation.batch import Batch, Footings, Running, groups_of, requests_of
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.explaining import why_not
from skyedge.layers.federation.nodes import Places
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.reserving import ReservedRoom, order_of_turns
from skyedge.layers.federation.room import Room, flavour_of
from skyedge.layers.federation.stages import Failure, Outcome, decide
from skyedge.layers.federation.webster import Counts, Figures, Flags


@dataclass(frozen=True)
class Placements:
    """Where workloads run.

    Attributes:
        batch: the workloads, with what was known when they were placed.
        replicas: (workloads, clusters); nothing for one that was not placed, whatever it runs already.
        targets: clusters that run some of its replicas, or hold a workload that has none, (workloads, clusters).
        group: the number of the affinity group that placed it, (workloads,); -1: none did.
        failures: why not, by affinity group: a :class:`stages.Failure`, (workloads, groups).
        figures: candidates that there were, or replicas without room, (workloads, groups).
        waiting: by workload and cluster, replicas that were given to a cluster but found no node; known only where room was
            reserved.
    """

    batch: Batch
    replicas: NDArray[np.int32]
    targets: Flags
    group: Places
    failures: NDArray[np.int8]
    figures: Counts
    waiting: Mapping[int, Mapping[str, int]] = field(default_factory=dict)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """As they were given."""
        return self.batch.workloads

    @property
    def clusters(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.batch.federation.names

    @property
    def placed(self) -> Flags:
        """Which workloads have a place, (workloads,)."""
        flags: Flags = self.group >= 0
        return flags

    def of(self, workload: int) -> dict[str, int]:
        """Replicas by cluster; 0 for each cluster that holds a workload without replicas."""
        places = np.flatnonzero(self.targets[workload])
        return dict(zip((self.clusters[one] for one in places), self.replicas[workload, places].tolist(), strict=True))

    def group_name(self, workload: int) -> str:
        """The name of the affinity group that placed it; empty if none did, or it has none."""
        group = int(self.group[workload])
        return groups_of(self.workloads[workload].rules)[group].name if group >= 0 else ""

    def reason(self, workload: int) -> str:
        """Why it was not placed, in a sentence or, if it has several affinity groups, one for each; empty if it was."""
        if self.group[workload] >= 0:
            return ""
        groups = groups_of(self.workloads[workload].rules)
        told = []
        for number, group in enumerate(groups):
            failure = Failure(int(self.failures[workload, number]))
            if failure is not Failure.NOT_TRIED:
                sentence = why_not(self.batch, workload, number, failure, int(self.figures[workload, number]))
                told.append(f"group '{group.name}': {sentence}" if len(groups) > 1 else sentence)
        return "; ".join(told)

    @cached_property
    def added(self) -> Counts:
        """Replicas beyond those that run already, (workloads, clusters)."""
        added = self.replicas.astype(np.int64)
        runs = self.batch.there(np.arange(len(self.workloads)))
        if runs is not None:
            added -= np.minimum(added, runs[0])
        return added

    def asked(self) -> Mapping[str, Figures]:
        """What the new replicas of all workloads ask of each cluster, by resource, (clusters,)."""
        added = self.added.astype(np.float64)
        return {name: amounts.astype(np.float64) @ added for name, amounts in requests_of(self.workloads).items()}

    def overcommitted(self) -> dict[str, dict[str, float]]:
        """By cluster and resource, how many times what is free the workloads together ask for, where it is over once."""
        found: dict[str, dict[str, float]] = {}
        for name, asked in self.asked().items():
            free = self.batch.federation.nodes.total_free(name)
            for place in np.flatnonzero(asked > free).tolist():
                times = asked[place] / free[place] if free[place] else np.inf
                found.setdefault(self.clusters[place], {})[name] = float(times)
        return {name: found[name] for name in sorted(found)}


def place(federation: Federation, workloads: Sequence[Workload], reserve: bool = False) -> Placements:
    """Place workloads, each by the room that there is for it by itself.

    Args:
        federation: where to.
        workloads: in any order.
        reserve: place the more important ones first, and let each see only the room that those before it left.

    Raises:
        InputError: if the rules of a workload are not in order.
    """
    if reserve:
        room = ReservedRoom(federation.nodes)
        return _place_in_turn(Batch(Footings(federation), room, workloads), room)
    return place_batch(Batch(Footings(federation), Room(federation.nodes), workloads))


def place_batch(batch: Batch) -> Placements:
    """Place the workloads of a batch: each by the first of its affinity groups that works."""
    progress = _Progress(batch)
    progress.place(np.arange(len(batch.workloads)))
    return progress.placements()


def _place_in_turn(batch: Batch, room: ReservedRoom) -> Placements:
    """Place the workloads of a batch one after another, each on what is left."""
    progress = _Progress(batch)
    waiting: dict[int, dict[str, int]] = {}
    for row in order_of_turns(batch.workloads):
        flavour, mine = flavour_of(batch.workloads[row].shape), np.array([row])
        room.refresh(flavour)
        progress.place(mine)
        runs = batch.there(mine)
        added = progress.outcome.replicas[row].astype(np.int64)
        if runs is not None:
            added = np.maximum(added - runs[0][0], 0)
        homeless = added - room.take(flavour, added)
        if homeless.any():
            names = batch.federation.names
            waiting[row] = {names[place]: int(homeless[place]) for place in np.flatnonzero(homeless).tolist()}
    return progress.placements(waiting)


class _Progress:
    """A batch while it is being placed."""

    def __init__(self, batch: Batch) -> None:
        shape = (len(batch.workloads), int(batch.groups.max(initial=1)))
        self.batch, self.outcome = batch, Outcome.blank(batch)
        self._group = np.full(shape[0], -1, np.intp)
        self._failures, self._figures = np.full(shape, Failure.NOT_TRIED, np.int8), np.zeros(shape, np.int64)

    def place(self, rows: Places) -> None:
        """Place some workloads, each by its groups in order."""
        batch, outcome = self.batch, self.outcome
        number = batch.first_group[rows]
        while len(rows):
            decide(batch, rows, number, outcome)
            self._failures[rows, number], self._figures[rows, number] = outcome.failure[rows], outcome.figure[rows]
            placed = outcome.failure[rows] == Failure.NONE
            self._group[rows[placed]] = number[placed]
            again = ~placed & (number + 1 < batch.groups[rows])
            rows, number = rows[again], number[again] + 1

    def placements(self, waiting: Mapping[int, Mapping[str, int]] | None = None) -> Placements:
        """What has come of it."""
        outcome = self.outcome
        return Placements(
            self.batch, outcome.replicas, outcome.targets, self._group, self._failures, self._figures, waiting or {}
        )


class Placer:
    """Keeps where workloads run, and what has been worked out, so that a change costs what it concerns.

    Args:
        federation: as it is at first.
    """

    def __init__(self, federation: Federation) -> None:
        self.federation = federation
        self.room = Room(federation.nodes)
        self.lost = np.zeros(len(federation), np.bool_)
        self._footings = Footings(federation)
        self._rows: dict[str, int] = {}
        self._workloads: list[Workload] = []
        # A row for each workload, a view of the placements that it comes from: nothing is copied.
        self._replicas: list[NDArray[np.int32]] = []
        self._targets: list[Flags] = []

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """Those that it knows, in the order in which they came."""
        return tuple(self._workloads)

    @property
    def replicas(self) -> NDArray[np.int32]:
        """Of each workload on each cluster, (workloads, clusters)."""
        return self._stacked(np.arange(len(self._workloads))).replicas

    def of(self, name: str) -> dict[str, int]:
        """Replicas of a workload by cluster.

        Raises:
            InputError: if it is not known.
        """
        if name not in self._rows:
            raise InputError(f"there is no workload '{name}'")
        row = self._rows[name]
        places = np.flatnonzero(self._targets[row])
        return {self.federation.names[one]: int(self._replicas[row][one]) for one in places}

    def place(self, workloads: Sequence[Workload]) -> Placements:
        """Place workloads that come, or that have changed; one of a name that is known takes its place.

        Where they run already is what they say themselves (``Workload.scheduled``).

        Raises:
            InputError: if two of them share a name, or their rules are not in order.
        """
        names = [workload.name for workload in workloads]
        if len(set(names)) < len(names):
            twice = next(name for name in sorted(names) if names.count(name) > 1)
            raise InputError(f"two workloads are called '{twice}'")
        placements = place_batch(Batch(self._footings, self.room, workloads, self._barred))
        nothing = np.zeros(len(self.federation), np.int32), np.zeros(len(self.federation), np.bool_)
        for name, workload in zip(names, workloads, strict=True):
            row = self._rows.setdefault(name, len(self._workloads))
            self._workloads[row : row + 1] = [workload]
            if row == len(self._replicas):
                self._replicas.append(nothing[0])
                self._targets.append(nothing[1])
        self._keep(np.array([self._rows[name] for name in names], np.intp), placements)
        return placements

    def lose(self, clusters: Collection[str]) -> Placements:
        """Clusters are gone: every workload that ran there gets a new home; what runs elsewhere stays, if the rules let it.

        Returns the placements of the workloads concerned.  One that finds no place keeps what it runs elsewhere.

        Raises:
            InputError: if one is no member.
        """
        gone = np.array(self.federation.columns(clusters), np.intp)
        self.lost[gone] = True
        concerned = (bool(mine[gone].any()) for mine in self._targets)
        rows = np.flatnonzero(np.fromiter(concerned, np.bool_, len(self._targets)))
        running = self._stacked(rows)
        running.replicas[:, gone] = 0
        running.targets[:, gone] = False
        for place, row in enumerate(rows.tolist()):
            self._replicas[row], self._targets[row] = running.replicas[place], running.targets[place]
        return self._again(rows)

    def regain(self, clusters: Collection[str]) -> None:
        """Clusters are back.  Nothing moves there by itself.

        Raises:
            InputError: if one is no member.
        """
        self.lost[self.federation.columns(clusters)] = False

    def update(self, cluster: Cluster) -> None:
        """A cluster is not as it was: other nodes, labels, taints.  Nothing moves by itself; see :meth:`again`.

        Raises:
            InputError: if it is no member.
        """
        (column,) = self.federation.columns([cluster.name])
        old_nodes = self.federation.nodes
        self.federation = self.federation.with_cluster(cluster)
        self._footings = Footings(self.federation)
        if self.federation.nodes is not old_nodes:
            self.room.update(self.federation.nodes, column)

    def again(self, names: Collection[str]) -> Placements:
        """Place workloads anew, from where they run now.

        Raises:
            InputError: if one is not known.
        """
        for name in names:
            if name not in self._rows:
                raise InputError(f"there is no workload '{name}'")
        return self._again(np.array(sorted(self._rows[name] for name in names), np.intp))

    @property
    def _barred(self) -> Flags | None:
        return self.lost.copy() if self.lost.any() else None

    def _again(self, rows: Places) -> Placements:
        running = self._stacked(rows)
        mine = [self._workloads[row] for row in rows.tolist()]
        placements = place_batch(Batch(self._footings, self.room, mine, self._barred, running))
        self._keep(rows, placements)
        return placements

    def _stacked(self, rows: Places) -> Running:
        """What some workloads run, as tables of their own."""
        replicas = np.zeros((len(rows), len(self.federation)), np.int32)
        targets = np.zeros(replicas.shape, np.bool_)
        for place, row in enumerate(rows.tolist()):
            replicas[place], targets[place] = self._replicas[row], self._targets[row]
        return Running(replicas, targets)

    def _keep(self, rows: Places, placements: Placements) -> None:
        placed = placements.placed
        for place in np.flatnonzero(placed).tolist():
            row = int(rows[place])
            self._replicas[row], self._targets[row] = placements.replicas[place], placements.targets[place]
        for place in np.flatnonzero(placed & (placements.batch.groups > 1)).tolist():
            row = int(rows[place])
            self._workloads[row] = replace(self._workloads[row], group=placements.group_name(place))
