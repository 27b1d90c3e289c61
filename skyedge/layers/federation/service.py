"""What users saw of a failover: requests served and lost, workload by workload.

The mesh sends requests to copies that are healthy and whose cluster is not known to be dead, in proportion to their
replicas.  Those that go to a dead cluster before anyone knows are lost.  The rest is served as far as the replicas that
are left can: each carries its share of the demand and ``headroom`` more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.detection import Sighting, Spells
from skyedge.layers.federation.failover_events import Copies, Counts, Floats, Rows

FULL = 1 - 1e-9
"""Of the demand: so much is all of it."""


@dataclass(frozen=True, eq=False)
class Service:
    """How workloads were served, in pieces of time within which nothing changes; columns of one length.

    Attributes:
        workload: whose; ascending, pieces of one in the order of time, without gaps.
        from_s, until_s: when.
        live: replicas that ran and were sent requests.
        share: of its demand that was served.
    """

    workload: Rows
    from_s: Floats
    until_s: Floats
    live: Counts
    share: Floats

    def lost_requests(self, demand_rps: Floats) -> Floats:
        """Requests of each workload that were not served, (workloads,)."""
        lost = (1 - self.share) * (self.until_s - self.from_s) * demand_rps[self.workload]
        return np.bincount(self.workload, lost, len(demand_rps)).astype(np.float64)

    def live_at(self, at_s: float, workloads: int) -> Counts:
        """Replicas of each workload that serve at a moment, (workloads,)."""
        now = (self.from_s <= at_s) & (at_s < self.until_s)
        return np.bincount(self.workload[now], self.live[now], workloads).astype(np.int64)

    def served_again_s(self, from_s: float, workloads: int) -> Floats:
        """When each workload is first served in full after ``from_s``, (workloads,); infinite: not within this time."""
        well = (self.share >= FULL) & (self.until_s > from_s)
        again_s = np.full(workloads, np.inf)
        np.minimum.at(again_s, self.workload[well], np.maximum(self.from_s[well], from_s))
        return again_s

    def hurt(self, from_s: float, until_s: float, workloads: int) -> NDArray[np.bool_]:
        """Workloads that were not served in full at some time between, (workloads,)."""
        ill = (self.share < FULL) & (self.until_s > from_s) & (self.from_s < until_s)
        return np.bincount(self.workload[ill], minlength=workloads) > 0

    def share_over_time(self, demand_rps: Floats, at_s: Floats) -> Floats:
        """Of all requests, the share that is served at each of some moments."""
        order = np.argsort(self.from_s, kind="stable")
        served = self.share * demand_rps[self.workload]
        begun = np.concatenate([[0.0], np.cumsum(served[order])])[np.searchsorted(self.from_s[order], at_s, side="right")]
        order = np.argsort(self.until_s, kind="stable")
        ended = np.concatenate([[0.0], np.cumsum(served[order])])[np.searchsorted(self.until_s[order], at_s, side="right")]
        return (begun - ended) / demand_rps.sum()


def serve(
    copies: Copies,
    wanted: Counts,
    headroom: float,
    down: Spells,
    seen: Sequence[Sighting],
    until_s: float,
) -> Service:
    """How workloads are served from 0 to ``until_s``.

    Args:
        copies: all there ever were; of :func:`skyedge.layers.federation.failover_loop.run_failover`.
        wanted: replicas of each workload, of which each carries the same share of its demand, (workloads,).
        headroom: how much more than its share a replica can serve.
        down: when clusters are dead.
        seen: when the mesh knows.
        until_s: the end.
    """
    spells = zip(down.cluster.tolist(), down.from_s.tolist(), down.until_s.tolist(), strict=True)
    dead_spans = _by_cluster(spells)
    known_spans = _by_cluster((s.cluster, s.declared_at_s, s.cleared_at_s) for s in seen if s.declared_at_s < until_s)
    touched = np.zeros(len(wanted), bool)  # all others are served as they were at the beginning
    touched[copies.workload[(copies.healthy_at_s > 0) | (copies.deleted_at_s < until_s)]] = True
    touched[copies.workload[np.isin(copies.cluster, [*dead_spans, *known_spans])]] = True
    steps = [(workload, 0.0, 0, 0) for workload in range(len(wanted))]
    steady = np.flatnonzero(~touched[copies.workload])
    for workload, replicas in zip(copies.workload[steady].tolist(), copies.replicas[steady].tolist(), strict=True):
        steps += [(workload, 0.0, replicas, 0), (workload, until_s, -replicas, 0)]
    changing = np.flatnonzero(touched[copies.workload])
    columns = (copies.workload, copies.cluster, copies.replicas, copies.healthy_at_s, copies.deleted_at_s)
    for workload, cluster, replicas, from_s, end_s in zip(*(column[changing].tolist() for column in columns), strict=True):
        from_s, end_s = max(from_s, 0.0), min(end_s, until_s)
        if from_s >= end_s:
            continue
        dead, known = dead_spans.get(cluster, ()), known_spans.get(cluster, ())
        edges = sorted({from_s, end_s, *(e for span in (*dead, *known) for e in span if from_s < e < end_s)})
        for start_s, stop_s in pairwise(edges):
            if any(first <= start_s < last for first, last in known):
                continue
            is_dead = any(first <= start_s < last for first, last in dead)
            live, sent_in_vain = (0, replicas) if is_dead else (replicas, 0)
            steps += [(workload, start_s, live, sent_in_vain), (workload, stop_s, -live, -sent_in_vain)]
    workload, at_s, live, in_vain = np.array(steps).T
    order = np.lexsort((at_s, workload))
    workload, at_s, live, in_vain = workload[order], at_s[order], live[order], in_vain[order]
    return _pieces(workload.astype(np.intp), at_s, live, in_vain, wanted, headroom, until_s)


def _by_cluster(spans: Iterable[tuple[int, float, float]]) -> dict[int, list[tuple[float, float]]]:
    found: dict[int, list[tuple[float, float]]] = {}
    for cluster, from_s, until_s in spans:
        found.setdefault(cluster, []).append((from_s, until_s))
    return found


def _pieces(
    workload: Rows, at_s: Floats, live: Floats, in_vain: Floats, wanted: Counts, headroom: float, until_s: float
) -> Service:
    live_now, in_vain_now = np.rint(np.cumsum(live)), np.rint(np.cumsum(in_vain))  # each workload's steps end at 0
    last = np.append(workload[1:] != workload[:-1], True)
    end_s = np.where(last, until_s, np.append(at_s[1:], until_s))
    there = end_s > at_s
    workload, at_s, end_s = workload[there], at_s[there], end_s[there]
    live_now, in_vain_now = live_now[there], in_vain_now[there]
    sent_to = live_now + in_vain_now
    arrives = live_now / np.maximum(sent_to, 1)
    carried = live_now / np.maximum(wanted[workload], 1) * (1 + headroom)
    return Service(workload, at_s, end_s, live_now.astype(np.int64), np.minimum(arrives, carried))
