"""Which kinds there are: (group of the API, kind) to the type that its manifests become.

A reader is given the kinds that it is to read, so that each part of the control plane brings its own; what else
Kubernetes has is known by name, to tell a manifest that has no bearing here from a misspelt one.  Among them may be the kind
``*``: then it reads what somebody else has defined, in a group of which nothing is known, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from skyedge.errors import nearest
from skyedge.kube import karmada, karmada_autoscalers, karmada_clusters, karmada_overrides, workloads
from skyedge.kube import karmada_workloads as bindings
from skyedge.kube.cluster import ConfigMap, Namespace, Node, PriorityClass
from skyedge.kube.flagger import Canary
from skyedge.kube.governance import ClusterRule
from skyedge.kube.istio_access import AuthorizationPolicy, PeerAuthentication
from skyedge.kube.istio_hosts import Gateway, ServiceEntry, Sidecar, WorkloadEntry
from skyedge.kube.istio_routes import VirtualService
from skyedge.kube.istio_traffic import DestinationRule
from skyedge.kube.pods import Pod
from skyedge.kube.problem import Problem
from skyedge.kube.security_groups import SecurityGroup
from skyedge.kube.services import Endpoints, EndpointSlice, Service
from skyedge.kube.shape import ANYTHING, Shape, right_word
from skyedge.kube.traffic_classes import TrafficClasses
from skyedge.kube.volcano import HyperNode, Job, PodGroup, Queue, SchedulerConfiguration


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    Args:
        versions: those that are read; they have the same fields as far as skyedge models them.
        namespaced: whether two namespaces may each have one of the same name.
        bare_keys: for a file that is no object of the API, the keys by which it is told.
        handed_on: whether all of a manifest is kept, and none of it therefore passed over.
        kept_whole: whether all of a manifest is kept for who looks at it as plain data, though it goes nowhere.
    """

    group: str
    name: str
    type: type[Shape]
    versions: tuple[str, ...] = ("v1",)
    namespaced: bool = False
    bare_keys: frozenset[str] = frozenset()
    handed_on: bool = False
    kept_whole: bool = False

    @property
    def api_versions(self) -> tuple[str, ...]:
        """As ``apiVersion`` says it."""
        return tuple(f"{self.group}/{version}" if self.group else version for version in self.versions)


def _handed_on(
    group: str, name: str, shape: type[Shape], *, namespaced: bool = True, versions: tuple[str, ...] = ("v1",)
) -> Kind:
    return Kind(group, name, shape, versions, namespaced=namespaced, handed_on=True)


SCHEDULING = (
    Kind("", "Node", Node),
    Kind("", "Pod", Pod, namespaced=True),
    Kind("", "ConfigMap", ConfigMap, namespaced=True),
    Kind("scheduling.k8s.io", "PriorityClass", PriorityClass),
    Kind("scheduling.volcano.sh", "Queue", Queue, ("v1beta1",)),
    Kind("scheduling.volcano.sh", "PodGroup", PodGroup, ("v1beta1",), namespaced=True),
    Kind("batch.volcano.sh", "Job", Job, ("v1alpha1",), namespaced=True),
    Kind("topology.volcano.sh", "HyperNode", HyperNode, ("v1alpha1",)),
    Kind("", "SchedulerConfiguration", SchedulerConfiguration, bare_keys=frozenset({"actions", "tiers"})),
)
"""What the batch scheduler reads."""

_NETWORKING, _SECURITY = ("v1", "v1beta1", "v1alpha3"), ("v1", "v1beta1")

MESH = (
    Kind("", "Namespace", Namespace),
    Kind("", "Node", Node),
    Kind("", "Pod", Pod, namespaced=True),
    Kind("", "Service", Service, namespaced=True),
    Kind("", "Endpoints", Endpoints, namespaced=True),
    Kind("discovery.k8s.io", "EndpointSlice", EndpointSlice, namespaced=True),
    Kind("networking.istio.io", "VirtualService", VirtualService, _NETWORKING, namespaced=True),
    Kind("networking.istio.io", "DestinationRule", DestinationRule, _NETWORKING, namespaced=True),
    Kind("networking.istio.io", "ServiceEntry", ServiceEntry, _NETWORKING, namespaced=True),
    Kind("networking.istio.io", "WorkloadEntry", WorkloadEntry, _NETWORKING, namespaced=True),
    Kind("networking.istio.io", "Gateway", Gateway, _NETWORKING, namespaced=True),
    Kind("networking.istio.io", "Sidecar", Sidecar, _NETWORKING, namespaced=True),
    Kind("security.istio.io", "AuthorizationPolicy", AuthorizationPolicy, _SECURITY, namespaced=True),
    Kind("security.istio.io", "PeerAuthentication", PeerAuthentication, _SECURITY, namespaced=True),
    Kind("flagger.app", "Canary", Canary, ("v1beta1",), namespaced=True),
    Kind("skyedge", "SecurityGroup", SecurityGroup),
    Kind("skyedge", "TrafficClasses", TrafficClasses),
)
"""What the service mesh reads."""

FEDERATION = (
    Kind("cluster.karmada.io", "Cluster", karmada_clusters.Cluster, ("v1alpha1",), kept_whole=True),
    Kind("policy.karmada.io", "PropagationPolicy", karmada.PropagationPolicy, ("v1alpha1",), namespaced=True),
    Kind("policy.karmada.io", "ClusterPropagationPolicy", karmada.ClusterPropagationPolicy, ("v1alpha1",)),
    Kind("policy.karmada.io", "OverridePolicy", karmada_overrides.OverridePolicy, ("v1alpha1",), namespaced=True),
    Kind("policy.karmada.io", "ClusterOverridePolicy", karmada_overrides.ClusterOverridePolicy, ("v1alpha1",)),
    Kind("policy.karmada.io", "FederatedResourceQuota", bindings.FederatedResourceQuota, ("v1alpha1",), namespaced=True),
    Kind("policy.karmada.io", "ClusterTaintPolicy", bindings.ClusterTaintPolicy, ("v1alpha1",)),
    Kind("autoscaling.karmada.io", "FederatedHPA", karmada_autoscalers.FederatedHPA, ("v1alpha1",), namespaced=True),
    Kind("autoscaling.karmada.io", "CronFederatedHPA", karmada_autoscalers.CronFederatedHPA, ("v1alpha1",), namespaced=True),
    Kind("work.karmada.io", "ResourceBinding", bindings.ResourceBinding, ("v1alpha2",), namespaced=True),
    Kind("work.karmada.io", "ClusterResourceBinding", bindings.ClusterResourceBinding, ("v1alpha2",)),
    Kind("apps.karmada.io", "WorkloadRebalancer", bindings.WorkloadRebalancer, ("v1alpha1",)),
    Kind("skyedge", "ClusterRule", ClusterRule),
    Kind("", "Node", Node),
    Kind("scheduling.k8s.io", "PriorityClass", PriorityClass),
    *(_handed_on("apps", name, workloads.Replicated) for name in ("Deployment", "StatefulSet", "ReplicaSet")),
    _handed_on("apps", "DaemonSet", workloads.DaemonSet),
    _handed_on("batch", "Job", workloads.Job),
    _handed_on("batch", "CronJob", workloads.CronJob),
    _handed_on("", "Pod", workloads.PropagatedPod),
    _handed_on("", "ConfigMap", workloads.PropagatedConfigMap),
    _handed_on("", "Secret", workloads.Secret),
    _handed_on("", "ServiceAccount", workloads.ServiceAccount),
    *(_handed_on("", name, workloads.WithSpec) for name in ("Service", "PersistentVolumeClaim", "LimitRange")),
    _handed_on("", "ResourceQuota", workloads.WithSpec),
    *(_handed_on("", name, workloads.WithSpec, namespaced=False) for name in ("Namespace", "PersistentVolume")),
    _handed_on("autoscaling", "HorizontalPodAutoscaler", workloads.WithSpec, versions=("v1", "v2")),
    _handed_on("policy", "PodDisruptionBudget", workloads.WithSpec),
    *(_handed_on("networking.k8s.io", name, workloads.WithSpec) for name in ("Ingress", "NetworkPolicy")),
    *(_handed_on("rbac.authorization.k8s.io", name, workloads.AccessRules) for name in ("Role", "RoleBinding")),
    *(
        _handed_on("rbac.authorization.k8s.io", name, workloads.AccessRules, namespaced=False)
        for name in ("ClusterRole", "ClusterRoleBinding")
    ),
    _handed_on("storage.k8s.io", "StorageClass", workloads.StorageClass, namespaced=False),
    _handed_on("networking.k8s.io", "IngressClass", workloads.WithSpec, namespaced=False),
    _handed_on("apiextensions.k8s.io", "CustomResourceDefinition", workloads.WithSpec, namespaced=False),
    Kind(ANYTHING, ANYTHING, workloads.Custom, namespaced=True, handed_on=True),
)
"""What a federation reads; workloads and what goes along with them are handed on as they stand."""

KNOWN_ELSEWHERE = {
    "": "Namespace Service ServiceAccount Endpoints Event LimitRange PersistentVolume PersistentVolumeClaim PodTemplate "
    "ReplicationController ResourceQuota Secret Binding ComponentStatus",
    "apps": "Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision",
    "batch": "Job CronJob",
    "autoscaling": "HorizontalPodAutoscaler",
    "policy": "PodDisruptionBudget",
    "networking.k8s.io": "Ingress IngressClass NetworkPolicy IPAddress ServiceCIDR",
    "rbac.authorization.k8s.io": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "storage.k8s.io": "StorageClass CSIDriver CSINode CSIStorageCapacity VolumeAttachment",
    "coordination.k8s.io": "Lease",
    "discovery.k8s.io": "EndpointSlice",
    "node.k8s.io": "RuntimeClass",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "admissionregistration.k8s.io": "ValidatingWebhookConfiguration MutatingWebhookConfiguration ValidatingAdmissionPolicy "
    "ValidatingAdmissionPolicyBinding",
    "certificates.k8s.io": "CertificateSigningRequest",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "events.k8s.io": "Event",
    "batch.volcano.sh": "CronJob",
    "bus.volcano.sh": "Command",
    "flow.volcano.sh": "JobFlow JobTemplate",
    "nodeinfo.volcano.sh": "Numatopology",
    "work.karmada.io": "Work",
    "networking.karmada.io": "MultiClusterService MultiClusterIngress",
    "search.karmada.io": "ResourceRegistry",
    "remedy.karmada.io": "Remedy",
    "config.karmada.io": "ResourceInterpreterCustomization ResourceInterpreterWebhookConfiguration",
    "networking.istio.io": "EnvoyFilter ProxyConfig WorkloadGroup",
    "security.istio.io": "RequestAuthentication",
    "telemetry.istio.io": "Telemetry",
    "extensions.istio.io": "WasmPlugin",
    "gateway.networking.k8s.io": "Gateway GatewayClass HTTPRoute GRPCRoute TCPRoute TLSRoute UDPRoute ReferenceGrant "
    "BackendTLSPolicy",
    "flagger.app": "MetricTemplate AlertProvider",
}
"""Kinds that a cluster has and that a reader which was not given them passes over."""

OF_MEMBERS = ("istio.io", "gateway.networking.k8s.io", "flagger.app")
"""Groups whose kinds are for the clusters of a federation, which hands them on as it does what it does not know."""

_KNOWN_TO_OTHERS = {
    (word, kind.name) for kind in (*SCHEDULING, *MESH, *FEDERATION) if not kind.bare_keys for word in kind.api_versions
}
"""What one part of the control plane reads, another passes over: people keep them in one folder."""


_GROUPS = {kind.group for kind in (*SCHEDULING, *MESH, *FEDERATION)} | KNOWN_ELSEWHERE.keys()
_CUSTOM_GROUP = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+/v\d+((alpha|beta)\d+)?")
"""A group that somebody defines is named by a domain."""


class Registry:
    """Kinds by what a manifest says of itself."""

    def __init__(self, kinds: Iterable[Kind] = SCHEDULING) -> None:
        self.kinds = tuple(kinds)
        self._custom = next((kind for kind in self.kinds if kind.name == ANYTHING), None)
        self._by_words = {(word, kind.name): kind for kind in self.kinds if not kind.bare_keys for word in kind.api_versions}

    @cached_property
    def _names(self) -> dict[str, list[Kind]]:
        names: dict[str, list[Kind]] = {}
        for kind in self.kinds:
            if not kind.bare_keys and kind is not self._custom:
                names.setdefault(kind.name, []).append(kind)
        return names

    def bare(self, keys: Iterable[str]) -> Kind | None:
        """The kind of a mapping that does not say what it is."""
        given = set(keys)
        return next((kind for kind in self.kinds if kind.bare_keys & given), None)

    def find(self, api_version: str, kind: str) -> Kind | None:
        """The kind of a manifest; None if Kubernetes has it, or somebody has defined it, and this reader was not given it.

        Raises:
            Problem: if there is none, with the nearest.
        """
        found = self._by_words.get((api_version, kind))
        if found is not None:
            return found
        group, same_name = api_version.rpartition("/")[0], self._names.get(kind, [])
        words = [word for other in same_name for word in other.api_versions]
        known = kind in KNOWN_ELSEWHERE.get(group, "").split() or (api_version, kind) in _KNOWN_TO_OTHERS
        elsewhere = known and all(other.group != group for other in same_name)
        if elsewhere:
            somebodys = group.endswith(OF_MEMBERS)
        else:
            of_a_domain = _CUSTOM_GROUP.fullmatch(api_version) is not None and group not in _GROUPS
            somebodys = of_a_domain and nearest(api_version, words) is None
        if somebodys and self._custom is not None:
            # Known from now on, so that all of the name are read alike.
            made = replace(self._custom, group=group, name=kind, versions=(api_version.rpartition("/")[2],))
            return self._by_words.setdefault((api_version, kind), made)
        if somebodys or elsewhere:
            return None
        if words:
            right = nearest(api_version, words) or words[0]
            raise Problem(("apiVersion",), f"there is no {kind} in '{api_version}'", right)
        names = [*self._names, *(word for words in KNOWN_ELSEWHERE.values() for word in words.split())]
        raise Problem(("kind",), f"there is no kind '{kind}'", right_word(kind, names))
