"""The nodes of all clusters of a federation, as columns.

A million nodes have few sets of labels and taints between them: each set is a class, met or not met once.  Rows are in the
order of cluster and class, so that the nodes of one class in one cluster, a *run*, lie together and are summed in one go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.federation.objects import PODS, NodePool
from skyedge.layers.federation.webster import Figures
from skyedge.layers.scheduler.objects import Taint

Places = NDArray[np.intp]

MOST_FREE = 1 << 52
"""Amounts are whole numbers in float64; up to here a quotient of two, rounded down, is exact."""


@dataclass(frozen=True)
class NodeClass:
    """Labels (sorted pairs) and taints that some nodes have in common."""

    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True)
class Nodes:
    """Columns over rows of nodes; a row is one node, or several that are alike.

    Attributes:
        clusters: how many there are.
        free: what is left on a node, by resource, (rows,); infinite where a node sets no limit to its pods.
        count: how many nodes a row stands for, (rows,); None: one each.
        run_start: the first row of each run, (runs,).
        run_cluster, run_class: whose and of which class, (runs,).
        classes: by their number.
    """

    clusters: int
    free: Mapping[str, Figures]
    count: Figures | None
    run_start: Places
    run_cluster: Places
    run_class: Places
    classes: tuple[NodeClass, ...]
    rows: int

    @classmethod
    def of_pools(cls, pools: Sequence[Sequence[NodePool]]) -> Nodes:
        """The nodes of each cluster; a pool is a row.

        Raises:
            InputError: if a pool has a negative number of nodes.
        """
        number: dict[NodeClass, int] = {}
        cluster: list[int] = []
        node_class: list[int] = []
        count: list[int] = []
        filled: list[NodePool] = []
        for place, mine in enumerate(pools):
            for pool in mine:
                if pool.count < 0:
                    raise InputError(f"a pool has {pool.count} nodes; a number of nodes is never negative")
                if pool.count:
                    known = NodeClass(tuple(sorted(pool.labels.items())), tuple(pool.taints))
                    cluster.append(place)
                    node_class.append(number.setdefault(known, len(number)))
                    count.append(pool.count)
                    filled.append(pool)
        resources = sorted({name for pool in filled for name in pool.free})
        free = {
            name: np.array([pool.free.get(name, np.inf if name == PODS else 0) for pool in filled], np.float64)
            for name in resources
        }
        return cls.of_arrays(len(pools), np.array(cluster, np.intp), free, np.array(node_class, np.intp), tuple(number),
                             np.array(count, np.float64))  # fmt: skip

    @classmethod
    def of_arrays(
        cls,
        clusters: int,
        node_cluster: Places,
        free: Mapping[str, NDArray[np.generic]],
        node_class: Places | None = None,
        classes: Sequence[NodeClass] = (NodeClass(),),
        count: NDArray[np.generic] | None = None,
    ) -> Nodes:
        """Nodes in any order.

        Args:
            clusters: how many there are.
            node_cluster: whose each row is, from 0, (rows,).
            free: by resource, (rows,); less than nothing counts as nothing.
            node_class: of each row, a place in ``classes``, (rows,); the first if left out.
            classes: distinct sets of labels and taints.
            count: how many nodes a row stands for, at least 1, (rows,); one if left out.

        Raises:
            InputError: if columns are not of one length, a number is out of range, or an amount is over 2^52.
        """
        rows = len(node_cluster)
        kind = np.zeros(rows, np.intp) if node_class is None else np.asarray(node_class, np.intp)
        columns = [kind, *free.values(), *(() if count is None else (count,))]
        if any(len(column) != rows for column in columns):
            raise InputError(f"columns of nodes have different lengths: {rows} and {[len(column) for column in columns]}")
        if rows and not (node_cluster.min() >= 0 and node_cluster.max() < clusters):
            raise InputError(f"a node lies in a cluster that there is not: clusters go from 0 to {clusters - 1}")
        if rows and not (kind.min() >= 0 and kind.max() < len(classes)):
            raise InputError(f"a node is of a class that there is not: classes go from 0 to {len(classes) - 1}")
        known = {name: np.maximum(np.asarray(column, np.float64), 0.0) for name, column in sorted(free.items())}
        for name, column in known.items():
            if np.isnan(column).any() or column[np.isfinite(column)].max(initial=0) > MOST_FREE:
                raise InputError(f"a node's {name} is no whole number up to 2^52")
        many = None if count is None else np.asarray(count, np.float64)
        if many is not None and many.min(initial=1) < 1:
            raise InputError("a row of nodes stands for at least one node")
        key = np.asarray(node_cluster, np.int64) * len(classes) + kind
        if (np.diff(key) < 0).any():
            order = np.argsort(key, kind="stable")
            key = key[order]
            known = {name: column[order] for name, column in known.items()}
            many = None if many is None else many[order]
        start = np.flatnonzero(np.diff(key, prepend=-1))
        run_cluster, run_class = np.divmod(key[start], max(len(classes), 1))
        if many is not None and (many == 1).all():
            many = None
        return cls(clusters, known, many, start, run_cluster, run_class, tuple(classes), rows)

    def rows_of(self, cluster: int) -> slice:
        """The rows of one cluster."""
        first, last = np.searchsorted(self.run_cluster, [cluster, cluster + 1])
        bounds = np.append(self.run_start, self.rows)
        return slice(int(bounds[first]), int(bounds[last]))

    def amounts(self, resource: str, rows: slice = slice(None)) -> Figures:
        """What is free of a resource, (rows,): of one that no node mentions nothing, or of pods no end."""
        column = self.free.get(resource)
        if column is None:
            length = len(range(*rows.indices(self.rows)))
            return np.full(length, np.inf if resource == PODS else 0.0)
        return column[rows]

    def total_free(self, resource: str) -> Figures:
        """What is free of a resource in each cluster, (clusters,)."""
        totals = np.zeros(self.clusters)
        if self.rows:
            amounts = self.amounts(resource) if self.count is None else self.amounts(resource) * self.count
            np.add.at(totals, self.run_cluster, np.add.reduceat(amounts, self.run_start))
        return totals

    def one_by_one(self) -> Nodes:
        """The same with a row for each node, in columns of their own."""
        if self.count is None:
            return replace(self, free={name: column.copy() for name, column in self.free.items()})
        many = self.count.astype(np.intp)
        start = np.cumsum(many) - many
        return replace(
            self,
            free={name: np.repeat(column, many) for name, column in self.free.items()},
            count=None,
            run_start=start[self.run_start],
            rows=int(many.sum()),
        )

    def with_pools(self, cluster: int, pools: Sequence[NodePool]) -> Nodes:
        """The same with other nodes in one cluster; a class keeps its number.

        Raises:
            InputError: as for :meth:`of_pools`.
        """
        mine = Nodes.of_pools([pools])
        number = {one: place for place, one in enumerate(self.classes)}
        own = np.array([number.setdefault(one, len(number)) for one in mine.classes], np.intp)
        out = self.rows_of(cluster)
        lengths = np.diff(np.append(self.run_start, self.rows))
        mine_lengths = np.diff(np.append(mine.run_start, mine.rows))

        def join(old: Figures, new: Figures) -> Figures:
            return np.concatenate([old[: out.start], new, old[out.stop :]])

        names = {*self.free, *mine.free}
        counted = self.count is not None or mine.count is not None
        one, other = np.ones(self.rows if counted else 0), np.ones(mine.rows if counted else 0)
        return Nodes.of_arrays(
            self.clusters,
            join(np.repeat(self.run_cluster, lengths), np.full(mine.rows, cluster)).astype(np.intp),
            {name: join(self.amounts(name), mine.amounts(name)) for name in names},
            join(np.repeat(self.run_class, lengths), np.repeat(own[mine.run_class], mine_lengths)).astype(np.intp),
            tuple(number),
            join(one if self.count is None else self.count, other if mine.count is None else mine.count)
            if counted
            else None,
        )
