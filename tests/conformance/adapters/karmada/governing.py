"""Cases about what governs a federation beside policies of placement: quotas, the clock, taints by conditions."""

from __future__ import annotations

from typing import Any

from skyedge.layers.federation import assignment, quotas
from skyedge.layers.federation.division import Strategy

from .objects import Answer, Given, only, taint_from
from .placement import MEMBER, read_written, written_time

NOW_S = 1_700_000_000
"""As :func:`written_time` counts."""


def charge_from(given: Given, workload: str = "it") -> quotas.Charge:
    """What a workload takes."""
    only(given, ("request", "replicas"), "a charge")
    return quotas.Charge(workload, "n", given["request"], given["replicas"])


def quota_admission(given: Given) -> Answer:
    """Whether quotas let a change in; what they have counted beside the workload itself is that of another."""
    limits, running = [], {}
    before = given["before"] and charge_from(given["before"])
    for number, one in enumerate(given["quotas"]):
        only(one, ("overall", "used"), "a quota")
        limits.append(quotas.Quota(f"q{number}", "n", one["overall"]))
        others = {name: used - (before.amount(name) if before else 0) for name, used in one["used"].items()}
        running["others"] = quotas.Charge("others", "n", others, {"elsewhere": 1})
    if before:
        running["it"] = before
    let_in, _ = quotas.admit(limits, running, [charge_from(given["after"])])
    return {"allowed": bool(let_in)}


def quota_used(given: Given) -> Answer:
    """What workloads take over all clusters; divided ones by equal weights."""
    charges = []
    for number, one in enumerate(given["bindings"]):
        only(one, ("request", "replicas", "scheduling_type", "clusters"), "a binding")
        strategy = {"Divided": Strategy.STATIC_WEIGHT, "Duplicated": Strategy.DUPLICATED}[one["scheduling_type"]]
        candidates = [assignment.Candidate(name) for name in one["clusters"]]
        shares = assignment.assign_replicas(candidates, one["replicas"], {}, strategy)
        charges.append(quotas.Charge(str(number), "n", one["request"], shares))
    used = quotas.used(quotas.Quota("q", "n", {"cpu": 0, "memory": 0}), charges)
    return {"used": {name: amount for name, amount in used.items() if amount}}


def clock_bounds(given: Given) -> Answer:
    """Between what an autoscaler keeps replicas after a rule of the clock has fired, or would have."""
    only(given["autoscaler"], ("min", "max"), "an autoscaler")
    only(given["rule"], ("min", "max", "suspend"), "a rule")
    container = {"name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}}}
    meta = {"name": "it", "namespace": "n"}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}
    deployment |= {"spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}}}
    policy = {"apiVersion": "policy.karmada.io/v1alpha1", "kind": "PropagationPolicy", "metadata": meta}
    policy |= {"spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}]}}
    group = "autoscaling.karmada.io/v1alpha1"
    bounds = {f"{end}Replicas": value for end, value in given["autoscaler"].items()}
    autoscaler = {"apiVersion": group, "kind": "FederatedHPA", "metadata": meta}
    autoscaler |= {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "it"}, **bounds}}
    fields = {"min": "targetMinReplicas", "max": "targetMaxReplicas", "suspend": "suspend"}
    rule = {"name": "r", "schedule": "* * * * *", **{fields[name]: value for name, value in given["rule"].items()}}
    clock = {"apiVersion": group, "kind": "CronFederatedHPA", "metadata": meta}
    clock |= {"spec": {"scaleTargetRef": {"kind": "FederatedHPA", "name": "it"}, "rules": [rule]}}
    (scaler,) = read_written(deployment, policy, autoscaler, clock, now_s=NOW_S).governance.scalers
    return {"min": scaler.rules.min_replicas, "max": scaler.rules.max_replicas}


def match_condition(given: Given) -> dict[str, Any]:
    """A condition of a taint policy, as a manifest says it."""
    only(given, ("condition", "operator", "statuses"), "a condition")
    return {"conditionType": given["condition"], "operator": given["operator"], "statusValues": given["statuses"]}


NEVER = {"condition": "NeverReported", "operator": "In", "statuses": ["True"]}
"""Keeps a policy company that has no conditions: one without any does nothing, and is refused."""


def taint_policy(given: Given) -> Answer:
    """The taints of a cluster after a taint policy."""
    taints = []
    for one in map(taint_from, given["taints"]):
        at = {} if one.added_at_s is None else {"timeAdded": written_time(one.added_at_s)}
        taints.append({"key": one.key, "value": one.value, "effect": one.effect, **at})
    conditions = [{"type": name, "status": status} for name, status in given["conditions"].items()]
    cluster = MEMBER | {"spec": {"taints": taints}, "status": {"conditions": conditions}}
    policy = {"apiVersion": "policy.karmada.io/v1alpha1", "kind": "ClusterTaintPolicy", "metadata": {"name": "p"}}
    policy["spec"] = {
        "addOnConditions": [match_condition(one) for one in given["add_on"]],
        "removeOnConditions": [match_condition(one) for one in given["remove_on"] or (NEVER,)],
        "taints": list(given["policy_taints"]),
    }
    (member,) = read_written(cluster, policy, now_s=NOW_S + given["now"]).clusters
    return {
        "taints": [
            {"key": one.key, "value": one.value, "effect": one.effect, "added_at": (one.added_at_s or 0.0) - NOW_S}
            for one in member.taints
        ]
    }
