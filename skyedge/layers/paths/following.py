"""A path in time: the route at every step, hand-overs and outages.

The shortest route jumps to another satellite for a microsecond's gain.  With ``keep_within`` the present route is kept
while it lasts and is not longer than the shortest by more than that share: fewer hand-overs for a bounded delay.  Where it
cannot be kept, its ends are: first both, then the one that costs less, as what a user notices is the change of an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from skyedge.layers.paths.shortest import Route, delay_over, graph_of, route_back
from skyedge.space.topology import Snapshot


@dataclass(frozen=True, eq=False)
class Journey:
    """What a path was at each of ``times_us`` (times,); None is an outage."""

    times_us: NDArray[np.int64]
    routes: tuple[Route | None, ...]

    @cached_property
    def delay_s(self) -> NDArray[np.float64]:
        """One way, (times,); not a number in an outage."""
        return np.array([np.nan if route is None else route.delay_s for route in self.routes])

    @cached_property
    def hops(self) -> NDArray[np.int64]:
        """Links on the way, (times,); none in an outage."""
        return np.array([0 if route is None else route.hops for route in self.routes], np.int64)

    @cached_property
    def hand_overs(self) -> NDArray[np.int64]:
        """Ends of the path, none to two, that went to another satellite at this step, (times,).

        Coming back from an outage is none: there was nothing to hand over.
        """
        ends = [None if route is None else (route.nodes[1], route.nodes[-2]) for route in self.routes]
        changed = [
            0 if before is None or after is None else (before[0] != after[0]) + (before[1] != after[1])
            for before, after in pairwise(ends)
        ]
        return np.array([0, *changed][: len(self.routes)], np.int64)

    @cached_property
    def new_route(self) -> NDArray[np.bool_]:
        """Whether any node of the path changed at this step, (times,), with or without a hand-over."""
        nodes = [None if route is None else route.nodes for route in self.routes]
        changed = [None not in (before, after) and before != after for before, after in pairwise(nodes)]
        return np.array([False, *changed][: len(self.routes)], bool)

    def outages(self) -> list[tuple[int, int]]:
        """First step of each outage, and the first step after it (or the number of steps)."""
        out = np.array([route is None for route in self.routes], np.int8)
        edges = np.flatnonzero(np.diff(out, prepend=0, append=0))
        return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def follow(
    snapshots: Iterable[Snapshot],
    source: int,
    targets: int | Sequence[int],
    keep_within: float = 0.0,
    *,
    preferred: Sequence[int] = (),
    prefer_within: float = 0.0,
) -> Journey:
    """The route from ``source`` at each snapshot, earliest first.

    Args:
        snapshots: the links in time.
        source: where it begins.
        targets: where it may end, other nodes than ``source``; the nearest is taken.
        keep_within: by what share of the shortest a kept route may be longer.
        preferred: of the targets, those that are taken before a nearer one (geo-affinity),
        prefer_within: while they are not farther than it by more than this share.
    """
    ends = np.atleast_1d(np.asarray(targets, np.intp))
    wanted = np.asarray(preferred, np.intp)
    times, routes = [], []
    present: Route | None = None
    for snapshot in snapshots:
        graph = graph_of(snapshot)
        from_source = dijkstra(graph, indices=source)
        target = _nearest(from_source, ends)
        if len(wanted) and from_source[close := _nearest(from_source, wanted)] <= from_source[target] * (1 + prefer_within):
            target = close
        best = route_back(graph, from_source, source, target)
        if best is not None and present is not None and present.nodes != best.nodes and keep_within > 0:
            longest_s = best.delay_s * (1 + keep_within)
            for nodes in _steadier(graph, present.nodes, from_source):
                delay_s = delay_over(snapshot, nodes)
                if delay_s <= longest_s:
                    best = Route(nodes, delay_s)
                    break
        present = best
        times.append(snapshot.at)
        routes.append(present)
    return Journey(np.array(times, np.int64), tuple(routes))


def _nearest(delay_s: NDArray[np.float64], nodes: NDArray[np.intp]) -> int:
    return int(nodes[delay_s[nodes].argmin()])


def _steadier(graph: Any, present: tuple[int, ...], from_source: NDArray[np.float64]) -> Iterator[tuple[int, ...]]:
    """Routes that keep of the ``present`` one what they can, in the order in which they are preferred.

    They may lack a link now, or be too long.
    """
    yield present
    source, first, last, target = present[0], present[1], present[-2], present[-1]
    from_first = dijkstra(graph, indices=first)
    ways = []
    if (between := route_back(graph, from_first, first, last)) is not None:
        ways.append((0, between.delay_s, (source, *between.nodes, target)))
    if (onward := route_back(graph, from_first, first, target)) is not None:
        ways.append((1, onward.delay_s + float(graph[source, first]), (source, *onward.nodes)))
    if (up_to := route_back(graph, from_source, source, last)) is not None:
        ways.append((1, up_to.delay_s + float(graph[last, target]), (*up_to.nodes, target)))
    for _, _, nodes in sorted(ways):
        if len(set(nodes)) == len(nodes):  # and does not pass the ends twice
            yield nodes
