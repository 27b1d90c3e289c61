"""Which policy speaks for a resource, and which override policies change it for a cluster, in which order.

One propagation policy speaks: the one with the highest priority that its author gave; of equals the one that names the
resource most closely; of equals again the first by name.  A policy of the resource's own namespace comes before one of the
whole federation.  Override policies all apply, the other way round: what is said most closely comes last and stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from skyedge.layers.federation.affinity import ClusterAffinity, matches_affinity
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.scheduler.labels import meets_all
from skyedge.layers.scheduler.objects import Requirement

Change = TypeVar("Change")


class Closeness(IntEnum):
    """How closely a selector names a resource."""

    NONE = 0
    KIND = 1
    LABELS = 2
    NAME = 3


@dataclass(frozen=True)
class Resource:
    """A resource, as far as policies look at it."""

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResourceSelector:
    """Resources of a kind: by name, else by labels, else all; an empty namespace is any, or that of the policy."""

    kind: str
    api_version: str = ""
    name: str = ""
    namespace: str = ""
    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


@dataclass(frozen=True)
class PropagationPolicy:
    """A policy; without a namespace it is one of the whole federation."""

    name: str
    selectors: tuple[ResourceSelector, ...]
    namespace: str = ""
    priority: int = 0


@dataclass(frozen=True)
class OverrideRule(Generic[Change]):
    """A change for some clusters; for all of them, if no affinity is given."""

    change: Change
    affinity: ClusterAffinity | None = None


@dataclass(frozen=True)
class OverridePolicy(Generic[Change]):
    """Changes for some resources; for all, if there are no selectors.  Without a namespace, one of the whole federation."""

    name: str
    rules: tuple[OverrideRule[Change], ...]
    selectors: tuple[ResourceSelector, ...] = ()
    namespace: str = ""


def closeness(selector: ResourceSelector, resource: Resource, policy_namespace: str = "") -> Closeness:
    """How closely the selector names the resource; a selector with a name ignores labels."""
    namespace = selector.namespace or policy_namespace
    if (selector.api_version, selector.kind) != (resource.api_version, resource.kind):
        return Closeness.NONE
    if namespace and namespace != resource.namespace:
        return Closeness.NONE
    if selector.name:
        return Closeness.NAME if selector.name == resource.name else Closeness.NONE
    if selector.match_labels or selector.match_expressions:
        met = all(resource.labels.get(key) == value for key, value in selector.match_labels.items()) and meets_all(
            selector.match_expressions, resource.labels
        )
        return Closeness.LABELS if met else Closeness.NONE
    return Closeness.KIND


def closest(selectors: Iterable[ResourceSelector], resource: Resource, policy_namespace: str = "") -> Closeness:
    """The closest that any of the selectors comes."""
    return max((closeness(one, resource, policy_namespace) for one in selectors), default=Closeness.NONE)


def choose_policy(resource: Resource, policies: Sequence[PropagationPolicy]) -> PropagationPolicy | None:
    """The policy that speaks for a resource, or None.

    A policy with a namespace speaks only for what lies in it.
    """
    matching = [
        (not policy.namespace, -policy.priority, -close, policy.name, place)
        for place, policy in enumerate(policies)
        if policy.namespace in ("", resource.namespace) and (close := closest(policy.selectors, resource, policy.namespace))
    ]
    return policies[min(matching)[-1]] if matching else None


def overrides_in_order(
    resource: Resource, cluster: Cluster, policies: Sequence[OverridePolicy[Change]]
) -> list[tuple[str, Change]]:
    """What changes the resource for the cluster, with the name of the policy, in the order in which it is to be applied.

    Policies of the whole federation first, then those of the namespace; of each, the least close first, then by name; the
    rules of a policy as they are listed.
    """
    matching = []
    for place, policy in enumerate(policies):
        if policy.namespace not in ("", resource.namespace):
            continue
        close = closest(policy.selectors, resource, policy.namespace) if policy.selectors else Closeness.KIND
        if close:
            matching.append((bool(policy.namespace), close, policy.name, place))
    return [
        (policies[place].name, rule.change)
        for *_, place in sorted(matching)
        for rule in policies[place].rules
        if rule.affinity is None or matches_affinity(cluster, rule.affinity)
    ]
