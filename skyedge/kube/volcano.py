"""Volcano's own kinds: ``Queue``, ``PodGroup``, ``Job``, ``HyperNode``, and the scheduler's configuration.

Fields as in volcano.sh/apis; ``weight`` of a queue is 1 when it is not given, as its webhook has it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from skyedge.kube.metadata import LabelSelector, Metadata
from skyedge.kube.pods import PodSpec
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import NOTHING, Resources
from skyedge.kube.shape import Count, Shape, Whole

MOST_REPLICAS = 10_000_000
"""More pods of a task than any cluster has; they are made one by one."""


class Guarantee(Shape, frozen=True, kw_only=True):
    """What is kept for a queue, whoever else asks."""

    resource: Resources = NOTHING


class QueueSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a queue."""

    unmodelled = "affinity type extendClusters dequeueStrategy"

    weight: Whole = 1
    priority: Whole = 0
    capability: Resources | None = None
    deserved: Resources | None = None
    guarantee: Guarantee = field(default_factory=Guarantee)
    parent: str = ""
    reclaimable: bool = True

    def check(self) -> None:
        if self.weight < 1:
            wrong = f"{self.weight} is negative" if self.weight < 0 else "0 would leave the queue without a share"
            raise Problem(("weight",), f"{wrong}; a weight is 1 or more")
        for resource, amount in self.guarantee.resource.items():
            if self.capability is not None and amount > self.capability.get(resource, amount):
                raise Problem(("guarantee", "resource", resource), f"this is more than the capability of {resource}")


class QueueStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a queue."""

    unmodelled = "unknown pending running inqueue completed reservation allocated"

    state: Literal["Open", "Closed", "Closing", "Unknown", ""] = "Open"


class Queue(Shape, frozen=True, kw_only=True):
    """A tenant's share of the cluster."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: QueueSpec = field(default_factory=QueueSpec)
    status: QueueStatus = field(default_factory=QueueStatus)


class NetworkTopology(Shape, frozen=True, kw_only=True):
    """How near to one another the pods of a group must (hard) or should (soft) be."""

    unmodelled = "highestTierName"

    mode: Literal["hard", "soft"] = "hard"
    highest_tier_allowed: Count | None = None


class PodGroupSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a pod group."""

    unmodelled = "subGroupPolicy"

    min_member: Count = 1
    min_task_member: dict[str, Count] = field(default_factory=dict)
    queue: str = "default"
    priority_class_name: str = ""
    min_resources: Resources | None = None
    network_topology: NetworkTopology | None = None


class PodGroupStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a pod group."""

    unmodelled = "conditions running succeeded failed"

    phase: Literal["Pending", "Inqueue", "Running", "Unknown", "Completed", ""] = "Pending"


class PodGroup(Shape, frozen=True, kw_only=True):
    """A gang."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: PodGroupSpec = field(default_factory=PodGroupSpec)
    status: PodGroupStatus = field(default_factory=PodGroupStatus)


class PodTemplate(Shape, frozen=True, kw_only=True):
    """What each pod of a task looks like."""

    metadata: Metadata = field(default_factory=Metadata)
    spec: PodSpec


JobAction = Literal[
    "AbortJob",
    "RestartJob",
    "RestartTask",
    "RestartPod",
    "RestartPartition",
    "TerminateJob",
    "CompleteJob",
    "ResumeJob",
    "SyncJob",
    "EnqueueJob",
]
JobEvent = Literal[
    "*",
    "PodFailed",
    "PodEvicted",
    "PodPending",
    "PodRunning",
    "JobUnknown",
    "TaskCompleted",
    "TaskFailed",
    "OutOfSync",
    "CommandIssued",
    "JobUpdated",
    "Unknown",
]


class LifecyclePolicy(Shape, frozen=True, kw_only=True):
    """What is done when something happens.  Read and checked; one cycle of the scheduler does not need it."""

    action: JobAction
    event: JobEvent | None = None
    events: tuple[JobEvent, ...] = ()
    exit_code: Whole | None = None
    timeout: str = ""


class Task(Shape, frozen=True, kw_only=True):
    """Pods of a job that are alike."""

    unmodelled = "topologyPolicy maxRetry dependsOn partitionPolicy"

    name: str = ""
    replicas: Annotated[int, Meta(ge=0, le=MOST_REPLICAS)] = 1
    min_available: Count | None = None
    template: PodTemplate
    policies: tuple[LifecyclePolicy, ...] = ()

    def check(self) -> None:
        if self.min_available is not None and self.min_available > self.replicas:
            raise Problem(("minAvailable",), f"{self.min_available} is more than the {self.replicas} replicas")


class JobSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a job."""

    unmodelled = "volumes maxRetry ttlSecondsAfterFinished minSuccess"

    scheduler_name: str = ""
    min_available: Count | None = None
    tasks: Annotated[tuple[Task, ...], Meta(min_length=1)]
    policies: tuple[LifecyclePolicy, ...] = ()
    plugins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    queue: str = "default"
    priority_class_name: str = ""
    running_estimate: str = ""
    network_topology: NetworkTopology | None = None

    def check(self) -> None:
        replicas = sum(task.replicas for task in self.tasks)
        if self.min_available is not None and self.min_available > replicas:
            raise Problem(("minAvailable",), f"{self.min_available} is more than the {replicas} replicas of all tasks")
        names = [task_name(self, number) for number in range(len(self.tasks))]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise Problem(("tasks", number, "name"), f"there is a task '{name}' already")


def task_name(spec: JobSpec, number: int) -> str:
    """Name of a task: what it is called, or ``defaultN``, as Volcano's webhook has it."""
    return spec.tasks[number].name or f"default{number}"


class JobState(Shape, frozen=True, kw_only=True):
    """Where a job is in its life."""

    unmodelled = "reason message lastTransitionTime"

    phase: str = ""


class JobStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a job."""

    unmodelled = (
        "minAvailable taskStatusCount pending running succeeded failed terminating unknown version retryCount "
        "runningDuration controlledResources conditions"
    )

    state: JobState = field(default_factory=JobState)


class Job(Shape, frozen=True, kw_only=True):
    """Tasks whose pods start together."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: JobSpec
    status: JobStatus = field(default_factory=JobStatus)


class ExactMatch(Shape, frozen=True, kw_only=True):
    """One member, by name."""

    name: str


class RegexMatch(Shape, frozen=True, kw_only=True):
    """Members whose name holds a match of a pattern."""

    pattern: str


class MemberSelector(Shape, frozen=True, kw_only=True):
    """Who belongs to a domain: one of three ways of saying it."""

    exact_match: ExactMatch | None = None
    regex_match: RegexMatch | None = None
    label_match: LabelSelector | None = None

    def check(self) -> None:
        if sum(way is not None for way in (self.exact_match, self.regex_match, self.label_match)) != 1:
            raise Problem((), "one of exactMatch, regexMatch and labelMatch is needed")


class Member(Shape, frozen=True, kw_only=True):
    """Members of a domain."""

    type: Literal["Node", "HyperNode"]
    selector: MemberSelector

    def check(self) -> None:
        if self.type == "HyperNode" and self.selector.label_match is not None:
            raise Problem(("selector", "labelMatch"), "only nodes are selected by their labels")


class HyperNodeSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a network domain."""

    unmodelled = "tierName"

    tier: Count
    members: tuple[Member, ...] = ()


class HyperNodeStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a network domain."""

    unmodelled = "conditions nodeCount"


class HyperNode(Shape, frozen=True, kw_only=True):
    """A network domain: nodes, or domains of a lower tier."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: HyperNodeSpec
    status: HyperNodeStatus = field(default_factory=HyperNodeStatus)


class SchedulerConfiguration(Shape, frozen=True, kw_only=True):
    """``volcano-scheduler.conf``.  What its plugins and arguments mean is the scheduler's to say."""

    unmodelled = "metrics"

    actions: str | None = None
    tiers: tuple[dict[str, Any], ...] | None = None
    configurations: tuple[dict[str, Any], ...] | None = None

    def mapping(self) -> dict[str, Any]:
        """As the file has it."""
        given = {"actions": self.actions, "tiers": self.tiers, "configurations": self.configurations}
        return {key: list(said) if isinstance(said, tuple) else said for key, said in given.items() if said is not None}
