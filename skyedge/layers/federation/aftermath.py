"""What a failover leaves of each workload: how many of its replicas serve at the end, and how much was not served before.

A replica serves while it is healthy and its cluster is there.  What was not served is counted in replica-seconds: so many
replicas fewer than at the beginning, for so long.  Of a duplicated workload every cluster has all: what ends with a cluster
is missed only when no other has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from skyedge.layers.federation.detection import Spells
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.failover_events import Copies
from skyedge.layers.federation.scene import Scene

Span = tuple[float, float]
Spans = Sequence[Span]
Run = tuple[int, int, Span]
"""Replicas of a workload: on which cluster, how many, and when they would serve."""


@dataclass(frozen=True)
class Aftermath:
    """What a workload is left with.

    Attributes:
        workload: NAMESPACE/NAME.
        replicas: that served at the beginning, over all clusters.
        serving: that serve at the end.
        lost: that serve no longer, and nothing in their place.
        lost_with: the clusters that are gone, on which they are.
        ended: that went with their cluster, while others have all that the workload is.
        not_served_replica_s: replica-seconds that were not served, from the first failure to the end.
    """

    workload: str
    replicas: int
    serving: int
    lost: int
    lost_with: tuple[str, ...]
    ended: int
    not_served_replica_s: float


def aftermath(scene: Scene, copies: Copies, down: Spells, end_s: float) -> tuple[Aftermath, ...]:
    """What each workload that has replicas is left with, in the order of the scene.

    Args:
        scene: what ran at the beginning.
        copies: of what can move, all there ever were; of :func:`skyedge.layers.federation.failover_loop.run_failover`.
        down: when clusters are gone.
        end_s: until when it is looked at.
    """
    gone: dict[int, list[Span]] = {}
    for cluster, from_s, until_s in zip(down.cluster.tolist(), down.from_s.tolist(), down.until_s.tolist(), strict=True):
        gone.setdefault(cluster, []).append((from_s, until_s))
    there: dict[int, list[Run]] = {}
    columns = (copies.workload, copies.cluster, copies.replicas, copies.healthy_at_s, copies.deleted_at_s)
    for workload, cluster, replicas, from_s, until_s in zip(*(column.tolist() for column in columns), strict=True):
        there.setdefault(workload, []).append((cluster, replicas, (max(from_s, 0.0), until_s)))
    found = []
    for row, (workload, share) in enumerate(zip(scene.workloads, scene.shares, strict=True)):
        if not any(share.values()):
            continue
        runs = there.get(row) or [(scene.number[name], count, (0.0, math.inf)) for name, count in share.items() if count]
        looked_at = _duplicated if workload.rules.strategy is Strategy.DUPLICATED else _divided
        found.append(looked_at(scene, workload.name, share, runs, gone, end_s))
    return tuple(found)


def _divided(
    scene: Scene, name: str, share: Mapping[str, int], copies: Sequence[Run], gone: Mapping[int, Spans], end_s: float
) -> Aftermath:
    """Of a workload whose replicas are together what it is."""
    replicas = sum(share.values())
    alive = _alive(copies, gone)
    serving = sum(_at(alive, end_s))
    lost = max(0, replicas - serving)
    dead = _dead(copies, gone, end_s)
    not_served = sum((until_s - at_s) * max(0, replicas - sum(_at(alive, at_s))) for at_s, until_s in _pieces(alive, end_s))
    return Aftermath(name, replicas, serving, lost, _names(scene, dead if lost else ()), 0, not_served)


def _duplicated(
    scene: Scene, name: str, share: Mapping[str, int], copies: Sequence[Run], gone: Mapping[int, Spans], end_s: float
) -> Aftermath:
    """Of a workload of which several clusters have all: as long as one of them is there, nothing is missed."""
    replicas, wanted = sum(share.values()), max(share.values())
    alive = _alive(copies, gone)
    serving = sum(_at(alive, end_s))
    ended = max(0, replicas - serving)
    not_served = sum((until_s - at_s) * wanted for at_s, until_s in _pieces(alive, end_s) if not _at(alive, at_s))
    if serving:
        return Aftermath(name, replicas, serving, 0, (), ended, not_served)
    return Aftermath(name, replicas, 0, ended, _names(scene, _dead(copies, gone, end_s)), 0, not_served)


def _dead(copies: Iterable[Run], gone: Mapping[int, Spans], end_s: float) -> set[int]:
    """Clusters that are gone, and what runs there has not been deleted."""
    return {cluster for cluster, _, (_, until_s) in copies if until_s > end_s and _within(end_s, gone.get(cluster, []))}


def _names(scene: Scene, clusters: Iterable[int]) -> tuple[str, ...]:
    return tuple(scene.names[cluster] for cluster in sorted(clusters))


def _alive(copies: Iterable[Run], gone: Mapping[int, Spans]) -> list[tuple[int, Span]]:
    """Replicas and when they serve: while they would, and their cluster is not gone."""
    return [(count, left) for cluster, count, span in copies for left in _without(span, gone.get(cluster, []))]


def _without(span: Span, gaps: Iterable[Span]) -> list[Span]:
    """What is left of a span when the gaps are taken out, which do not overlap."""
    left, (from_s, until_s) = [], span
    for gap_from_s, gap_until_s in sorted(gaps):
        if from_s < min(gap_from_s, until_s):
            left.append((from_s, min(gap_from_s, until_s)))
        from_s = max(from_s, gap_until_s)
    return [*left, (from_s, until_s)] if from_s < until_s else left


def _pieces(alive: Sequence[tuple[int, Span]], end_s: float) -> Iterable[Span]:
    """From nothing to the end, cut where replicas begin or cease to serve."""
    edges = {edge for _, span in alive for edge in span if 0 < edge < end_s}
    return pairwise(sorted({0.0, end_s, *edges}))


def _at(alive: Iterable[tuple[int, Span]], at_s: float) -> list[int]:
    return [count for count, span in alive if _within(at_s, [span])]


def _within(at_s: float, spans: Iterable[Span]) -> bool:
    return any(from_s <= at_s < until_s for from_s, until_s in spans)
