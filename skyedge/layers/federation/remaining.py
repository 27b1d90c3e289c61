"""What is left of clusters when workloads have been placed on them: the same clusters with less free on their nodes.

Room is estimated for each workload by itself.  Whoever asks what comes next, such as a failover after a placement, has to
take off what the placement took.  Replicas fill one node after the other, pool by pool; what finds no room any more, because
several workloads counted on the same, takes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skyedge.layers.federation.nodes import NodeClass
from skyedge.layers.federation.objects import Cluster, NodePool, Workload
from skyedge.layers.federation.room import Flavour, fits_on_node, flavour_of
from skyedge.layers.scheduler.objects import Amounts


def remaining(
    clusters: Sequence[Cluster], workloads: Sequence[Workload], added: Sequence[Mapping[str, int]]
) -> tuple[Cluster, ...]:
    """The clusters with what is left on them, in the same order.

    Args:
        clusters: with what was free before.
        workloads: those that were placed.
        added: of each workload, the replicas by cluster that did not run before.
    """
    pools = {cluster.name: list(cluster.pools) for cluster in clusters}
    for workload, share in zip(workloads, added, strict=True):
        flavour = flavour_of(workload.shape)
        for cluster, replicas in sorted(share.items()):
            if replicas > 0 and cluster in pools:
                pools[cluster] = taken(pools[cluster], flavour, replicas)
    return tuple(replace(cluster, pools=tuple(pools[cluster.name])) for cluster in clusters)


def taken(pools: Sequence[NodePool], flavour: Flavour, replicas: int) -> list[NodePool]:
    """The pools after so many replicas of a flavour; nodes that are no longer alike come apart."""
    left: list[NodePool] = []
    for pool in pools:
        fits = fits_on_node(pool.free, flavour.request) if flavour.habitat.admits(_class_of(pool)) else 0
        full = min(pool.count, replicas // fits) if fits and replicas else 0
        part = min(replicas - full * fits, fits) if full < pool.count else 0
        replicas -= full * fits + part
        for count, of_node in ((full, fits), (int(part > 0), part), (pool.count - full - int(part > 0), 0)):
            if count:
                left.append(replace(pool, count=count, free=_less(pool.free, flavour, of_node)))
    return left


def _less(free: Amounts, flavour: Flavour, replicas: int) -> Amounts:
    if not replicas:
        return free
    request = dict(flavour.request)
    return {resource: amount - replicas * request.get(resource, 0) for resource, amount in free.items()}


def _class_of(pool: NodePool) -> NodeClass:
    return NodeClass(tuple(sorted(pool.labels.items())), pool.taints)
