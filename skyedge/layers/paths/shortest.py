"""The shortest delay at one instant (Dijkstra 1959, by ``scipy.sparse.csgraph``).

A route is read back from the delays and not from the search: of neighbours that lie on a shortest way the lower number
is taken, so that it depends neither on the order of the links nor on how the search breaks ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyedge.space.topology import Snapshot

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Route:
    """Nodes from the source to the target, and the one-way delay over them."""

    nodes: tuple[int, ...]
    delay_s: float

    @property
    def hops(self) -> int:
        """Links on the way."""
        return len(self.nodes) - 1


def graph_of(snapshot: Snapshot) -> Any:
    """The snapshot as a sparse matrix (nodes, nodes) of delays in seconds, each link both ways."""
    delays = np.concatenate([snapshot.delay_s, snapshot.delay_s])
    ends = np.concatenate([snapshot.first, snapshot.second]), np.concatenate([snapshot.second, snapshot.first])
    return csr_matrix((delays, ends), shape=(snapshot.nodes, snapshot.nodes))


def shortest(snapshot: Snapshot, source: int, target: int) -> Route | None:
    """The route of least delay, or None if there is none."""
    graph = graph_of(snapshot)
    return route_back(graph, dijkstra(graph, indices=source), source, target)


def shortest_to_any(snapshot: Snapshot, source: int, targets: Rows) -> Route | None:
    """The route to the nearest of the targets, the first of those that are as near; None if there is none."""
    graph = graph_of(snapshot)
    delay_s = dijkstra(graph, indices=source)
    return route_back(graph, delay_s, source, int(targets[delay_s[targets].argmin()]))


def route_back(graph: Any, delay_s: Floats, source: int, target: int) -> Route | None:
    """The route to ``target`` in a ``graph``, given the delays (nodes,) from ``source`` to every node."""
    if not np.isfinite(delay_s[target]):
        return None
    nodes, node = [target], target
    while node != source:
        beside = slice(graph.indptr[node], graph.indptr[node + 1])
        before, link_s = graph.indices[beside], graph.data[beside]
        # The search added up the very same two numbers, so that they are equal to the last digit.
        node = int(before[delay_s[before] + link_s == delay_s[node]].min())
        nodes.append(node)
    return Route(tuple(reversed(nodes)), float(delay_s[target]))


def delays_to_nearest(snapshot: Snapshot, sinks: Rows) -> Floats:
    """Delay in seconds (nodes,) from every node to the sink that it reaches soonest; infinite where it reaches none."""
    return np.asarray(dijkstra(graph_of(snapshot), indices=sinks, min_only=True))


def delays_to_each(snapshot: Snapshot, sinks: Rows) -> Floats:
    """Delay in seconds (sinks, nodes) from every node to each sink; infinite where it does not reach it."""
    return np.asarray(dijkstra(graph_of(snapshot), indices=sinks))


def delay_over(snapshot: Snapshot, nodes: tuple[int, ...]) -> float:
    """One-way delay in seconds over ``nodes``, infinite if one of the links is not there."""
    low, high = np.minimum(snapshot.first, snapshot.second), np.maximum(snapshot.first, snapshot.second)
    total = 0.0
    for one, other in pairwise(nodes):
        there = np.flatnonzero((low == min(one, other)) & (high == max(one, other)))
        if not len(there):
            return np.inf
        total += float(snapshot.delay_s[there].min())
    return total
