"""Where one workload of a federation is to run now: the question that a control plane asks, and the federation's answer.

The decision is :func:`skyedge.layers.federation.placing.place`.  Here is what it is asked with: the clusters that are not
out, the room that is left beside what runs already, where the demand is, and what the contact plan says of the next passes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.objects import Cluster, NodePool, Workload
from skyedge.layers.federation.placing import place
from skyedge.layers.scheduler.objects import PodShape
from skyedge.time import SECOND, Instant


@dataclass(frozen=True, eq=False)
class PassOutlook:
    """What the contact plan says of the passes to come; columns of one length, in order of time.

    Attributes:
        opens_at: of each pass.
        cluster: the number of the cluster nearest to the station that it lands at.
        nominal_bytes: that it can carry; how fortunate it will be nobody knows.
        window_us: how far ahead is looked.
    """

    opens_at: NDArray[np.int64]
    cluster: NDArray[np.intp]
    nominal_bytes: NDArray[np.float64]
    window_us: int

    def facts(self, now: Instant, cluster: int) -> dict[str, float]:
        """For the score ``contact-window``: the mean wait for a pass within the window, and the mean bytes of one."""
        begin, end = np.searchsorted(self.opens_at, [now, now + self.window_us])
        mine = self.nominal_bytes[begin:end][self.cluster[begin:end] == cluster]
        if not len(mine):
            return {"contact_s": self.window_us / SECOND, "contact_bytes": 0.0}
        return {"contact_s": self.window_us / SECOND / len(mine), "contact_bytes": float(mine.mean())}


@dataclass(frozen=True, eq=False)
class Propagation:
    """One workload and the federation that it is propagated over.

    Attributes:
        clusters: in the order of their numbers, with all their room.
        workload: with its rules and its demand.
        outlook: on the passes to come, if there are any.
    """

    clusters: tuple[Cluster, ...]
    workload: Workload
    outlook: PassOutlook | None = None

    def place(
        self,
        now: Instant,
        out: frozenset[str] = frozenset(),
        scheduled: Mapping[str, int] | None = None,
        data_bytes: Mapping[str, int] | None = None,
    ) -> dict[str, int]:
        """Replicas by cluster, none on those that are ``out``; empty, if there is nowhere to go."""
        return self.explained(now, out, scheduled, data_bytes)[0]

    def explained(
        self,
        now: Instant,
        out: frozenset[str] = frozenset(),
        scheduled: Mapping[str, int] | None = None,
        data_bytes: Mapping[str, int] | None = None,
    ) -> tuple[dict[str, int], str]:
        """The same, and why there is nowhere to go."""
        runs = dict(scheduled or {})
        well = [(number, cluster) for number, cluster in enumerate(self.clusters) if cluster.name not in out]
        there = [self._now(cluster, number, now, runs) for number, cluster in well]
        if not there:
            return {}, "every cluster is out"
        federation = Federation.of(there)
        workload = replace(self.workload, scheduled=runs, data_bytes=dict(data_bytes or {}))
        placements = place(federation, [workload])
        return {name: replicas for name, replicas in placements.of(0).items() if replicas}, placements.reason(0)

    def _now(self, cluster: Cluster, number: int, now: Instant, runs: Mapping[str, int]) -> Cluster:
        facts = dict(cluster.facts)
        if self.outlook is not None:
            facts |= self.outlook.facts(now, number)
        pools = left_beside(cluster.pools, self.workload.shape, runs.get(cluster.name, 0))
        return replace(cluster, facts=facts, pools=pools)


def left_beside(pools: Sequence[NodePool], shape: PodShape, replicas: int) -> tuple[NodePool, ...]:
    """What is left of pools that run so many replicas of a shape, packed from the first node on."""
    left: list[NodePool] = []
    for pool in pools:
        fits = min((pool.free.get(name, 0) // amount for name, amount in shape.request), default=0)
        full = min(pool.count, replicas // fits) if fits else 0
        replicas -= full * fits
        rest = pool.count - full
        if fits and rest and replicas:
            free = {name: amount - replicas * dict(shape.request).get(name, 0) for name, amount in pool.free.items()}
            left.append(replace(pool, count=1, free=free))
            rest, replicas = rest - 1, 0
        if rest:
            left.append(replace(pool, count=rest))
    return tuple(left)
