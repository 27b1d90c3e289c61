"""One workload at a time, cluster by cluster and node by node, from the functions for one: the yardstick for many.

Nothing here is quick, and nothing is shared with the columns but the rules for one workload.
"""

from __future__ import annotations

from dataclasses import dataclass

from skyedge.layers.federation.affinity import (
    has_spread_fields,
    locality_score,
    matches_affinity,
    may_return,
    tolerates_taints,
)
from skyedge.layers.federation.assignment import (
    Candidate,
    StaticWeight,
    Unschedulable,
    assign_replicas,
    static_weights,
)
from skyedge.layers.federation.columns import NOT_READY, Federation
from skyedge.layers.federation.division import Mode, Strategy
from skyedge.layers.federation.nodes import NodeClass
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.placement import AffinityGroup
from skyedge.layers.federation.room import UNLIMITED, Flavour, fits_on_node, flavour_of
from skyedge.layers.federation.spread import (
    RankedCluster,
    Scheduling,
    regions_of,
    sort_clusters,
    spread_by_cluster,
    spread_by_region,
)


@dataclass(frozen=True)
class Answer:
    """Replicas by cluster, and the affinity group; None: it has no place."""

    replicas: dict[str, int] | None
    group: str = ""


def room_on_pools(cluster: Cluster, flavour: Flavour) -> int:
    """Replicas that fit on the nodes of a cluster that is told by its pools."""
    fits = 0
    for pool in cluster.pools:
        if pool.count and flavour.habitat.admits(NodeClass(tuple(pool.labels.items()), pool.taints)):
            one = fits_on_node(pool.free, flavour.request)
            fits = UNLIMITED if one == UNLIMITED else min(UNLIMITED, fits + pool.count * one)
    return fits


def room_on_nodes(federation: Federation, column: int, flavour: Flavour) -> int:
    """Replicas that fit on the nodes of a cluster that is told by columns of nodes."""
    nodes, fits = federation.nodes, 0
    bounds = [*nodes.run_start.tolist(), nodes.rows]
    for run, mine in enumerate(nodes.run_cluster.tolist()):
        if mine == column and flavour.habitat.admits(nodes.classes[nodes.run_class[run]]):
            for row in range(bounds[run], bounds[run + 1]):
                free = {name: int(amounts[row]) for name, amounts in nodes.free.items() if amounts[row] != float("inf")}
                one = fits_on_node(free, flavour.request)
                many = 1 if nodes.count is None else int(nodes.count[row])
                fits = UNLIMITED if one == UNLIMITED else min(UNLIMITED, fits + one * many)
    return fits


def place_one(federation: Federation, workload: Workload, lost: frozenset[str] = frozenset()) -> Answer:
    """The place of one workload: the first of its affinity groups that works."""
    names = [group.name for group in workload.rules.groups]
    begin = names.index(workload.group) if workload.group in names and workload.group and not workload.fresh else 0
    for group in (workload.rules.groups or (AffinityGroup(),))[begin:]:
        try:
            return Answer(_by_group(federation, workload, group, lost), group.name)
        except Unschedulable:
            continue
    return Answer(None)


def tier_of(cluster: Cluster, group: AffinityGroup) -> int | None:
    """The first tier that means a cluster."""
    for order, affinity in enumerate((group.affinity, *group.overflow)):
        if matches_affinity(cluster, affinity):
            return order
    return None


def passes(cluster: Cluster, workload: Workload) -> bool:
    """Whether the filters that have nothing to do with affinity let a cluster through."""
    ready = cluster if cluster.ready else Cluster(cluster.name, taints=(*cluster.taints, NOT_READY))
    return (
        (
            cluster.api_kinds is None
            or workload.api_kind in cluster.api_kinds
            or (cluster.name in workload.scheduled and not cluster.kinds_complete)
        )
        and tolerates_taints(ready, workload.rules.tolerations, workload.scheduled)
        and has_spread_fields(cluster, [constraint.field for constraint in workload.rules.spread])
        and may_return(cluster.name, workload.evicting)
    )


def _by_group(federation: Federation, workload: Workload, group: AffinityGroup, lost: frozenset[str]) -> dict[str, int]:
    rules, flavour = workload.rules, flavour_of(workload.shape)
    tiers: dict[str, int] = {}
    room: dict[str, int] = {}
    for column, cluster in enumerate(federation.clusters):
        tier = tier_of(cluster, group)
        if tier is not None and cluster.name not in lost and passes(cluster, workload):
            tiers[cluster.name] = tier
            if cluster.pools:
                room[cluster.name] = room_on_pools(cluster, flavour)
            else:
                room[cluster.name] = room_on_nodes(federation, column, flavour)
            if room[cluster.name] == UNLIMITED or not workload.replicas:
                room[cluster.name] = workload.replicas
    if not tiers:
        raise Unschedulable("no cluster")
    ranked = [
        RankedCluster(name, locality_score(name, workload.scheduled), room[name] + workload.scheduled.get(name, 0))
        for name in tiers
    ]
    chosen = _spread(federation, workload, ranked)
    candidates = [Candidate(name, room[name], tiers[name]) for name in chosen]
    weights = None
    if rules.strategy is Strategy.STATIC_WEIGHT:
        weights = [
            StaticWeight(one.weight, named) for one in rules.static_weights if (named := _meant(federation, one.affinity))
        ]
        if rules.static_weights and not weights:
            weights = None
        assert static_weights(chosen, weights)
    shares = assign_replicas(
        candidates,
        workload.replicas,
        workload.scheduled,
        rules.strategy,
        weights,
        Mode.FRESH if workload.fresh else Mode.STEADY,
        workload.uid,
    )
    return {name: number for name, number in sorted(shares.items()) if number or not workload.replicas}


def _meant(federation: Federation, affinity) -> tuple[str, ...]:
    return tuple(cluster.name for cluster in federation.clusters if matches_affinity(cluster, affinity))


def _spread(federation: Federation, workload: Workload, ranked: list[RankedCluster]) -> list[str]:
    rules = workload.rules
    constraints = {constraint.field: constraint for constraint in rules.spread}
    if not constraints or rules.strategy is Strategy.STATIC_WEIGHT:
        return [cluster.name for cluster in ranked]
    duplicated = rules.strategy is Strategy.DUPLICATED
    if "region" in constraints:
        region_of = {cluster.name: cluster.region for cluster in federation.clusters}
        scheduling = Scheduling.DUPLICATED if duplicated else Scheduling.DIVIDED
        regions = regions_of(ranked, region_of, workload.replicas, scheduling, rules.spread)
        return [cluster.name for cluster in spread_by_region(rules.spread, regions)]
    need = None if duplicated or not workload.replicas else workload.replicas
    return [one.name for one in spread_by_cluster(constraints["cluster"], sort_clusters(ranked), need)]
