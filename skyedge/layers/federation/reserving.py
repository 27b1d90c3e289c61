"""Placing workloads one after another, each with the room that those before it left.

Karmada's estimate knows only what runs: of workloads that come together, each is placed as if it came alone.  Here the more
important one is placed first (by priority, then by name), and its replicas take their places on nodes: on the first ones of
a cluster that still hold one.  So no node is ever given more than it has.

Some replicas may find no node all the same: duplicated ones and those by static weights are given out whatever room there
is.  They wait, and take nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyedge.layers.federation.nodes import Nodes, Places
from skyedge.layers.federation.objects import PODS, Workload
from skyedge.layers.federation.room import UNLIMITED, Flavour, Habitat, Room
from skyedge.layers.federation.webster import Counts, Figures, Flags


class ReservedRoom(Room):
    """Room on nodes that fill up.  What there is for a flavour is reckoned again only for clusters that have changed since.

    Args:
        nodes: of all clusters; they are not changed.
    """

    def __init__(self, nodes: Nodes) -> None:
        super().__init__(nodes.one_by_one())
        bounds = np.append(self.nodes.run_start, self.nodes.rows)
        self._bounds = bounds[np.searchsorted(self.nodes.run_cluster, np.arange(nodes.clusters + 1))]
        self._node_class = np.repeat(self.nodes.run_class, np.diff(bounds))
        self._changed = np.zeros(nodes.clusters, np.int64)
        self._seen: dict[Flavour, Counts] = {}
        self._now = 0
        self._admitting: dict[Habitat, Flags] = {}

    def refresh(self, flavour: Flavour) -> None:
        """Bring the row of a flavour up to what is free now."""
        (place,) = self.places([flavour])
        seen = self._seen.setdefault(flavour, np.zeros(len(self._changed), np.int64))
        stale = np.flatnonzero(self._changed > seen)
        rows, owner = self._rows(stale)
        fits = np.bincount(owner, self._fits_on(flavour, rows), len(stale))
        self._table[place, stale] = np.minimum(fits, UNLIMITED)
        seen[stale] = self._now

    def take(self, flavour: Flavour, replicas: Counts) -> Counts:
        """Give replicas their places on the nodes of each cluster; how many found one, both (clusters,)."""
        clusters = np.flatnonzero(replicas > 0)
        rows, owner = self._rows(clusters)
        wanted = replicas[clusters].astype(np.float64)
        # Nobody asks one node for more than all of them, so that sums stay finite.
        fits = np.minimum(self._fits_on(flavour, rows), wanted[owner])
        before = np.cumsum(fits) - fits
        before -= before[np.searchsorted(owner, owner)]
        given = np.clip(wanted[owner] - before, 0, fits)
        for name, amount in flavour.request:
            if name in self.nodes.free:
                self.nodes.free[name][rows] -= given * amount
        self._now += 1
        self._changed[clusters] = self._now
        found = np.zeros(len(replicas), np.int64)
        found[clusters] = np.bincount(owner, given, len(clusters))
        return found

    def _rows(self, clusters: Places) -> tuple[Places, Places]:
        """The nodes of some clusters, and for each the place of its cluster among these."""
        first, length = self._bounds[clusters], self._bounds[clusters + 1] - self._bounds[clusters]
        owner = np.repeat(np.arange(len(clusters)), length)
        return np.repeat(first - np.cumsum(length) + length, length) + np.arange(len(owner)), owner

    def _fits_on(self, flavour: Flavour, rows: Places) -> Figures:
        """Replicas that fit on each of some nodes, (rows,)."""
        fits = np.full(len(rows), np.inf)
        for name, amount in flavour.request:
            if name in self.nodes.free:
                np.minimum(fits, self.nodes.free[name][rows] / amount, out=fits)
            elif name != PODS:
                fits[:] = 0.0
        admitting = self._admitting.get(flavour.habitat)
        if admitting is None:
            classes = [flavour.habitat.admits(one) for one in self.nodes.classes]
            admitting = self._admitting[flavour.habitat] = np.array(classes, np.bool_)
        return np.where(admitting[self._node_class[rows]], np.floor(fits), 0.0)


def order_of_turns(workloads: Sequence[Workload]) -> list[int]:
    """Rows in the order in which workloads are placed: the higher priority first, then by name."""
    return sorted(range(len(workloads)), key=lambda row: (-workloads[row].priority, workloads[row].name))
