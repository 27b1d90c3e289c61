"""What a batch scheduler is told about, one object for each thing: the rim of the scheduler.

Inside, everything is columns (:mod:`skyedge.layers.scheduler.columns`); these objects are what readers of manifests,
traces and experiments make, and what tests write by hand.  A :class:`PodShape` is all of a pod that decides where it may
run; pods of a gang share one, and the scheduler thinks about a shape once, not about each of its pods.

Amounts of resources are whole numbers: ``cpu`` in milli-cores, what is counted in bytes in bytes, all else in thousandths
(one GPU is 1000).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

Amounts = Mapping[str, int]
"""Amount of each resource by name; see the module for the units."""

BYTE_RESOURCES = ("memory", "ephemeral-storage", "storage", "hugepages-")
"""Names, or beginnings of names, of resources that are counted in bytes."""

THOUSANDTHS = 1000


class PodPhase(IntEnum):
    """Where a pod is in its life; the order is that of ``POD_PHASES_THAT_HOLD`` first."""

    PENDING = 0
    BOUND = 1
    RUNNING = 2
    RELEASING = 3
    SUCCEEDED = 4
    FAILED = 5
    ALLOCATED = 6  # decided in this cycle
    PIPELINED = 7  # reserved in this cycle on what is being released


class GroupPhase(IntEnum):
    """Where a pod group is in its life."""

    PENDING = 0
    INQUEUE = 1
    RUNNING = 2
    UNKNOWN = 3
    COMPLETED = 4


@dataclass(frozen=True)
class Requirement:
    """One condition on labels: In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


Term = tuple[Requirement, ...]
"""Requirements that must all hold."""


@dataclass(frozen=True)
class Taint:
    """What keeps pods off a node."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True)
class Toleration:
    """A taint that a pod puts up with; an empty key with Exists tolerates all, an empty effect any effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True)
class PodTerm:
    """Wish or demand to be near other pods (or away from them) within one value of ``topology_key``."""

    topology_key: str
    selector: Term
    away: bool = False
    weight: int | None = None  # None: a demand
    namespaces: tuple[str, ...] = ()


@dataclass(frozen=True)
class PodShape:
    """All of a pod that decides where it may run.

    Args:
        request: sorted pairs of resource and amount, without the pod slot that every pod takes.
        node_selector: labels that the node must have.
        node_terms: one of these terms must hold, if there are any.
        preferred: pairs of weight and term.
        pod_terms: nearness to other pods.
        architectures: processors that the pod's image was built for (``amd64``, ``arm64`` …); any if empty.
        device_count: GPUs wanted, each ``device_milli`` thousandths of one; 0 for none.
        device_models: models of GPU that will do; any if empty.
    """

    request: tuple[tuple[str, int], ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    node_terms: tuple[Term, ...] = ()
    preferred: tuple[tuple[int, Term], ...] = ()
    pod_terms: tuple[PodTerm, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    architectures: tuple[str, ...] = ()
    device_count: int = 0
    device_milli: int = 0
    device_models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A machine, or what stands for one: a pool's replica, an antenna."""

    name: str
    allocatable: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    device_count: int = 0
    """GPUs that can be shared, each of 1000 thousandths."""
    device_model: str = ""
    cpu_usage: float | None = None  # measured shares, for the usage plugin
    memory_usage: float | None = None


@dataclass(slots=True)
class Pod:
    """One pod; ``group`` names its pod group as NAMESPACE/NAME."""

    name: str
    group: str
    shape: PodShape
    phase: PodPhase = PodPhase.PENDING
    node: str | None = None
    role: str = ""
    priority: int = 0
    created_s: float = 0.0
    preemptable: bool = True
    may_preempt: bool = True
    gated: bool = False
    system_critical: bool = False
    labels: Mapping[str, str] | None = None
    revocable_zone: str = ""
    """``*`` or a zone: the pod may run on nodes that are lent for some hours only (tdm)."""


@dataclass(frozen=True)
class NetworkTopology:
    """How near to one another the pods of a group must (hard) or should (soft) be."""

    mode: Literal["hard", "soft"] = "hard"
    highest_tier_allowed: int | None = None
    allocated_hypernode: str | None = None


@dataclass(frozen=True)
class PodGroup:
    """A gang: a job as the scheduler sees it."""

    name: str
    queue: str = "default"
    min_member: int = 1
    min_task_member: Mapping[str, int] = field(default_factory=dict)
    min_resources: Amounts | None = None
    phase: GroupPhase = GroupPhase.PENDING
    priority: int = 0
    created_s: float = 0.0
    topology: NetworkTopology | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    expected_s: float | None = None
    """How long it is thought to run once it has started, for EASY backfill."""
    started_s: float | None = None


@dataclass(frozen=True)
class Queue:
    """A tenant's share of the cluster."""

    name: str
    weight: int = 1
    priority: int = 0
    open: bool = True
    capability: Amounts | None = None
    deserved: Amounts | None = None
    guarantee: Amounts | None = None
    parent: str | None = None
    reclaimable: bool = True
    created_s: float = 0.0
    hierarchy: tuple[tuple[str, float], ...] = ()
    """Path from the root with the weight of each level, for hierarchical DRF."""


@dataclass(frozen=True)
class HyperNode:
    """A network domain: nodes, or domains one tier below it."""

    name: str
    tier: int
    nodes: tuple[str, ...] = ()
    hypernodes: tuple[str, ...] = ()


def is_bytes(resource: str) -> bool:
    """Whether ``resource`` is counted in bytes."""
    return resource.startswith(BYTE_RESOURCES)


def distinct_shapes(pods: Sequence[Pod]) -> tuple[tuple[PodShape, ...], list[int]]:
    """Distinct shapes in the order in which they come up, and the number of each pod's.

    Hashing a shape is slow and readers share the objects, so each object is looked up by identity first.
    """
    known: dict[int, int] = {}
    distinct: dict[PodShape, int] = {}
    numbers = []
    for pod in pods:
        number = known.get(id(pod.shape))
        if number is None:
            number = known[id(pod.shape)] = distinct.setdefault(pod.shape, len(distinct))
        numbers.append(number)
    return tuple(distinct), numbers
