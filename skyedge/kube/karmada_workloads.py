"""Karmada's kinds about what runs: where it does, when it is placed anew, how it is scaled, and how much it may take."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.karmada import ClusterAffinity, ClusterEffect, Status
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import NOTHING, Resources
from skyedge.kube.shape import Count, Shape


class ObjectReference(Shape, frozen=True, kw_only=True):
    """A resource by name."""

    bookkeeping = "resourceVersion"

    api_version: str
    kind: str
    namespace: str = ""
    name: str
    uid: str = ""


class TargetCluster(Shape, frozen=True, kw_only=True):
    """How many replicas a cluster has."""

    name: str
    replicas: Count = 0


class GracefulEvictionTask(Shape, frozen=True, kw_only=True):
    """A copy that is to go."""

    bookkeeping = "replicas reason message producer purgeMode clustersBeforeFailover"
    unmodelled = "preservedLabelState"

    from_cluster: str
    grace_period_seconds: Count | None = None
    suppress_deletion: bool | None = None
    creation_timestamp: str | None = None


class ResourceBindingSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a binding, as far as it says where a workload runs; the rest is a copy of its policy and its template."""

    bookkeeping = (
        "propagateDeps replicaRequirements components placement requiredBy schedulerName failover conflictResolution "
        "preserveResourcesOnDeletion schedulePriority"
    )
    unmodelled = "suspension workloadAffinityGroups"

    resource: ObjectReference
    replicas: Count = 0
    reschedule_triggered_at: str | None = None
    clusters: tuple[TargetCluster, ...] = ()
    graceful_eviction_tasks: tuple[GracefulEvictionTask, ...] = ()


class ResourceBindingStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a binding."""

    bookkeeping = "schedulerObservedGeneration conditions aggregatedStatus"

    scheduler_observing_affinity_name: str = ""
    last_scheduled_time: str | None = None


class ResourceBinding(Shape, frozen=True, kw_only=True):
    """Where a resource of a namespace runs."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: ResourceBindingSpec
    status: ResourceBindingStatus = field(default_factory=ResourceBindingStatus)


class ClusterResourceBinding(ResourceBinding, frozen=True, kw_only=True):
    """Where a resource without a namespace is."""


class RebalancerSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a rebalancer."""

    bookkeeping = "ttlSecondsAfterFinished"

    workloads: Annotated[tuple[ObjectReference, ...], Meta(min_length=1)]


class WorkloadRebalancer(Shape, frozen=True, kw_only=True):
    """Workloads that are to be divided anew, wherever they run."""

    bookkeeping = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: RebalancerSpec


class ClusterQuota(Shape, frozen=True, kw_only=True):
    """How much may be taken of one cluster."""

    cluster_name: str
    hard: Resources


class FederatedResourceQuotaSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a quota."""

    overall: Resources
    static_assignments: tuple[ClusterQuota, ...] = ()


class FederatedResourceQuotaStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a quota."""

    bookkeeping = "overall aggregatedStatus"

    overall_used: Resources = NOTHING


class FederatedResourceQuota(Shape, frozen=True, kw_only=True):
    """How much a namespace may take of all clusters together."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: FederatedResourceQuotaSpec
    status: FederatedResourceQuotaStatus = field(default_factory=FederatedResourceQuotaStatus)


class MatchCondition(Shape, frozen=True, kw_only=True):
    """A condition of a cluster, and the states in which it matches."""

    condition_type: str
    operator: Literal["In", "NotIn"]
    status_values: Annotated[tuple[Status, ...], Meta(min_length=1)]


class PolicyTaint(Shape, frozen=True, kw_only=True):
    """A taint that a policy puts on clusters."""

    key: str
    effect: ClusterEffect
    value: str = ""


class ClusterTaintPolicySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a taint policy; all conditions of a list must match, and an empty list matches nothing."""

    target_clusters: ClusterAffinity | None = None
    add_on_conditions: tuple[MatchCondition, ...] = ()
    remove_on_conditions: tuple[MatchCondition, ...] = ()
    taints: Annotated[tuple[PolicyTaint, ...], Meta(min_length=1)]

    def check(self) -> None:
        if not self.add_on_conditions and not self.remove_on_conditions:
            raise Problem((), "a taint policy without addOnConditions or removeOnConditions does nothing")


class ClusterTaintPolicy(Shape, frozen=True, kw_only=True):
    """Which clusters are tainted, by their conditions."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: ClusterTaintPolicySpec


class ScaleTarget(Shape, frozen=True, kw_only=True):
    """What is scaled."""

    api_version: str = ""
    kind: str
    name: str


class MetricTarget(Shape, frozen=True, kw_only=True):
    """What a metric should be: its mean over pods in percent of what they ask for, or as a quantity."""

    unmodelled = "value"

    type: Literal["Utilization", "Value", "AverageValue"]
    average_utilization: Count | None = None
    average_value: str | int | float | None = None


class ResourceMetric(Shape, frozen=True, kw_only=True):
    """A resource that is measured."""

    name: str
    target: MetricTarget


class ContainerResourceMetric(ResourceMetric, frozen=True, kw_only=True):
    """A resource of one container that is measured."""

    container: str


class Metric(Shape, frozen=True, kw_only=True):
    """What is measured; all but resources need a monitoring system, which is not modelled."""

    unmodelled = "pods object external"

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    resource: ResourceMetric | None = None
    container_resource: ContainerResourceMetric | None = None


class ScalingPolicy(Shape, frozen=True, kw_only=True):
    """How much may change within how long."""

    type: Literal["Pods", "Percent"]
    value: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    period_seconds: Annotated[int, Meta(ge=1, le=1800)]


class ScalingRules(Shape, frozen=True, kw_only=True):
    """How fast one direction goes."""

    unmodelled = "tolerance"

    stabilization_window_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    policies: tuple[ScalingPolicy, ...] = ()


class ScalingBehavior(Shape, frozen=True, kw_only=True):
    """How fast it goes up and down."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class FederatedHPASpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a horizontal autoscaler."""

    scale_target_ref: ScaleTarget
    min_replicas: Count = 1
    max_replicas: Count
    metrics: tuple[Metric, ...] = ()
    behavior: ScalingBehavior | None = None

    def check(self) -> None:
        if self.max_replicas < max(self.min_replicas, 1):
            raise Problem(("maxReplicas",), f"at most {self.max_replicas} is less than at least {max(self.min_replicas, 1)}")


class FederatedHPA(Shape, frozen=True, kw_only=True):
    """Replicas of a workload over all clusters, by what is measured."""

    bookkeeping = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: FederatedHPASpec


class CronRule(Shape, frozen=True, kw_only=True):
    """So many replicas, or such bounds, from a time on."""

    bookkeeping = "successfulHistoryLimit failedHistoryLimit"

    name: str
    schedule: str
    target_replicas: Count | None = None
    target_min_replicas: Count | None = None
    target_max_replicas: Count | None = None
    suspend: bool = False
    time_zone: str = "UTC"

    def check(self) -> None:
        if not self.schedule.startswith("@") and len(self.schedule.split()) != 5:
            raise Problem(("schedule",), f"'{self.schedule}' is not five fields: minute, hour, day, month, weekday")
        if self.target_replicas is self.target_min_replicas is self.target_max_replicas is None:
            raise Problem((), "a rule needs targetReplicas, or targetMinReplicas and targetMaxReplicas")


class CronFederatedHPASpec(Shape, frozen=True, kw_only=True):
    """``spec`` of an autoscaler by the clock."""

    scale_target_ref: ScaleTarget
    rules: Annotated[tuple[CronRule, ...], Meta(min_length=1)]


class CronFederatedHPA(Shape, frozen=True, kw_only=True):
    """Replicas of a workload, or the bounds of its autoscaler, by the clock."""

    bookkeeping = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: CronFederatedHPASpec
