"""Cases about which clusters a workload may run on, and which are chosen."""

from __future__ import annotations

from skyedge.layers.federation import affinity, spread

from .objects import (
    Answer,
    Given,
    affinity_from,
    all_ranked,
    cluster_from,
    constraints_from,
    only,
    requirement_from,
    strategy_from,
    tolerations_from,
)


def sort_clusters(given: Given) -> Answer:
    """Clusters in order."""
    ranked = spread.sort_clusters(all_ranked(given["clusters"]), given["use_available_replicas"])
    return {"order": [cluster.name for cluster in ranked]}


def spread_by_cluster(given: Given) -> Answer:
    """So many clusters."""
    constraint = spread.check_constraints(constraints_from(given["constraints"]))["cluster"]
    need = given["need_replicas"] if strategy_from(given["replica_scheduling"]).by_room else None
    chosen = spread.spread_by_cluster(constraint, all_ranked(given["clusters"]), need)
    return {"clusters": [cluster.name for cluster in chosen]}


def spread_by_region(given: Given) -> Answer:
    """So many regions."""
    for one in given["regions"]:
        only(one, ("name", "score", "clusters"), "a region")
    regions = [spread.Region(one["name"], one["score"], all_ranked(one["clusters"])) for one in given["regions"]]
    chosen = spread.spread_by_region(constraints_from(given["constraints"]), regions)
    return {"clusters": [cluster.name for cluster in chosen]}


def group_by_region(given: Given) -> Answer:
    """The regions that there are, and their clusters in order."""
    regions = spread.regions_of(
        all_ranked(given["clusters"]),
        given["region_of"],
        given["replicas"],
        spread.Scheduling(given["scheduling_type"]),
        constraints_from(given["constraints"]),
    )
    return {"regions": {region.name: [cluster.name for cluster in region.clusters] for region in regions}}


def select_groups(given: Given) -> Answer:
    """The best groups."""
    groups = [spread.Group(one["name"], one["value"], one["weight"]) for one in given["groups"]]
    return {"groups": spread.select_groups(groups, given["min_groups"], given["max_groups"], given["target"])}


def scored(given: Given, clusters: str) -> int:
    """The score of a group."""
    return spread.group_score(
        all_ranked(given[clusters]),
        given["replicas"],
        spread.Scheduling(given["scheduling_type"]),
        given["group_min_groups"],
        given["cluster_min_groups"],
    )


def group_score(given: Given) -> Answer:
    """The score of one group."""
    return {"score": scored(given, "clusters")}


def group_score_compare(given: Given) -> Answer:
    """The better of two groups."""
    return {"group1_score_ge_group2": scored(given, "clusters1") >= scored(given, "clusters2")}


def cluster_affinity(given: Given) -> Answer:
    """Whether conditions hold."""
    return {"match": affinity.matches_affinity(cluster_from(given["cluster"]), affinity_from(given["affinity"]))}


def match_zones(given: Given) -> Answer:
    """Whether zones meet a condition."""
    return {"match": affinity.matches_zones(given["zones"], requirement_from(given["expression"]))}


def taint_filter(given: Given) -> Answer:
    """Whether taints let a workload in."""
    tolerations = tolerations_from(given["tolerations"])
    passes = affinity.tolerates_taints(cluster_from(given["cluster"]), tolerations, given["already_scheduled"])
    return {"schedulable": passes}


def spread_filter(given: Given) -> Answer:
    """Whether a cluster belongs to a group."""
    return {"schedulable": affinity.has_spread_fields(cluster_from(given["cluster"]), given["spread_by"])}


def locality_score(given: Given) -> Answer:
    """How welcome a workload is."""
    return {"score": affinity.locality_score(given["cluster"], given["scheduled"])}


def eviction_filter(given: Given) -> Answer:
    """Whether a workload may come back."""
    return {"schedulable": affinity.may_return(given["cluster"], given["graceful_eviction_from"])}
