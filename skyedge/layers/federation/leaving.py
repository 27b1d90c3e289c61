"""Who is driven out of a cluster by a taint, and when: what has to be told of a federation as it stands now.

Karmada acts on it only if eviction by taints is switched on; whether or not, it is what the policies say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from skyedge.layers.federation.failover import evicted_after_s
from skyedge.layers.federation.objects import Cluster, Workload


@dataclass(frozen=True)
class Leaving:
    """A workload, by its place in the list, that has to leave a cluster in so many seconds."""

    workload: int
    cluster: str
    after_s: float


def leaving(clusters: Sequence[Cluster], workloads: Sequence[Workload], now_s: float | None = None) -> list[Leaving]:
    """Who runs where a ``NoExecute`` taint does not let it stay, in the order of workloads and clusters.

    Args:
        now_s: seconds on the clock of the taints; by default the latest time of any of them.
    """
    now_s = latest_taint_s(clusters) if now_s is None else now_s
    tainted = {cluster.name: cluster for cluster in clusters if any(taint.effect == "NoExecute" for taint in cluster.taints)}
    found = []
    for place, workload in enumerate(workloads):
        for name in sorted(tainted.keys() & workload.scheduled.keys()):
            after_s = evicted_after_s(tainted[name].taints, workload.rules.tolerations, now_s)
            if math.isfinite(after_s):
                found.append(Leaving(place, name, after_s))
    return found


def latest_taint_s(clusters: Sequence[Cluster]) -> float:
    """When the youngest taint of any cluster was added; 0 if none says so."""
    times_s = [taint.added_at_s for cluster in clusters for taint in cluster.taints if taint.added_at_s is not None]
    return max(times_s, default=0.0)
