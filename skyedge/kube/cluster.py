"""What a cluster consists of beside its pods: ``Node``, ``PriorityClass``, and ``ConfigMap`` as a holder of files."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from skyedge.kube.metadata import Metadata
from skyedge.kube.pods import Effect
from skyedge.kube.quantity import NOTHING, Resources
from skyedge.kube.shape import Shape, Whole


class Taint(Shape, frozen=True, kw_only=True):
    """What keeps pods off a node."""

    unmodelled = "timeAdded"

    key: str
    value: str = ""
    effect: Effect


class NodeSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a node."""

    bookkeeping = "podCIDR podCIDRs providerID configSource externalID"

    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False


class NodeCondition(Shape, frozen=True, kw_only=True):
    """How a node does."""

    bookkeeping = "lastHeartbeatTime lastTransitionTime reason message"

    type: str
    status: Literal["True", "False", "Unknown"]


class NodeInfo(Shape, frozen=True, kw_only=True):
    """What a node is."""

    bookkeeping = (
        "machineID systemUUID bootID kernelVersion osImage containerRuntimeVersion kubeletVersion kubeProxyVersion "
        "operatingSystem swap"
    )

    architecture: str = ""


class NodeStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a node."""

    bookkeeping = (
        "phase addresses daemonEndpoints images volumesInUse volumesAttached config features runtimeHandlers "
        "declaredFeatures"
    )

    capacity: Resources = NOTHING
    allocatable: Resources | None = None
    conditions: tuple[NodeCondition, ...] = ()
    node_info: NodeInfo = field(default_factory=NodeInfo)


class Node(Shape, frozen=True, kw_only=True):
    """A machine of the cluster."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)


class Namespace(Shape, frozen=True, kw_only=True):
    """A part of the cluster with names of its own; what is said of it stands in its labels."""

    bookkeeping = "spec status"

    api_version: str
    kind: str
    metadata: Metadata


class PriorityClass(Shape, frozen=True, kw_only=True):
    """A priority with a name."""

    bookkeeping = "description"

    api_version: str
    kind: str
    metadata: Metadata
    value: Whole
    global_default: bool = False
    preemption_policy: Literal["Never", "PreemptLowerPriority"] = "PreemptLowerPriority"


BUILT_IN_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Priority classes that every cluster has."""


class ConfigMap(Shape, frozen=True, kw_only=True):
    """Files by name."""

    unmodelled = "binaryData immutable"

    api_version: str
    kind: str
    metadata: Metadata
    data: dict[str, str] = field(default_factory=dict)
