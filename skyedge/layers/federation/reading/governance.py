"""From manifests to how a federation is governed: rules, quotas, the life of its clusters, taints by their conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from skyedge.errors import InputError
from skyedge.kube import Manifest, Manifests
from skyedge.kube.governance import ClusterRule
from skyedge.kube.karmada_clusters import Cluster as ClusterManifest
from skyedge.kube.karmada_workloads import ClusterTaintPolicy, FederatedResourceQuota, MatchCondition
from skyedge.kube.problem import Path
from skyedge.kube.quantity import Resources
from skyedge.layers.federation.affinity import matches_affinity
from skyedge.layers.federation.membership import Membership, Origin, Phase, as_member, origin_from, phase_from
from skyedge.layers.federation.objects import Cluster, Taint
from skyedge.layers.federation.policy_centre import Condition, Rule
from skyedge.layers.federation.quotas import Quota
from skyedge.layers.federation.reading.autoscalers import Scaler
from skyedge.layers.federation.reading.clocks import Clock, Target
from skyedge.layers.federation.reading.figures import annotated, seconds
from skyedge.layers.federation.reading.notices import Notices, doubled
from skyedge.layers.federation.reading.rules import DEFAULT_NAMESPACE, affinity_of, selectors_of
from skyedge.layers.scheduler.objects import BYTE_RESOURCES, THOUSANDTHS

ORIGIN, PHASE, PHASE_SINCE = "skyedge.io/origin", "skyedge.io/phase", "skyedge.io/phase-since"
"""Of a cluster: where it comes from, where it is in its life, and since when (UTC)."""

REQUESTS = "requests."


@dataclass(frozen=True, eq=False)
class Governance:
    """What is asked of a federation beside policies of placement.

    Attributes:
        rules: of the policy centre, in the order of their names.
        quotas: in the order of namespace and name.
        scalers: autoscalers, in the order of what they scale.
        clocks: what the clock says, by what it is said of.
        memberships: of every cluster, by name; one that says nothing is a member from a data centre of one's own.
        registered: the clusters whose files say where they come from or where they are in their life.
        plain: the manifest of every cluster as plain data, by name.
    """

    rules: tuple[Rule, ...] = ()
    quotas: tuple[Quota, ...] = ()
    scalers: tuple[Scaler, ...] = ()
    clocks: Mapping[Target, Clock] = field(default_factory=dict)
    memberships: Mapping[str, Membership] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()
    plain: Mapping[str, Any] = field(default_factory=dict)


def governed_clusters(
    manifests: Manifests, clusters: Sequence[Cluster], notices: Notices, now_s: float
) -> tuple[Cluster, ...]:
    """The clusters with the taints of taint policies (the older policy first, as in Karmada) and of their phases.

    Raises:
        InputError: with the place, for an origin, a phase or a time that is none.
    """
    given = {manifest.object.metadata.name: manifest for manifest in manifests.of(ClusterManifest)}
    conditions = {
        name: {one.type: one.status for one in manifest.object.status.conditions} for name, manifest in given.items()
    }
    memberships = read_memberships(manifests)
    policies = sorted(manifests.of(ClusterTaintPolicy), key=_age)
    for manifest in policies:
        target = affinity_of(manifest.object.spec.target_clusters)
        if not any(matches_affinity(cluster, target) for cluster in clusters):
            notices.say(manifest, ("spec", "targetClusters"), "no cluster is met, so this policy taints nothing")
    result = []
    for cluster in clusters:
        for manifest in policies:
            cluster = _tainted(cluster, manifest, conditions[cluster.name], now_s)
        membership = memberships[cluster.name]
        cluster = replace(cluster, pulls=_pulls(given[cluster.name], membership))
        result.append(as_member(cluster, membership))
    return tuple(result)


def _age(manifest: Manifest[ClusterTaintPolicy]) -> tuple[float, str]:
    """What policies are sorted by; one that does not say when it was made is the youngest."""
    metadata = manifest.object.metadata
    made_at_s = seconds(manifest, ("metadata", "creationTimestamp"), metadata.creation_timestamp)
    return math.inf if made_at_s is None else made_at_s, metadata.name


def _pulls(manifest: Manifest[ClusterManifest], membership: Membership) -> bool:
    """As the cluster says itself, or else as its origin has it, if it says that."""
    mode = manifest.object.spec.sync_mode
    return mode == "Pull" or (not mode and annotated(manifest, ORIGIN) is not None and membership.traits.pulls)


def read_memberships(manifests: Manifests) -> dict[str, Membership]:
    """The place of every cluster in the federation, by name.

    Raises:
        InputError: with the place, for an origin, a phase or a time that is none.
    """
    found = {}
    for manifest in manifests.of(ClusterManifest):
        name = manifest.object.metadata.name
        origin, phase, since = (annotated(manifest, key) for key in (ORIGIN, PHASE, PHASE_SINCE))
        found[name] = Membership(
            name,
            Origin.DATA_CENTRE if origin is None else _word(manifest, ORIGIN, origin_from, origin),
            Phase.MEMBER if phase is None else _word(manifest, PHASE, phase_from, phase),
            seconds(manifest, ("metadata", "annotations", PHASE_SINCE), since) or 0.0,
        )
    return found


def read_rules(manifests: Manifests, clusters: Sequence[Cluster], notices: Notices) -> tuple[Rule, ...]:
    """The rules of the policy centre, in the order of their names.

    Raises:
        InputError: with the place, for a rule that is there twice or a condition that cannot be.
    """
    seen: dict[str, Manifest[ClusterRule]] = {}
    rules = {}
    for manifest in manifests.of(ClusterRule):
        name, spec = manifest.object.metadata.name, manifest.object.spec
        if name in seen:
            raise doubled(manifest, f"a rule '{name}'", seen[name])
        seen[name] = manifest
        conditions = []
        for place, given in enumerate(spec.require):
            try:
                conditions.append(Condition(given.path, given.operator, tuple(map(_text, given.values))))
            except InputError as error:
                raise manifest.error(("spec", "require", place), error.message, error.nearest) from None
        affinity = None if spec.cluster_affinity is None else affinity_of(spec.cluster_affinity)
        if affinity is not None and not any(matches_affinity(cluster, affinity) for cluster in clusters):
            notices.say(manifest, ("spec", "clusterAffinity"), f"no cluster is met, so the rule '{name}' holds nowhere")
        selectors = selectors_of(spec.resource_selectors)
        rules[name] = Rule(name, tuple(conditions), affinity, selectors, spec.enforcement == "Enforce", spec.message)
    return tuple(rules[name] for name in sorted(rules))


def read_quotas(manifests: Manifests, notices: Notices) -> tuple[Quota, ...]:
    """The quotas, in the order of namespace and name; what they count that is no request of pods is said."""
    seen: dict[tuple[str, str], Manifest[FederatedResourceQuota]] = {}
    quotas = {}
    for manifest in manifests.of(FederatedResourceQuota):
        name, spec = manifest.object.metadata.name, manifest.object.spec
        key = (manifest.object.metadata.namespace or DEFAULT_NAMESPACE, name)
        if key in seen:
            raise doubled(manifest, f"a quota '{name}'", seen[key])
        seen[key] = manifest
        static: dict[str, dict[str, int]] = {}
        for place, assignment in enumerate(spec.static_assignments):
            path: Path = ("spec", "staticAssignments", place)
            if assignment.cluster_name in static:
                raise manifest.error((*path, "clusterName"), f"'{assignment.cluster_name}' is there twice")
            static[assignment.cluster_name] = _hard(manifest, (*path, "hard"), assignment.hard, notices)
        quotas[key] = Quota(name, key[0], _hard(manifest, ("spec", "overall"), spec.overall, notices), static)
    return tuple(quotas[key] for key in sorted(quotas))


def _hard(manifest: Manifest[Any], path: Path, given: Resources, notices: Notices) -> dict[str, int]:
    """Amounts by the resource that pods ask for: ``requests.memory`` is ``memory``, and the smaller of both counts."""
    found: dict[str, int] = {}
    for name, amount in given.items():
        resource = name.removeprefix(REQUESTS)
        other = resource.startswith(("limits.", "count/")) or (resource == name and "." in name and "/" not in name)
        if other:
            notices.say(manifest, (*path, name), f"a quota is kept of what pods request, and not of '{name}'")
            continue
        if resource != name and resource.startswith(BYTE_RESOURCES):
            amount //= THOUSANDTHS  # it was read as what is not counted in bytes
        found[resource] = min(amount, found.get(resource, amount))
    return found


def _tainted(
    cluster: Cluster, manifest: Manifest[ClusterTaintPolicy], conditions: Mapping[str, str], now_s: float
) -> Cluster:
    """The cluster after a taint policy: as in Karmada, a condition that it does not report matches nothing."""
    spec = manifest.object.spec
    if not matches_affinity(cluster, affinity_of(spec.target_clusters)):
        return cluster
    mine = {(taint.key, taint.effect) for taint in spec.taints}
    taints = cluster.taints
    if _all_match(spec.add_on_conditions, conditions):
        there = {(taint.key, taint.effect) for taint in taints}
        missing = [one for one in spec.taints if (one.key, one.effect) not in there]
        new = [Taint(one.key, one.value, one.effect, now_s) for one in missing]
        taints = (*taints, *new)
    if _all_match(spec.remove_on_conditions, conditions):
        taints = tuple(taint for taint in taints if (taint.key, taint.effect) not in mine)
    return replace(cluster, taints=taints)


def _all_match(wanted: Iterable[MatchCondition], conditions: Mapping[str, str]) -> bool:
    met = [
        one.condition_type in conditions and (conditions[one.condition_type] in one.status_values) == (one.operator == "In")
        for one in wanted
    ]
    return bool(met) and all(met)


def _word(manifest: Manifest[Any], key: str, read: Any, word: str) -> Any:
    try:
        return read(word)
    except InputError as error:
        raise manifest.error(("metadata", "annotations", key), error.message, error.nearest) from None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
