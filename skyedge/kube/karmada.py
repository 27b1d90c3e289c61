"""Karmada's policies, which say where resources run.

Fields as in karmada.io's API of version 1.18, with the defaults that its webhooks fill in: replicas are divided, and by
weight; a spread constraint is by cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.karmada_clusters import ClusterEffect
from skyedge.kube.metadata import LabelSelector, Metadata, NodeRequirement
from skyedge.kube.object_names import check_label_key
from skyedge.kube.pods import Toleration
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape, Whole, right_word

CLUSTER_FIELDS = ("provider", "region", "zone")
"""What a field selector may name."""

StaticWeight = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class FieldSelector(Shape, frozen=True, kw_only=True):
    """Conditions on provider, region and zone."""

    match_expressions: tuple[NodeRequirement, ...] = ()

    def check(self) -> None:
        for number, requirement in enumerate(self.match_expressions):
            if requirement.key not in CLUSTER_FIELDS:
                what = f"a cluster is selected by the fields {', '.join(CLUSTER_FIELDS)}, not by '{requirement.key}'"
                raise Problem(("matchExpressions", number, "key"), what, right_word(requirement.key, CLUSTER_FIELDS))
            if requirement.operator not in ("In", "NotIn"):
                what = f"a field selector knows In and NotIn, not {requirement.operator}"
                raise Problem(("matchExpressions", number, "operator"), what)


class ClusterAffinity(Shape, frozen=True, kw_only=True):
    """Which clusters are meant."""

    label_selector: LabelSelector | None = None
    field_selector: FieldSelector | None = None
    cluster_names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class OverflowAffinity(ClusterAffinity, frozen=True, kw_only=True):
    """Clusters for what does not fit on those before."""

    affinity_name: str


class ClusterAffinityTerm(ClusterAffinity, frozen=True, kw_only=True):
    """A group of clusters with a name."""

    affinity_name: str
    overflow_affinities: tuple[OverflowAffinity, ...] = ()


class ClusterToleration(Toleration, frozen=True, kw_only=True):
    """A taint that a workload puts up with, and for how long."""

    unmodelled = ""

    effect: ClusterEffect | Literal[""] = ""  # type: ignore[assignment]  # one more than nodes know
    toleration_seconds: int | None = None


class SpreadConstraint(Shape, frozen=True, kw_only=True):
    """Over how many clusters or regions; other groups are known to the API, and to no scheduler."""

    spread_by_field: Literal["cluster", "region", "zone", "provider", ""] = ""
    spread_by_label: str = ""
    min_groups: Count = 1
    max_groups: Count = 0

    @property
    def by(self) -> str:
        """The field that is spread by."""
        return self.spread_by_field or "cluster"

    def check(self) -> None:
        if self.spread_by_label:
            raise Problem(("spreadByLabel",), "workloads are spread by cluster or region, not by a label", "spreadByField")
        if self.by not in ("cluster", "region"):
            raise Problem(("spreadByField",), f"workloads are spread by cluster or region, not by {self.by}")
        if 0 < self.max_groups < self.min_groups:
            raise Problem(("maxGroups",), f"at most {self.max_groups} is less than at least {self.min_groups}")


class StaticClusterWeight(Shape, frozen=True, kw_only=True):
    """The weight of some clusters."""

    target_cluster: ClusterAffinity
    weight: StaticWeight


class ClusterPreferences(Shape, frozen=True, kw_only=True):
    """Weights as they are given, or (which then counts alone) by room."""

    static_weight_list: tuple[StaticClusterWeight, ...] = ()
    dynamic_weight: Literal["AvailableReplicas", ""] = ""


class ReplicaScheduling(Shape, frozen=True, kw_only=True):
    """How replicas are divided."""

    replica_scheduling_type: Literal["Duplicated", "Divided"] = "Divided"
    replica_division_preference: Literal["Aggregated", "Weighted"] = "Weighted"
    weight_preference: ClusterPreferences | None = None


class Placement(Shape, frozen=True, kw_only=True):
    """Which clusters, and how many replicas on each."""

    unmodelled = "workloadAffinity"

    cluster_affinity: ClusterAffinity | None = None
    cluster_affinities: tuple[ClusterAffinityTerm, ...] = ()
    cluster_tolerations: tuple[ClusterToleration, ...] = ()
    spread_constraints: tuple[SpreadConstraint, ...] = ()
    replica_scheduling: ReplicaScheduling | None = None

    def check(self) -> None:
        if self.cluster_affinity is not None and self.cluster_affinities:
            raise Problem(("clusterAffinities",), "give either clusterAffinity or clusterAffinities, not both")
        names: set[str] = set()
        for number, term in enumerate(self.cluster_affinities):
            for path, name in (
                (("clusterAffinities", number), term.affinity_name),
                *(
                    (("clusterAffinities", number, "overflowAffinities", tier), overflow.affinity_name)
                    for tier, overflow in enumerate(term.overflow_affinities)
                ),
            ):
                if name in names:
                    raise Problem((*path, "affinityName"), f"there is a group '{name}' already")
                names.add(name)
            if term.overflow_affinities and not self._by_room:
                what = "overflow goes by room: it needs replicas divided by dynamicWeight or Aggregated"
                raise Problem(("clusterAffinities", number, "overflowAffinities"), what)
        by: dict[str, int] = {}
        for number, constraint in enumerate(self.spread_constraints):
            if by.setdefault(constraint.by, number) != number:
                raise Problem(("spreadConstraints", number), f"there is a constraint by {constraint.by} already")
        if "region" in by and "cluster" not in by:
            what = "who spreads by region has to say over how many clusters, too: a constraint by cluster is missing"
            raise Problem(("spreadConstraints",), what)

    @property
    def _by_room(self) -> bool:
        scheduling = self.replica_scheduling
        if scheduling is None or scheduling.replica_scheduling_type != "Divided":
            return False
        preference = scheduling.weight_preference
        return scheduling.replica_division_preference == "Aggregated" or bool(preference and preference.dynamic_weight)


class ResourceSelector(Shape, frozen=True, kw_only=True):
    """Resources of a kind: by name, else by labels, else all."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str = ""
    label_selector: LabelSelector | None = None


def check_own_namespace(selectors: Sequence[ResourceSelector], namespace: str) -> None:
    """Raise a :class:`Problem` for a selector of a policy that reaches out of the namespace of the policy."""
    own = namespace or "default"
    for number, selector in enumerate(selectors):
        if selector.namespace not in ("", own):
            what = f"a policy of the namespace '{own}' selects nothing of '{selector.namespace}'"
            raise Problem(("spec", "resourceSelectors", number, "namespace"), what)


class DecisionConditions(Shape, frozen=True, kw_only=True):
    """When an application is held to have failed."""

    toleration_seconds: Count = 300


PurgeMode = Literal["Directly", "Gracefully", "Immediately", "Graciously", "Never"]
"""What becomes of the old copy; the third and fourth are old names of the first two."""


class StatePreservationRule(Shape, frozen=True, kw_only=True):
    """A figure of the old copy's status that the new one is given as a label."""

    unmodelled = "jsonPath"

    alias_label_name: str

    def check(self) -> None:
        try:
            check_label_key(self.alias_label_name)
        except Problem as problem:
            raise problem.below("aliasLabelName") from None


class StatePreservation(Shape, frozen=True, kw_only=True):
    """What the new copy is told of the old one."""

    rules: tuple[StatePreservationRule, ...]


class ApplicationFailover(Shape, frozen=True, kw_only=True):
    """What is done when an application fails."""

    decision_conditions: DecisionConditions = field(default_factory=DecisionConditions)
    purge_mode: PurgeMode = "Gracefully"
    grace_period_seconds: Count | None = None
    state_preservation: StatePreservation | None = None

    def check(self) -> None:
        if self.grace_period_seconds is not None and self.purge_mode not in ("Gracefully", "Graciously"):
            raise Problem(("gracePeriodSeconds",), f"there is no grace where what is old goes {self.purge_mode}")


class ClusterFailover(Shape, frozen=True, kw_only=True):
    """What is done when a cluster fails."""

    purge_mode: PurgeMode = "Gracefully"
    state_preservation: StatePreservation | None = None


class Failover(Shape, frozen=True, kw_only=True):
    """How an application moves when something fails."""

    application: ApplicationFailover | None = None
    cluster: ClusterFailover | None = None


class SchedulePriority(Shape, frozen=True, kw_only=True):
    """Where the priority of a workload in scheduling is said."""

    priority_class_source: Literal["KubePriorityClass", "PodPriorityClass", "FederatedPriorityClass"]
    priority_class_name: str = ""

    def check(self) -> None:
        if self.priority_class_source == "FederatedPriorityClass":
            raise Problem(("priorityClassSource",), "there is no such class of priorities yet", "KubePriorityClass")
        if self.priority_class_source == "KubePriorityClass" and not self.priority_class_name:
            raise Problem((), "'priorityClassName' is missing")


class PropagationSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a propagation policy."""

    bookkeeping = "schedulerName=default-scheduler preemption=Never conflictResolution=Abort preserveResourcesOnDeletion"
    unmodelled = "activationPreference suspension"

    resource_selectors: Annotated[tuple[ResourceSelector, ...], Meta(min_length=1)]
    association: bool = False
    propagate_deps: bool = False
    placement: Placement = field(default_factory=Placement)
    priority: Whole = 0
    dependent_overrides: tuple[str, ...] = ()
    failover: Failover | None = None
    schedule_priority: SchedulePriority | None = None


class PropagationPolicy(Shape, frozen=True, kw_only=True):
    """Where resources of its namespace run."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: PropagationSpec

    def check(self) -> None:
        check_own_namespace(self.spec.resource_selectors, self.metadata.namespace)


class ClusterPropagationPolicy(PropagationPolicy, frozen=True, kw_only=True):
    """Where resources of any namespace, or of none, run."""

    def check(self) -> None:
        """Nothing is out of its reach."""
