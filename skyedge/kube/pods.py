"""``Pod``: what runs, and all that decides where."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.istio_values import Port
from skyedge.kube.metadata import LabelSelector, Metadata, NodeSelectorTerm
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import NOTHING, Resources
from skyedge.kube.shape import Shape, Whole

Weight = Annotated[int, Meta(ge=1, le=100)]
Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class ContainerResources(Shape, frozen=True, kw_only=True):
    """What a container asks for, and what it may not exceed."""

    unmodelled = "claims"

    requests: Resources = NOTHING
    limits: Resources = NOTHING

    def check(self) -> None:
        for resource, amount in self.requests.items():
            if amount > self.limits.get(resource, amount):
                raise Problem(("requests", resource), f"this is more than the limit of {resource}")


class ContainerPort(Shape, frozen=True, kw_only=True):
    """Where a container listens, by a name that services may know it by."""

    unmodelled = "hostPort hostIP"

    container_port: Port
    name: str = ""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


class Container(Shape, frozen=True, kw_only=True):
    """A container; an init container that restarts ``Always`` is a sidecar, which runs beside the others."""

    unmodelled = (
        "imagePullPolicy command args workingDir env envFrom volumeMounts volumeDevices livenessProbe readinessProbe "
        "startupProbe lifecycle terminationMessagePath terminationMessagePolicy securityContext stdin stdinOnce tty "
        "resizePolicy restartPolicyRules"
    )

    name: str
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    resources: ContainerResources = ContainerResources()
    restart_policy: Literal["Always", "OnFailure", "Never"] | None = None


class PreferredNode(Shape, frozen=True, kw_only=True):
    """A node that is liked, and how much."""

    weight: Weight
    preference: NodeSelectorTerm


class NodeSelector(Shape, frozen=True, kw_only=True):
    """Terms of which one must hold."""

    node_selector_terms: Annotated[tuple[NodeSelectorTerm, ...], Meta(min_length=1)]


class NodeAffinity(Shape, frozen=True, kw_only=True):
    """Which nodes will do, and which are liked."""

    required: NodeSelector | None = field(default=None, name=_REQUIRED)
    preferred: tuple[PreferredNode, ...] = field(default=(), name=_PREFERRED)


class PodAffinityTerm(Shape, frozen=True, kw_only=True):
    """Pods to be near to, within one value of a node label."""

    unmodelled = "namespaceSelector matchLabelKeys mismatchLabelKeys"

    topology_key: str
    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()


class WeightedPodAffinityTerm(Shape, frozen=True, kw_only=True):
    """A nearness that is liked, and how much."""

    weight: Weight
    pod_affinity_term: PodAffinityTerm


class PodAffinity(Shape, frozen=True, kw_only=True):
    """Nearness to other pods, or distance from them."""

    required: tuple[PodAffinityTerm, ...] = field(default=(), name=_REQUIRED)
    preferred: tuple[WeightedPodAffinityTerm, ...] = field(default=(), name=_PREFERRED)


class Affinity(Shape, frozen=True, kw_only=True):
    """Where a pod must, should, and must not be."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Toleration(Shape, frozen=True, kw_only=True):
    """A taint that the pod puts up with."""

    unmodelled = "tolerationSeconds"

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] = ""

    def check(self) -> None:
        if not self.key and self.operator == "Equal":
            raise Problem(("operator",), "without a key this must be Exists", "Exists")


class TopologySpreadConstraint(Shape, frozen=True, kw_only=True):
    """How evenly pods like this one must be spread over the values of a node label."""

    unmodelled = "matchLabelKeys minDomains nodeAffinityPolicy nodeTaintsPolicy"

    max_skew: Annotated[int, Meta(ge=1)]
    topology_key: str
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: LabelSelector | None = None


class SchedulingGate(Shape, frozen=True, kw_only=True):
    """What must be taken away before the pod may be scheduled."""

    name: str


class PodSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a pod."""

    unmodelled = (
        "volumes restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy dnsConfig "
        "serviceAccount automountServiceAccountToken hostNetwork hostPID hostIPC hostUsers shareProcessNamespace "
        "securityContext imagePullSecrets hostname subdomain hostAliases readinessGates runtimeClassName enableServiceLinks "
        "setHostnameAsFQDN os resourceClaims ephemeralContainers hostnameOverride workloadRef schedulingGroup"
    )

    containers: Annotated[tuple[Container, ...], Meta(min_length=1)]
    init_containers: tuple[Container, ...] = ()
    overhead: Resources = NOTHING
    resources: ContainerResources = ContainerResources()
    node_selector: dict[str, str] = field(default_factory=dict)
    node_name: str = ""
    service_account_name: str = ""
    affinity: Affinity | None = None
    tolerations: tuple[Toleration, ...] = ()
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    priority: Whole | None = None
    priority_class_name: str = ""
    preemption_policy: Literal["Never", "PreemptLowerPriority"] | None = None
    scheduler_name: str = ""
    scheduling_gates: tuple[SchedulingGate, ...] = ()

    def check(self) -> None:
        seen: set[str] = set()
        for field_name, containers in (("initContainers", self.init_containers), ("containers", self.containers)):
            for number, container in enumerate(containers):
                if container.name in seen:
                    raise Problem((field_name, number, "name"), f"there is a container '{container.name}' already")
                seen.add(container.name)


class PodCondition(Shape, frozen=True, kw_only=True):
    """How a pod does."""

    bookkeeping = "lastProbeTime lastTransitionTime reason message observedGeneration"

    type: str
    status: Literal["True", "False", "Unknown"]


class PodStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a pod."""

    unmodelled = (
        "message reason nominatedNodeName hostIP hostIPs podIPs qosClass containerStatuses "
        "initContainerStatuses ephemeralContainerStatuses resize resourceClaimStatuses observedGeneration "
        "extendedResourceClaimStatus allocatedResources resources"
    )

    phase: Literal["", "Pending", "Running", "Succeeded", "Failed", "Unknown"] = ""
    """Empty if it is not said, which counts as Pending."""
    start_time: str | None = None
    pod_ip: str = field(default="", name="podIP")
    conditions: tuple[PodCondition, ...] = ()


class Pod(Shape, frozen=True, kw_only=True):
    """A pod of the Kubernetes API."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: PodSpec
    status: PodStatus = field(default_factory=PodStatus)


def requested(spec: PodSpec) -> dict[str, int]:
    """What a pod takes of a node, resource by resource, sorted by name; units as in :mod:`skyedge.kube.quantity`.

    The larger of what its containers need together and what any step of its start needs, and the overhead of its runtime
    on top.  Sidecars run during the later steps of the start and with the containers.  A limit stands for a request that
    is not given; resources of the pod as a whole stand for the sum of its containers'.  (Kubernetes: "Init Containers",
    resource sharing; "Sidecar Containers"; "Pod-level resources".)
    """
    start: dict[str, int] = {}
    beside: dict[str, int] = {}
    for container in spec.init_containers:
        need = dict(asked(container.resources))
        if container.restart_policy == "Always":
            _add(beside, need)
            need = {}
        _add(need, beside)
        for resource, amount in need.items():
            start[resource] = max(amount, start.get(resource, 0))
    total = dict(beside)
    for container in spec.containers:
        _add(total, asked(container.resources))
    for resource, amount in start.items():
        total[resource] = max(amount, total.get(resource, 0))
    total |= asked(spec.resources)
    _add(total, spec.overhead)
    return {resource: total[resource] for resource in sorted(total) if total[resource]}


def asked(resources: ContainerResources) -> dict[str, int]:
    """Requests, with limits where no request is given."""
    return {**resources.limits, **resources.requests}


def _add(total: dict[str, int], more: dict[str, int] | Resources) -> None:
    for resource, amount in more.items():
        total[resource] = total.get(resource, 0) + amount
