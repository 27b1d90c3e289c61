"""From a case of Karmada's to the objects of ``skyedge.layers.federation``; the subjects beside this share them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.layers.federation import affinity, assignment, failover, policy, spread
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import Cluster, Taint, Toleration
from skyedge.layers.scheduler.objects import Requirement

Given = Mapping[str, Any]
Answer = dict[str, Any]


def only(given: Given, known: Sequence[str], what: str) -> None:
    """Refuse what is not in the schema: a field that is passed over could make a case pass by luck."""
    for field in given:
        if field not in known:
            raise InputError(f"the schema has no '{field}' in {what}", nearest=nearest(field, known))


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
