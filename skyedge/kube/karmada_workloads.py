"""Karmada's kinds about what runs: where it does, when it is placed anew, how much it may take, and what drives it out."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.karmada import ClusterAffinity
from skyedge.kube.karmada_clusters import ClusterEffect, Status, check_taint, check_taints_differ
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import NOTHING, Resources
from skyedge.kube.shape import Count, Shape, right_word


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

    def check(self) -> None:
        assigned: dict[str, int] = {}
        for number, assignment in enumerate(self.static_assignments):
            for resource, amount in assignment.hard.items():
                if resource not in self.overall:
                    path = ("staticAssignments", number, "hard", resource)
                    raise Problem(path, f"'overall' has no '{resource}'", right_word(resource, self.overall))
                assigned[resource] = assigned.get(resource, 0) + amount
        for resource, amount in assigned.items():
            if amount > self.overall[resource]:
                raise Problem(("overall", resource), "this is less than the static assignments add up to")


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

    def check(self) -> None:
        check_taint(self.key, self.value)


class ClusterTaintPolicySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a taint policy; all conditions of a list must match, and an empty list matches nothing."""

    target_clusters: ClusterAffinity | None = None
    add_on_conditions: tuple[MatchCondition, ...] = ()
    remove_on_conditions: tuple[MatchCondition, ...] = ()
    taints: Annotated[tuple[PolicyTaint, ...], Meta(min_length=1)]

    def check(self) -> None:
        if not self.add_on_conditions and not self.remove_on_conditions:
            raise Problem((), "a taint policy without addOnConditions or removeOnConditions does nothing")
        check_taints_differ(self.taints)


class ClusterTaintPolicy(Shape, frozen=True, kw_only=True):
    """Which clusters are tainted, by their conditions."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: ClusterTaintPolicySpec
