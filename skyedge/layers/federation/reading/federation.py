"""From manifests to a federation: clusters, what is to run on them under which policy, and how it is changed for them.

An error is what cannot be read as it is meant: a thing that is there twice, a name that decides and that there is not, a
figure that is none.  All else that an author would want to know of at once is a warning: see ``checks``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.cluster import PriorityClass
from skyedge.kube.karmada_clusters import Cluster as ClusterManifest
from skyedge.kube.karmada_overrides import ClusterOverridePolicy as WideOverrideManifest
from skyedge.kube.karmada_overrides import OverridePolicy as OverrideManifest
from skyedge.kube.karmada_workloads import ClusterResourceBinding, ResourceBinding, WorkloadRebalancer
from skyedge.kube.pods import requested
from skyedge.layers.federation.leaving import latest_taint_s
from skyedge.layers.federation.manifest_overrides import Changes
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.policy import OverridePolicy
from skyedge.layers.federation.reading.autoscalers import read_scalers
from skyedge.layers.federation.reading.checks import check_federation
from skyedge.layers.federation.reading.clocks import read_clocks
from skyedge.layers.federation.reading.clusters import clusters_without_nodes, read_clusters
from skyedge.layers.federation.reading.figures import data_bytes, demands, seconds
from skyedge.layers.federation.reading.governance import (
    ORIGIN,
    PHASE,
    Governance,
    governed_clusters,
    read_memberships,
    read_quotas,
    read_rules,
)
from skyedge.layers.federation.reading.notices import Notices, doubled
from skyedge.layers.federation.reading.resources import (
    Policies,
    ReadPolicy,
    ReadResource,
    ResourceKey,
    key_of,
    read_resources,
    title_of,
)
from skyedge.layers.federation.reading.rules import DEFAULT_NAMESPACE, override_policy_of
from skyedge.layers.scheduler.objects import PodShape
from skyedge.layers.scheduler.reading.shapes import Shapes


@dataclass(frozen=True, eq=False)
class Selected:
    """A resource that a policy sends to clusters; ``workload`` is what is placed."""

    read: ReadResource
    policy: ReadPolicy
    workload: Workload


@dataclass(frozen=True, eq=False)
class Follower:
    """A resource that goes where those go that need it.

    Attributes:
        needed_by: places in :attr:`FederationReading.selected`.
    """

    read: ReadResource
    needed_by: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class FederationReading:
    """What the files said, and what in them is worth a word.

    Attributes:
        clusters: in the order of their names, with the taints of their phases and of taint policies.
        selected: what policies send to clusters, in the order of kind, namespace and name.
        followers: what needs no policy, since it follows; a resource that a policy selects may follow as well.
        unselected: what no policy speaks for, and nothing that is sent needs.
        overrides: all override policies.
        governance: rules, quotas, autoscalers, and the life of clusters.
    """

    clusters: tuple[Cluster, ...]
    selected: tuple[Selected, ...]
    followers: tuple[Follower, ...]
    unselected: tuple[ReadResource, ...]
    overrides: tuple[OverridePolicy[Changes], ...]
    warnings: tuple[str, ...]
    governance: Governance = field(default_factory=Governance)

    @property
    def workloads(self) -> tuple[Workload, ...]:
        """What is to be placed; the order is that of ``selected``."""
        return tuple(one.workload for one in self.selected)


def read_federation(manifests: Manifests, now_s: float | None = None) -> FederationReading:
    """The federation that ``manifests`` describe.

    Args:
        manifests: of clusters, of what is to run on them, and of policies.
        now_s: seconds since 1970; by default the latest time of any taint.

    Raises:
        InputError: with file, document and path, for what cannot be meant.
    """
    notices = Notices()
    _unique_clusters(manifests)
    resources = read_resources(manifests)
    clusters = read_clusters(manifests, _asked(resources.values()), notices)
    if not clusters:
        raise InputError("there is no Cluster in this, so there is nowhere to go")
    clusters = governed_clusters(manifests, clusters, notices, latest_taint_s(clusters) if now_s is None else now_s)
    policies = Policies(manifests)
    speakers = {key: read for key, one in resources.items() if (read := policies.speaker(one.resource, notices))}
    workloads = _Workloads(manifests, clusters, resources, notices)
    selected = tuple(Selected(resources[key], policy, workloads.of(key, policy)) for key, policy in speakers.items())
    followers = _followers(selected, resources, notices)
    following = {id(follower.read) for follower in followers}
    unselected = tuple(one for key, one in resources.items() if key not in speakers and id(one) not in following)
    for one in unselected:
        if one.runs_pods:
            what = f"no policy selects {title_of(one.resource)}, so it runs nowhere"
            notices.say(one.manifest, (), what)
    given = [manifest for shape in (WideOverrideManifest, OverrideManifest) for manifest in manifests.of(shape)]
    overrides = {id(manifest): override_policy_of(manifest) for manifest in given}
    check_federation(manifests, clusters, policies, speakers, resources, overrides, notices)
    _check_wishes(selected, clusters_without_nodes(manifests), notices)
    governance = _governance(manifests, clusters, selected, now_s, notices)
    changes = tuple(overrides.values())
    return FederationReading(clusters, selected, followers, unselected, changes, notices.sentences, governance)


def _governance(
    manifests: Manifests,
    clusters: tuple[Cluster, ...],
    selected: tuple[Selected, ...],
    now_s: float | None,
    notices: Notices,
) -> Governance:
    given = {manifest.object.metadata.name: manifest for manifest in manifests.of(ClusterManifest)}
    workloads = {key_of(one.read.resource): one.workload for one in selected}
    clocks = read_clocks(manifests, now_s, notices)
    return Governance(
        rules=read_rules(manifests, clusters, notices),
        quotas=read_quotas(manifests, notices),
        scalers=read_scalers(manifests, sorted(given), workloads, clocks, notices),
        clocks=clocks,
        memberships=read_memberships(manifests),
        registered=frozenset(
            name for name, one in given.items() if {ORIGIN, PHASE} & one.object.metadata.annotations.keys()
        ),
        plain={name: manifest.plain() for name, manifest in given.items()},
    )


def _unique_clusters(manifests: Manifests) -> None:
    seen: dict[str, Manifest[ClusterManifest]] = {}
    for manifest in manifests.of(ClusterManifest):
        name = manifest.object.metadata.name
        if name in seen:
            raise doubled(manifest, f"a cluster '{name}'", seen[name])
        seen[name] = manifest


def _check_wishes(selected: tuple[Selected, ...], without_nodes: list[str], notices: Notices) -> None:
    """Say of workloads that are particular about nodes where there are none to choose from."""
    for one in selected if without_nodes else ():
        shape = one.workload.shape
        if one.workload.rules.strategy.by_room and (shape.node_selector or shape.node_terms or shape.architectures):
            what = f"{title_of(one.read.resource)} wants nodes with certain labels, and nothing says what nodes these have:"
            notices.say(one.read.manifest, (), f"{what} {', '.join(without_nodes)}; so it finds no room there")


def _asked(resources: Iterable[ReadResource]) -> set[str]:
    """Resources that any of their pods asks for."""
    templates = [template for one in resources if (template := one.manifest.object.template) is not None]
    return {name for template in templates for name in requested(template.spec)}


def _followers(
    selected: tuple[Selected, ...], resources: Mapping[ResourceKey, ReadResource], notices: Notices
) -> tuple[Follower, ...]:
    """What follows, in the order of its keys; what is needed and not there is said."""
    needed: dict[ResourceKey, list[int]] = {}
    for place, one in enumerate(selected):
        for key, reference in one.read.needs.items() if one.policy.propagates_needs else ():
            if key in resources:
                needed.setdefault(key, []).append(place)
            elif not reference.optional:
                what = f"{title_of(one.read.resource)} needs the {key.kind} '{key.name}', which is not in the files"
                notices.say(one.read.manifest, (), what)
    return tuple(Follower(resources[key], tuple(places)) for key, places in sorted(needed.items()))


class _Workloads:
    """Makes workloads of resources."""

    def __init__(
        self,
        manifests: Manifests,
        clusters: tuple[Cluster, ...],
        resources: Mapping[ResourceKey, ReadResource],
        notices: Notices,
    ) -> None:
        self._resources, self._notices = resources, notices
        self._clusters = {cluster.name for cluster in clusters}
        self._shapes = Shapes(None)
        self._classes = {manifest.object.metadata.name: manifest.object.value for manifest in manifests.of(PriorityClass)}
        self._bindings: dict[ResourceKey, Manifest[ResourceBinding]] = {}
        for shape in (ResourceBinding, ClusterResourceBinding):
            for manifest in manifests.of(shape):
                self._bind(manifest)
        self._asked_anew_at_s: dict[ResourceKey, float] = {}
        for rebalancer in manifests.of(WorkloadRebalancer):
            made = seconds(rebalancer, ("metadata", "creationTimestamp"), rebalancer.object.metadata.creation_timestamp)
            asked_at_s = math.inf if made is None else made  # one that is not applied yet asks from now on
            for key in self._rebalanced(rebalancer):
                self._asked_anew_at_s[key] = max(asked_at_s, self._asked_anew_at_s.get(key, -math.inf))

    def _bind(self, manifest: Manifest[ResourceBinding]) -> None:
        ref = manifest.object.spec.resource
        key = ResourceKey(ref.api_version, ref.kind, ref.namespace, ref.name)
        if key in self._bindings:
            raise doubled(manifest, f"a binding of the {ref.kind} '{ref.name}'", self._bindings[key])
        self._bindings[key] = manifest
        if key not in self._resources:
            self._notices.say(manifest, ("spec", "resource"), f"the {ref.kind} '{ref.name}' is not in the files")

    def _rebalanced(self, manifest: Manifest[WorkloadRebalancer]) -> Iterable[ResourceKey]:
        for place, ref in enumerate(manifest.object.spec.workloads):
            namespaces = (ref.namespace,) if ref.namespace else (DEFAULT_NAMESPACE, "")
            keys = [ResourceKey(ref.api_version, ref.kind, namespace, ref.name) for namespace in namespaces]
            found = [key for key in keys if key in self._resources]
            yield from found
            if not found:
                path = ("spec", "workloads", place)
                self._notices.say(manifest, path, f"the {ref.kind} '{ref.name}' is not in the files")

    def of(self, key: ResourceKey, policy: ReadPolicy) -> Workload:
        """The workload that a resource is, under its policy."""
        read = self._resources[key]
        given = read.manifest.object
        template = given.template
        shape = PodShape() if template is None else self._shapes.of(template.spec, template.metadata)
        if shape.device_count:
            what = "a federation knows whole GPUs, asked for by the name of the resource, and no shares of them"
            raise read.manifest.error(("spec",), what, "nvidia.com/gpu")
        workload = Workload(
            resource=read.resource,
            replicas=given.replicas,
            shape=shape,
            rules=policy.rules,
            uid=given.metadata.uid or f"{key.kind}/{key.namespace}/{key.name}",
            fresh=key in self._asked_anew_at_s,
            priority=self._priority(read, policy),
            demand=demands(read.manifest),
            data_bytes=self._data(read.manifest),
        )
        binding = self._bindings.get(key)
        if binding is None:
            return workload
        spec = binding.object.spec
        named = {target.name: target.replicas for target in spec.clusters}
        for place, name in enumerate(named):
            if name not in self._clusters:
                self._notices.unknown(binding, ("spec", "clusters", place, "name"), "cluster", name, self._clusters)
        return replace(
            workload,
            uid=binding.object.metadata.uid or workload.uid,
            scheduled={name: count for name, count in named.items() if name in self._clusters},
            evicting=frozenset(task.from_cluster for task in spec.graceful_eviction_tasks),
            group=binding.object.status.scheduler_observing_affinity_name,
            fresh=self._asked_anew(key, binding),
        )

    def _asked_anew(self, key: ResourceKey, binding: Manifest[ResourceBinding]) -> bool:
        """Whether it was asked for after the last time that it was placed: who has been answered does not ask again."""
        spec, status = binding.object.spec, binding.object.status
        triggered_at_s = seconds(binding, ("spec", "rescheduleTriggeredAt"), spec.reschedule_triggered_at)
        answered_at_s = seconds(binding, ("status", "lastScheduledTime"), status.last_scheduled_time)
        asked_at_s = [self._asked_anew_at_s.get(key), triggered_at_s]
        return any(at_s is not None and (answered_at_s is None or at_s > answered_at_s) for at_s in asked_at_s)

    def _data(self, manifest: Manifest[Any]) -> dict[str, int]:
        held = data_bytes(manifest)
        for name in held:
            if name not in self._clusters:
                path = ("metadata", "annotations", "skyedge.io/data-bytes")
                self._notices.unknown(manifest, path, "cluster", name, self._clusters)
        return held

    def _priority(self, read: ReadResource, policy: ReadPolicy) -> int:
        """Who is first, as the policy has it said.

        Raises:
            InputError: with the place, for a class that there is not.
        """
        asked = policy.manifest.object.spec.schedule_priority
        template = read.manifest.object.template
        if asked is None:
            return 0
        name, where = asked.priority_class_name, policy.manifest.place("spec", "schedulePriority", "priorityClassName")
        if asked.priority_class_source == "PodPriorityClass":
            if template is None or not template.spec.priority_class_name:
                return 0
            name, where = template.spec.priority_class_name, read.manifest.place()
        if name not in self._classes:
            raise InputError(f"there is no PriorityClass '{name}'", where=where, nearest=nearest(name, self._classes))
        return self._classes[name]
