"""What an author would want to know of a set of manifests before anything is placed, said at once.

Files often hold a part of what there is, so none of this is an error by itself: a policy that selects nothing, an affinity
that no cluster meets, a name of a cluster that there is not, more groups than there can be, weights for nobody, an override
that changes nothing, an autoscaler or a quota that points to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skyedge.kube import Manifest, Manifests
from skyedge.kube.karmada import ClusterAffinity as AffinityShape
from skyedge.kube.karmada_autoscalers import CronFederatedHPA, FederatedHPA
from skyedge.kube.karmada_overrides import OverridePolicy as OverrideManifest
from skyedge.kube.karmada_workloads import FederatedResourceQuota
from skyedge.kube.problem import Path
from skyedge.layers.federation.affinity import ClusterAffinity, matches_affinity
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.manifest_overrides import Changes
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.policy import OverridePolicy, closest
from skyedge.layers.federation.reading.notices import Notices
from skyedge.layers.federation.reading.resources import Policies, ReadPolicy, ReadResource, ResourceKey
from skyedge.layers.federation.reading.rules import DEFAULT_NAMESPACE, affinity_of


def check_federation(
    manifests: Manifests,
    clusters: Sequence[Cluster],
    policies: Policies,
    speakers: Mapping[ResourceKey, ReadPolicy],
    resources: Mapping[ResourceKey, ReadResource],
    overrides: Mapping[int, OverridePolicy[Changes]],
    notices: Notices,
) -> None:
    """Take down what is worth a word.

    Args:
        speakers: the policy that speaks for each resource.
        overrides: override policies, by the identity of their manifests.
    """
    speaking = {id(read) for read in speakers.values()}
    override_names = {policy.name for policy in overrides.values()}
    for read in policies.all:
        if id(read) not in policies.matched:
            what = f"{read.title} selects nothing that is in the files"
            notices.say(read.manifest, ("spec", "resourceSelectors"), what)
        elif id(read) not in speaking:
            what = f"{read.title} speaks for nothing: other policies come first for all that it selects"
            notices.say(read.manifest, ("spec", "resourceSelectors"), what)
        for place, name in enumerate(read.manifest.object.spec.dependent_overrides):
            if name not in override_names:
                path = ("spec", "dependentOverrides", place)
                notices.unknown(read.manifest, path, "override policy", name, override_names)
        _check_placement(read, clusters, notices)
    for shape in manifests.by_type:
        if issubclass(shape, OverrideManifest):
            for manifest in manifests.of(shape):
                _check_override(manifest, overrides[id(manifest)], clusters, resources, notices)
    _check_pointers(manifests, {cluster.name for cluster in clusters}, resources, notices)


def _check_placement(read: ReadPolicy, clusters: Sequence[Cluster], notices: Notices) -> None:
    names = {cluster.name for cluster in clusters}
    for path, affinity in _affinities(read):
        _check_names(read.manifest, path, affinity, names, notices)
    base: Path = ("spec", "placement")
    groups = read.rules.groups
    one = len(groups) == 1 and not groups[0].name
    reach = [_tiers(clusters, (group.affinity, *group.overflow)) for group in groups]
    for place, group in enumerate(groups):
        for tier, meant in enumerate((group.affinity, *group.overflow)):
            if any(matches_affinity(cluster, meant) for cluster in clusters):
                continue
            path = (*base, "clusterAffinity") if one else (*base, "clusterAffinities", place)
            path = (*path, "overflowAffinities", tier - 1) if tier else path
            notices.say(read.manifest, path, "no cluster meets this affinity")
    candidates = max(reach, key=len) if groups else list(clusters)
    for place, constraint in enumerate(read.rules.spread):
        have = (
            len(candidates)
            if constraint.field == "cluster"
            else len({cluster.region for cluster in candidates if cluster.region})
        )
        if constraint.min_groups > max(have, 0) and candidates:
            what = f"at least {constraint.min_groups} {constraint.field}s are wanted, and the affinity meets {have}"
            notices.say(read.manifest, (*base, "spreadConstraints", place, "minGroups"), what)
    weights = read.rules.static_weights
    if read.rules.strategy is Strategy.STATIC_WEIGHT and read.rules.spread:
        notices.say(read.manifest, (*base, "spreadConstraints"), "static weights look at no spread constraints")
    if read.rules.strategy is Strategy.STATIC_WEIGHT and weights and candidates:
        weighed = any(matches_affinity(cluster, one.affinity) for one in weights for cluster in candidates)
        if not weighed:
            path = (*base, "replicaScheduling", "weightPreference", "staticWeightList")
            notices.say(read.manifest, path, "none of the clusters that the affinity meets has a weight: all weigh the same")


def _tiers(clusters: Sequence[Cluster], affinities: Sequence[ClusterAffinity]) -> list[Cluster]:
    return [cluster for cluster in clusters if any(matches_affinity(cluster, affinity) for affinity in affinities)]


def _affinities(read: ReadPolicy) -> Iterator[tuple[Path, AffinityShape]]:
    """All affinities of a policy, and where they stand."""
    placement, base = read.manifest.object.spec.placement, ("spec", "placement")
    if placement.cluster_affinity is not None:
        yield (*base, "clusterAffinity"), placement.cluster_affinity
    for place, term in enumerate(placement.cluster_affinities):
        yield (*base, "clusterAffinities", place), term
        for tier, overflow in enumerate(term.overflow_affinities):
            yield (*base, "clusterAffinities", place, "overflowAffinities", tier), overflow
    scheduling = placement.replica_scheduling
    if scheduling is not None and scheduling.weight_preference is not None:
        for place, weight in enumerate(scheduling.weight_preference.static_weight_list):
            path = (*base, "replicaScheduling", "weightPreference", "staticWeightList", place, "targetCluster")
            yield path, weight.target_cluster


def _check_names(manifest: Manifest[Any], path: Path, affinity: AffinityShape, names: set[str], notices: Notices) -> None:
    for field, given in (("clusterNames", affinity.cluster_names), ("exclude", affinity.exclude)):
        for place, name in enumerate(given):
            if name not in names:
                notices.unknown(manifest, (*path, field, place), "cluster", name, sorted(names))


def _check_override(
    manifest: Manifest[OverrideManifest],
    policy: OverridePolicy[Changes],
    clusters: Sequence[Cluster],
    resources: Mapping[ResourceKey, ReadResource],
    notices: Notices,
) -> None:
    spec = manifest.object.spec
    title = f"{manifest.object.kind} '{manifest.object.metadata.name}'"
    targets: list[tuple[Path, AffinityShape | None]] = [
        (("spec", "overrideRules", place, "targetCluster"), rule.target_cluster)
        for place, rule in enumerate(spec.override_rules)
    ]
    targets.append((("spec", "targetCluster"), spec.target_cluster))
    for path, target in targets:
        if target is None:
            continue
        _check_names(manifest, path, target, {cluster.name for cluster in clusters}, notices)
        if not any(matches_affinity(cluster, affinity_of(target)) for cluster in clusters):
            notices.say(manifest, path, f"no cluster is met, so this rule of {title} changes nothing")
    if not policy.rules:
        notices.say(manifest, ("spec",), f"{title} has no rules, so it changes nothing")
    if policy.selectors and not any(
        policy.namespace in ("", one.resource.namespace) and closest(policy.selectors, one.resource, policy.namespace)
        for one in resources.values()
    ):
        notices.say(manifest, ("spec", "resourceSelectors"), f"{title} selects nothing that is in the files")


def _check_pointers(
    manifests: Manifests, names: set[str], resources: Mapping[ResourceKey, ReadResource], notices: Notices
) -> None:
    """Autoscalers and quotas."""
    autoscalers = {
        (manifest.object.metadata.namespace or DEFAULT_NAMESPACE, manifest.object.metadata.name)
        for manifest in manifests.of(FederatedHPA)
    }
    by_name = {(key.kind, key.namespace, key.name) for key in resources}
    scalers: list[Manifest[FederatedHPA] | Manifest[CronFederatedHPA]] = [
        *manifests.of(FederatedHPA),
        *manifests.of(CronFederatedHPA),
    ]
    for manifest in scalers:
        namespace, target = manifest.object.metadata.namespace or DEFAULT_NAMESPACE, manifest.object.spec.scale_target_ref
        scaled = (target.kind, namespace, target.name) in by_name
        if not scaled and not (target.kind == "FederatedHPA" and (namespace, target.name) in autoscalers):
            title = f"{manifest.object.kind} '{manifest.object.metadata.name}'"
            what = f"{title} scales the {target.kind} '{target.name}', which is not in the files"
            notices.say(manifest, ("spec", "scaleTargetRef"), what)
    namespaces = {key.namespace for key, one in resources.items() if one.runs_pods}
    for quota in manifests.of(FederatedResourceQuota):
        name, namespace = quota.object.metadata.name, quota.object.metadata.namespace or DEFAULT_NAMESPACE
        if namespace not in namespaces:
            what = f"the quota '{name}' bounds nothing: no workload of the namespace '{namespace}' is in the files"
            notices.say(quota, ("metadata", "namespace"), what)
        for place, assignment in enumerate(quota.object.spec.static_assignments):
            if assignment.cluster_name not in names:
                path = ("spec", "staticAssignments", place, "clusterName")
                notices.unknown(quota, path, "cluster", assignment.cluster_name, sorted(names))
