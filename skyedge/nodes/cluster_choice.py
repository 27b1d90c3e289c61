"""Which cluster gets the next piece of work, by what one proxy knows: what it was told, and how its own calls fared.

The rules are the mesh's (:mod:`skyedge.layers.mesh`).  A cluster is healthy while it was told to serve, is not ejected for
its failures, and does not say that it is too far behind.  ``nearest`` makes every cluster a priority of its own, in order of
latency; ``least-request`` makes priorities by locality and takes, among those of one priority, the less busy of two;
``distribute`` has shares fixed by locality.  Where none is healthy only because all are behind, being behind does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skyedge.layers.mesh.balancing import least_request
from skyedge.layers.mesh.locality import Locality, distribute, failover_priorities
from skyedge.layers.mesh.outlier import OutlierConfig, OutlierDetector
from skyedge.layers.mesh.priority_load import priority_load
from skyedge.layers.mesh.weights import choose
from skyedge.time import MILLISECOND, SECOND, Instant

Balance = Literal["nearest", "least-request", "distribute"]

NEVER_PANIC = 0.0
"""Istio's: work is never sent to clusters that are known not to serve."""

MOST_SWEEPS = 64
"""After so many sweeps without work every ejection is over and every offence forgiven."""


@dataclass(frozen=True)
class ChoiceRules:
    """How a cluster is chosen.

    Attributes:
        distribute: from a locality, to localities with percents; for ``distribute``.
        spill_over_s: a cluster that says it is further behind gets nothing while another is not; None: that never matters.
        outlier: when failures eject a cluster; None: never.
    """

    balance: Balance = "nearest"
    distribute: tuple[tuple[str, Mapping[str, int]], ...] = ()
    spill_over_s: float | None = None
    outlier: OutlierConfig | None = None


@dataclass(frozen=True)
class Target:
    """A cluster as a proxy sees it."""

    name: str
    locality: Locality
    latency_us: int


class ClusterChoice:
    """What one proxy knows of the clusters, and whom it chooses.

    Args:
        targets: all clusters of the federation.
        locality: of the proxy.
        rules: how to choose.
        replicas: that serve on each cluster at first.
        draws: the proxy's own stream.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        locality: Locality,
        rules: ChoiceRules,
        replicas: Mapping[str, int],
        draws: np.random.Generator,
    ) -> None:
        self._rules = rules
        self._draws = draws
        self._targets = sorted(targets, key=lambda target: (target.latency_us, target.name))
        self._names = [target.name for target in self._targets]
        self.replicas = dict.fromkeys(self._names, 0) | dict(replicas)
        self.active = dict.fromkeys(self._names, 0)
        self._behind: dict[str, tuple[Instant, float]] = {}
        self._outlier = OutlierDetector(self._names, rules.outlier) if rules.outlier is not None else None
        self._swept_at: Instant = 0
        localities = [target.locality for target in self._targets]
        self._priorities = (
            failover_priorities(locality, localities)
            if rules.balance == "least-request"
            else list(range(len(self._targets)))
        )
        shared = distribute(locality, localities, rules.distribute) if rules.balance == "distribute" else None
        self._shares = None if shared is None else dict(zip(self._names, shared, strict=True))

    @property
    def names(self) -> list[str]:
        """Of all clusters, the nearest first."""
        return self._names

    @property
    def anybody_serves(self) -> bool:
        """Whether any cluster has a replica, by what the control plane said last."""
        return any(replicas > 0 for replicas in self.replicas.values())

    def told(self, replicas: Mapping[str, int]) -> None:
        """The control plane has spoken."""
        self.replicas.update(replicas)

    def heard(self, cluster: str, behind_s: float, now: Instant) -> None:
        """A cluster took work and said how far behind it is."""
        self._behind[cluster] = (now, behind_s)
        self._observe(cluster, 200, now)

    def failed(self, cluster: str, now: Instant) -> None:
        """A cluster did not answer."""
        self._observe(cluster, 503, now)

    def choose(self, now: Instant, avoid: Collection[str] = ()) -> str | None:
        """The cluster for one piece of work, or None if nobody serves.

        Args:
            now: the time.
            avoid: clusters that were tried for it already; one of them only if there is no other.
        """
        self._sweep(now)
        ejected = self._outlier.ejected if self._outlier is not None else ()
        serving = [name for name in self._names if self.replicas[name] > 0 and name not in ejected]
        usable = [name for name in serving if name not in avoid] or serving
        in_time = [name for name in usable if not self._is_behind(name, now)] or usable
        if not in_time:
            return None
        if self._shares is not None:
            shares = [float(self._shares[name]) for name in in_time]
            if any(shares):
                return in_time[int(choose(shares, self._draws.random()))]
        return self._by_priority(in_time)

    def _by_priority(self, healthy: Sequence[str]) -> str:
        priorities = sorted({self._priorities[row] for row, name in enumerate(self._names) if self.replicas[name] > 0})
        members: dict[int, list[str]] = {priority: [] for priority in priorities}
        there = dict.fromkeys(priorities, 0)
        for row, name in enumerate(self._names):
            if self.replicas[name] > 0:
                there[self._priorities[row]] += self.replicas[name]
                if name in healthy:
                    members[self._priorities[row]].append(name)
        percent = [100.0 * sum(self.replicas[name] for name in members[one]) / there[one] for one in priorities]
        load = priority_load(percent, panic_percent=NEVER_PANIC).load_percent
        group = members[priorities[int(choose(load.tolist(), self._draws.random()))]]
        if len(group) == 1:
            return group[0]
        weights = [float(self.replicas[name]) for name in group]
        one, other = self._draws.random(2).tolist()
        return group[least_request(weights, [self.active[name] for name in group], (one, other))]

    def _is_behind(self, name: str, now: Instant) -> bool:
        limit = self._rules.spill_over_s
        if limit is None or name not in self._behind:
            return False
        told_at, behind_s = self._behind[name]
        return behind_s - (now - told_at) / SECOND > limit

    def _observe(self, cluster: str, status: int, now: Instant) -> None:
        if self._outlier is not None:
            self._sweep(now)
            self._outlier.observe(cluster, status, now / MILLISECOND)

    def _sweep(self, now: Instant) -> None:
        """Sweep as often as the interval asks for since the last time."""
        if self._outlier is None:
            return
        interval_us = self._outlier.config.interval_ms * MILLISECOND
        due = now // interval_us - self._swept_at // interval_us
        for count in range(max(0, due - MOST_SWEEPS), due):
            self._outlier.sweep((self._swept_at // interval_us + count + 1) * interval_us / MILLISECOND)
        self._swept_at = now
