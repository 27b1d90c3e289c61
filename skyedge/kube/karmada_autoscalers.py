"""Karmada's autoscalers: by what is measured, and by the clock.

What of them can be wrong by itself is refused as by Karmada's webhook, whose rules are those of Kubernetes'
HorizontalPodAutoscaler.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from skyedge.kube.metadata import LabelSelector, Metadata
from skyedge.kube.object_names import check_object_name, check_path_word
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import amount_of
from skyedge.kube.shape import Count, Shape

AtLeastOne = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Figure = str | int | float

AUTOSCALER = "FederatedHPA"


def check_word(field: str, word: str) -> None:
    """Raise a :class:`Problem` at ``field`` unless ``word`` can stand in a path of the API."""
    try:
        check_path_word(word)
    except Problem as problem:
        raise problem.below(field) from None


class ScaleTarget(Shape, frozen=True, kw_only=True):
    """What is scaled, or measured."""

    api_version: str = ""
    kind: str
    name: str

    def check(self) -> None:
        check_word("kind", self.kind)
        check_word("name", self.name)


class MetricTarget(Shape, frozen=True, kw_only=True):
    """What a metric should be: its mean over pods in percent of what they ask for, or as a quantity; or a sum."""

    type: Literal["Utilization", "Value", "AverageValue"]
    average_utilization: AtLeastOne | None = None
    average_value: Figure | None = None
    value: Figure | None = None

    def check(self) -> None:
        for name, figure in (("averageValue", self.average_value), ("value", self.value)):
            if figure is None:
                continue
            try:
                amount = amount_of("", figure)
            except Problem as problem:
                raise problem.below(name) from None
            if not amount:
                raise Problem((name,), "a quantity above zero is wanted here")


class ResourceMetric(Shape, frozen=True, kw_only=True):
    """A resource that is measured."""

    name: str
    target: MetricTarget

    def check(self) -> None:
        if not self.name:
            raise Problem(("name",), "a resource is wanted here", "cpu")
        if (self.target.average_utilization is None) == (self.target.average_value is None):
            raise Problem(("target",), "the target of a resource is either its averageUtilization or its averageValue")


class ContainerResourceMetric(ResourceMetric, frozen=True, kw_only=True):
    """A resource of one container that is measured."""

    container: str


class MetricName(Shape, frozen=True, kw_only=True):
    """A figure of a monitoring system."""

    name: str
    selector: LabelSelector | None = None

    def check(self) -> None:
        check_word("name", self.name)


class PodsMetric(Shape, frozen=True, kw_only=True):
    """A figure of every pod."""

    metric: MetricName
    target: MetricTarget

    def check(self) -> None:
        if self.target.average_value is None:
            raise Problem(("target",), "the target of a figure of pods is its averageValue")


class ObjectMetric(Shape, frozen=True, kw_only=True):
    """A figure of one object."""

    described_object: ScaleTarget
    metric: MetricName
    target: MetricTarget

    def check(self) -> None:
        if self.target.value is self.target.average_value is None:
            raise Problem(("target",), "the target of a figure of an object is its value or its averageValue")


class ExternalMetric(Shape, frozen=True, kw_only=True):
    """A figure of something outside."""

    metric: MetricName
    target: MetricTarget

    def check(self) -> None:
        if (self.target.value is None) == (self.target.average_value is None):
            raise Problem(("target",), "the target of a figure from outside is either its value or its averageValue")
        if self.target.type == "Utilization" or self.target.average_utilization is not None:
            raise Problem(("target",), "nobody asks for what is outside, so there is no share of it that is used")


class Metric(Shape, frozen=True, kw_only=True):
    """What is measured; all but resources need a monitoring system, which is not modelled."""

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    resource: ResourceMetric | None = None
    container_resource: ContainerResourceMetric | None = None
    pods: PodsMetric | None = None
    object: ObjectMetric | None = None
    external: ExternalMetric | None = None

    def check(self) -> None:
        own = self.type[0].lower() + self.type[1:]
        given = {
            "resource": self.resource,
            "containerResource": self.container_resource,
            "pods": self.pods,
            "object": self.object,
            "external": self.external,
        }
        if given[own] is None:
            raise Problem((), f"a metric of the type {self.type} needs '{own}'")
        for name, metric in given.items():
            if metric is not None and name != own:
                raise Problem((name,), f"a metric of the type {self.type} has '{own}' and no '{name}'")


class ScalingPolicy(Shape, frozen=True, kw_only=True):
    """How much may change within how long."""

    type: Literal["Pods", "Percent"]
    value: AtLeastOne
    period_seconds: Annotated[int, Meta(ge=1, le=1800)]


class ScalingRules(Shape, frozen=True, kw_only=True):
    """How fast one direction goes."""

    unmodelled = "tolerance"

    stabilization_window_seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    policies: Annotated[tuple[ScalingPolicy, ...], Meta(min_length=1)] = ()


class ScalingBehavior(Shape, frozen=True, kw_only=True):
    """How fast it goes up and down."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class FederatedHPASpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a horizontal autoscaler."""

    scale_target_ref: ScaleTarget
    min_replicas: AtLeastOne = 1
    max_replicas: AtLeastOne
    metrics: tuple[Metric, ...] = ()
    behavior: ScalingBehavior | None = None

    def check(self) -> None:
        if self.max_replicas < self.min_replicas:
            raise Problem(("maxReplicas",), f"at most {self.max_replicas} is less than at least {self.min_replicas}")


class FederatedHPA(Shape, frozen=True, kw_only=True):
    """Replicas of a workload over all clusters, by what is measured."""

    bookkeeping = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: FederatedHPASpec

    def check(self) -> None:
        try:
            check_object_name(self.metadata.name)
        except Problem as problem:
            raise problem.below("metadata", "name") from None


class CronRule(Shape, frozen=True, kw_only=True):
    """So many replicas, or such bounds, from a time on."""

    bookkeeping = "successfulHistoryLimit failedHistoryLimit"

    name: str
    schedule: str
    target_replicas: Count | None = None
    target_min_replicas: AtLeastOne | None = None
    target_max_replicas: AtLeastOne | None = None
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

    def check(self) -> None:
        names: set[str] = set()
        for number, rule in enumerate(self.rules):
            if rule.name in names:
                raise Problem(("rules", number, "name"), f"there is a rule '{rule.name}' already")
            names.add(rule.name)
            least, most = rule.target_min_replicas, rule.target_max_replicas
            if self.scale_target_ref.kind != AUTOSCALER:
                continue
            if least is most is None:
                raise Problem(("rules", number), f"a {AUTOSCALER} is given targetMinReplicas or targetMaxReplicas")
            if least is not None and most is not None and most < least:
                raise Problem(("rules", number, "targetMaxReplicas"), f"at most {most} is less than at least {least}")


class CronFederatedHPA(Shape, frozen=True, kw_only=True):
    """Replicas of a workload, or the bounds of its autoscaler, by the clock."""

    bookkeeping = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: CronFederatedHPASpec
