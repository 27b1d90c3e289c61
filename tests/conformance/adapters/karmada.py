"""Karmada's cases, for ``skyedge.layers.federation``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.layers.federation import (
    affinity,
    assignment,
    failover,
    images,
    overrides,
    policy,
    spread,
    status,
)
from skyedge.layers.federation.division import Mode, Strategy
from skyedge.layers.federation.objects import Cluster, Taint, Toleration
from skyedge.layers.federation.webster import TieBreak, webster
from skyedge.layers.scheduler.objects import Requirement

Given = Mapping[str, Any]
Answer = dict[str, Any]


def only(given: Given, known: Sequence[str], what: str) -> None:
    """Refuse what is not in the schema: a field that is passed over could make a case pass by luck."""
    for field in given:
        if field not in known:
            raise InputError(f"the schema has no '{field}' in {what}", nearest=nearest(field, known))


# From a case to objects.


def taint_from(given: Given) -> Taint:
    """A taint of a cluster."""
    only(given, ("key", "value", "effect", "added_at"), "a taint")
    return Taint(given["key"], given.get("value") or "", given["effect"], given.get("added_at"))


def toleration_from(given: Given) -> Toleration:
    """A toleration of a workload."""
    only(given, ("key", "operator", "value", "effect", "toleration_seconds"), "a toleration")
    return Toleration(
        given.get("key") or "",
        given.get("operator") or "Equal",
        given.get("value") or "",
        given.get("effect") or "",
        given.get("toleration_seconds"),
    )


def tolerations_from(given: Sequence[Given]) -> tuple[Toleration, ...]:
    """Tolerations, in their order."""
    return tuple(toleration_from(one) for one in given)


def cluster_from(given: Given) -> Cluster:
    """A member of the federation."""
    only(given, ("name", "labels", "provider", "region", "zones", "taints"), "a cluster")
    return Cluster(
        given["name"],
        given.get("labels") or {},
        given.get("provider") or "",
        given.get("region") or "",
        tuple(given.get("zones") or ()),
        tuple(taint_from(taint) for taint in given.get("taints") or ()),
    )


def requirement_from(given: Given) -> Requirement:
    """A condition."""
    only(given, ("key", "operator", "values"), "a condition")
    return Requirement(given["key"], given["operator"], tuple(given.get("values") or ()))


def affinity_from(given: Given) -> affinity.ClusterAffinity:
    """Conditions on clusters."""
    only(given, ("cluster_names", "exclude_clusters", "label_selector", "field_selector"), "an affinity")
    labels = given.get("label_selector") or {}
    only(labels, ("match_labels", "match_expressions"), "a label selector")
    return affinity.ClusterAffinity(
        tuple(given.get("cluster_names") or ()),
        tuple(given.get("exclude_clusters") or ()),
        labels.get("match_labels") or {},
        tuple(requirement_from(one) for one in labels.get("match_expressions") or ()),
        tuple(requirement_from(one) for one in given.get("field_selector") or ()),
    )


def strategy_from(given: Given | None) -> Strategy:
    """How replicas are divided; nothing said is duplicated."""
    if given is None:
        return Strategy.DUPLICATED
    only(given, ("type", "division_preference", "dynamic_weight", "static_weights"), "a strategy")
    match given.get("type"), given.get("division_preference"), given.get("dynamic_weight"):
        case "Divided", "Aggregated", _:
            return Strategy.AGGREGATED
        case ("Divided", "Weighted", "AvailableReplicas") | ("Divided", None, None):
            return Strategy.DYNAMIC_WEIGHT
        case "Divided", "Weighted", None:
            return Strategy.STATIC_WEIGHT
        case "Duplicated" | None, None, None:
            return Strategy.DUPLICATED
    raise InputError(f"the schema has no strategy {dict(given)}")


def static_weights_from(given: Sequence[Given] | None) -> list[assignment.StaticWeight] | None:
    """Weights of a policy."""
    if given is None:
        return None
    for one in given:
        only(one, ("cluster_names", "weight"), "a static weight")
    return [assignment.StaticWeight(one["weight"], tuple(one.get("cluster_names") or ())) for one in given]


def ranked_from(given: Given) -> spread.RankedCluster:
    """A cluster with score and room."""
    only(given, ("name", "score", "available_replicas"), "a ranked cluster")
    return spread.RankedCluster(given["name"], given.get("score", 0), given.get("available_replicas", 0))


def all_ranked(given: Sequence[Given]) -> tuple[spread.RankedCluster, ...]:
    """Clusters, in their order."""
    return tuple(ranked_from(one) for one in given)


def constraints_from(given: Sequence[Given]) -> list[spread.SpreadConstraint]:
    """Spread constraints."""
    for one in given:
        only(one, ("field", "min_groups", "max_groups"), "a spread constraint")
    return [spread.SpreadConstraint(one["field"], one.get("min_groups", 0), one.get("max_groups", 0)) for one in given]


def task_from(given: Given) -> failover.EvictionTask:
    """A graceful eviction."""
    only(given, ("from_cluster", "created_at", "grace_period_seconds", "suppress_deletion"), "an eviction task")
    return failover.EvictionTask(
        given["from_cluster"], given.get("created_at"), given.get("grace_period_seconds"), given.get("suppress_deletion")
    )


def plain_task(task: failover.EvictionTask) -> Answer:
    """A task as a case says it, with what was said of it."""
    said = {
        "from_cluster": task.from_cluster,
        "created_at": task.created_at_s,
        "grace_period_seconds": task.grace_period_s,
        "suppress_deletion": task.suppress_deletion,
    }
    return {key: value for key, value in said.items() if value is not None}


def placement_from(given: Given) -> failover.Placement:
    """What became of a workload elsewhere."""
    return failover.Placement(given["has_scheduled"], tuple(given["schedule_result"]), given["observed_health"])


def resource_from(given: Given) -> policy.Resource:
    """A resource."""
    only(given, ("api_version", "kind", "name", "namespace", "labels"), "a resource")
    return policy.Resource(
        given["kind"],
        given["name"],
        given.get("namespace") or "",
        given.get("api_version") or "",
        given.get("labels") or {},
    )


def selector_from(given: Given) -> policy.ResourceSelector:
    """What a policy selects."""
    only(given, ("api_version", "kind", "name", "namespace", "match_labels"), "a resource selector")
    return policy.ResourceSelector(
        given["kind"],
        given.get("api_version") or "",
        given.get("name") or "",
        given.get("namespace") or "",
        given.get("match_labels") or {},
    )


def selectors_from(given: Given) -> tuple[policy.ResourceSelector, ...]:
    """What a policy selects in all."""
    return tuple(selector_from(one) for one in given.get("selectors") or ())


# Division.


def divide_static_weight(given: Given) -> Answer:
    """By given weights."""
    weights = static_weights_from(given["static_weights"])
    return {"assignment": assignment.assign_by_static_weight(given["candidates"], given["replicas"], weights)}


def divide_dynamic(given: Given) -> Answer:
    """By room."""
    room = {one["name"]: one["allocatable_replicas"] for one in given["candidates"]}
    strategy, mode = strategy_from(given["strategy"]), Mode(given["mode"])
    return {"assignment": assignment.assign_by_room(room, given["replicas"], given["scheduled"], strategy, mode)}


def divide_duplicated(given: Given) -> Answer:
    """All everywhere."""
    return {"assignment": assignment.assign_duplicated(given["candidates"], given["replicas"])}


def divide_available(given: Given) -> Answer:
    """By what is available."""
    available = {one["cluster"]: one["replicas"] for one in given["available"]}
    strategy = {"DynamicWeight": Strategy.DYNAMIC_WEIGHT, "Aggregated": Strategy.AGGREGATED}[given["strategy"]]
    shares = assignment.divide_available(available, given["target_replicas"], given["scheduled"], strategy)
    return {"assignment": shares}


TIE_BREAKS = {
    "fewer_seats_then_name_ascending": (TieBreak.FEWER_SEATS_THEN_NAME, False),
    "fewer_seats_then_name_descending": (TieBreak.FEWER_SEATS_THEN_NAME, True),
    "name_ascending": (TieBreak.NAME, False),
    "name_descending": (TieBreak.NAME, True),
}


def seats_by_webster(given: Given) -> Answer:
    """Seats of parties."""
    tie_break, descending = TIE_BREAKS[given["tie_break"]]
    return {"seats": webster(given["new_seats"], given["votes"], given["initial"], tie_break, descending) or None}


def dispense_by_weight(given: Given) -> Answer:
    """New replicas by weight."""
    shares = assignment.dispense_by_weight(given["new_replicas"], given["weights"], given["initial"], given["uid"])
    return {"assignment": shares, "assignment_any_of": shares}


def merge_assignments(given: Given) -> Answer:
    """Two assignments together."""
    return {"assignment": assignment.merge_assignments(given["old"], given["new"])}


def attach_zero_replicas(given: Given) -> Answer:
    """Candidates without replicas."""
    return {"assignment": assignment.attach_zero_replicas(given["candidates"], given["assignment"])}


def assign_replicas(given: Given) -> Answer:
    """Tier by tier."""
    for one in given["candidates"]:
        only(one, ("name", "overflow_order", "allocatable_replicas"), "a candidate")
    candidates = [
        assignment.Candidate(one["name"], one.get("allocatable_replicas", 0), one.get("overflow_order", 0))
        for one in given["candidates"]
    ]
    strategy = given["strategy"]
    weights = static_weights_from((strategy or {}).get("static_weights"))
    shares = assignment.assign_replicas(candidates, given["replicas"], given["scheduled"], strategy_from(strategy), weights)
    return {"assignment": shares}


# Choice of clusters.


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


# Failover.


def graceful_eviction_task(given: Given) -> Answer:
    """Whether a copy stays."""
    kept, _ = failover.assess_tasks(
        [task_from(given["task"])], placement_from(given), given["now"], given["timeout_seconds"]
    )
    return {"kept": bool(kept)}


def graceful_eviction_tasks(given: Given) -> Answer:
    """Which copies stay."""
    tasks = [task_from(task) for task in given["tasks"]]
    kept, evicted_from = failover.assess_tasks(tasks, placement_from(given), given["now"], given["timeout_seconds"])
    return {"kept": [plain_task(task) for task in kept], "evicted_from": evicted_from}


def graceful_eviction_next_retry(given: Given) -> Answer:
    """When to look again."""
    tasks = [task_from(task) for task in given["tasks"]]
    return {"retry_after_seconds": failover.next_look_s(tasks, given["now"], given["timeout_seconds"])}


def min_toleration_time(given: Given) -> Answer:
    """How long taints are tolerated."""
    taints = [taint_from(taint) for taint in given["no_execute_taints"]]
    seconds = failover.tolerated_for_s(taints, tolerations_from(given["matching_tolerations"]), given["now"])
    return {"seconds": none_for_ever(seconds)}


def need_eviction(given: Given) -> Answer:
    """Whether, and when, a workload has to go."""
    taints = [taint_from(taint) for taint in given["taints"]]
    tolerations = tolerations_from(given["tolerations"])
    seconds = failover.evicted_after_s(taints, tolerations, given["now"], given["eviction_enabled"])
    return {"evict_now": seconds == 0, "evict_after_seconds": none_for_ever(seconds)}


def none_for_ever(seconds: float) -> float | None:
    """For ever is null."""
    return None if math.isinf(seconds) else seconds


# Policies and overrides.


def policy_select(given: Given) -> Answer:
    """The policy that speaks."""
    for one in given["policies"]:
        only(one, ("name", "namespace", "priority", "selectors"), "a policy")
    policies = [
        policy.PropagationPolicy(one["name"], selectors_from(one), one.get("namespace") or "", one.get("priority") or 0)
        for one in given["policies"]
    ]
    chosen = policy.choose_policy(resource_from(given["resource"]), policies)
    return {"policy": None if chosen is None else chosen.name}


def override_order(given: Given) -> Answer:
    """What is applied, in order."""
    policies = []
    for one in given["policies"]:
        only(one, ("name", "selectors", "rules"), "an override policy")
        rules = tuple(
            policy.OverrideRule(rule["override"], affinity_from({"cluster_names": rule["cluster_names"]}))
            for rule in one["rules"]
        )
        policies.append(policy.OverridePolicy(one["name"], rules, selectors_from(one)))
    applied = policy.overrides_in_order(resource_from(given["resource"]), Cluster(given["cluster"]), policies)
    return {"applied": [{"policy": name, "override": change} for name, change in applied]}


def image_override(given: Given) -> Answer:
    """Images after a change; where a kind keeps its containers is no matter of names."""
    override = overrides.ImageOverride(
        overrides.ImageComponent(given["component"]),
        overrides.Operator(given["operator"]),
        given.get("value") or "",
        given["only_container"],
    )
    return {"images": overrides.override_images(given["images"], override)}


def list_override(given: Given) -> Answer:
    """Commands or arguments after a change."""
    operator = overrides.Operator(given["operator"])
    changed = [
        {**one, "list": overrides.override_list(one["list"], operator, given["value"])}
        if one["name"] == given["container_name"]
        else dict(one)
        for one in given["containers"]
    ]
    return {"containers": changed}


def map_override(given: Given) -> Answer:
    """Labels or annotations after changes."""
    result = given["current"]
    for one in given["overriders"]:
        result = overrides.override_map(result, overrides.Operator(one["operator"]), one["value"])
    return {"result": result}


def image_parse(given: Given) -> Answer:
    """The parts of a name."""
    image = images.parse_image(given["image"])
    return {"registry": image.registry, "repository": image.repository, "tag": image.tag, "digest": image.digest}


def image_split(given: Given) -> Answer:
    """Registry and repository."""
    registry, repository = images.split_registry(given["image"])
    return {"registry": registry, "repository": repository}


def aggregate_status(given: Given) -> Answer:
    """What the federation says."""
    reports = []
    for item in given["items"]:
        counters = dict(item["status"] or {})
        conditions = frozenset(
            one["type"] if isinstance(one, dict) else one
            for one in counters.pop("conditions", None) or ()
            if not isinstance(one, dict) or one.get("status", "True") == "True"
        )
        reports.append(status.ReportedStatus(item["cluster"], None if item["status"] is None else counters, conditions))
    return {"status": status.plain_status(status.aggregate_status(given["kind"], reports))}


ADAPTERS = {
    "aggregate_status": aggregate_status,
    "assign_replicas": assign_replicas,
    "attach_zero_replicas": attach_zero_replicas,
    "cluster_affinity": cluster_affinity,
    "dispense_by_weight": dispense_by_weight,
    "divide_available": divide_available,
    "divide_duplicated": divide_duplicated,
    "divide_dynamic": divide_dynamic,
    "divide_static_weight": divide_static_weight,
    "eviction_filter": eviction_filter,
    "graceful_eviction_next_retry": graceful_eviction_next_retry,
    "graceful_eviction_task": graceful_eviction_task,
    "graceful_eviction_tasks": graceful_eviction_tasks,
    "group_score": group_score,
    "group_score_compare": group_score_compare,
    "image_override": image_override,
    "image_parse": image_parse,
    "image_split": image_split,
    "list_override": list_override,
    "locality_score": locality_score,
    "map_override": map_override,
    "match_zones": match_zones,
    "merge_assignments": merge_assignments,
    "min_toleration_time": min_toleration_time,
    "need_eviction": need_eviction,
    "override_order": override_order,
    "policy_select": policy_select,
    "select_groups": select_groups,
    "sort_clusters": sort_clusters,
    "spread_by_cluster": spread_by_cluster,
    "spread_by_region": spread_by_region,
    "spread_filter": spread_filter,
    "taint_filter": taint_filter,
    "webster": seats_by_webster,
}
