"""Cases about which policy speaks for a resource, and in which order override policies change it."""

from __future__ import annotations

from skyedge.layers.federation import policy
from skyedge.layers.federation.objects import Cluster

from .objects import Answer, Given, affinity_from, only, resource_from, selectors_from


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


def selector_closeness(given: Given) -> Answer:
    """How closely selectors name a resource."""
    close = policy.closest(selectors_from(given), resource_from(given["resource"]))
    return {"closeness": int(close), "matches": bool(close)}
