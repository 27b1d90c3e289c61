"""Member clusters of a federation: Karmada's kind ``Cluster``.

Fields as in karmada.io's API of version 1.18; a cluster's single ``zone`` is one of its zones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, field

from skyedge.kube.metadata import Metadata
from skyedge.kube.object_names import check_label_key, check_label_value
from skyedge.kube.problem import Problem
from skyedge.kube.quantity import NOTHING, Resources, amount_of
from skyedge.kube.shape import Count, Shape

ENDLESS = str(2**63 - 1)
"""So Karmada fills in the upper end of the highest grade, whatever the resource is."""

CLUSTER_NAME = re.compile("[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LONGEST_NAME = 48
"""Of a cluster, as Karmada has it: a label of DNS.  Names are those of files, too."""

Status = Literal["True", "False", "Unknown"]


ClusterEffect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute", "PreferNoExecute"]
"""The last is Karmada's own: it keeps newcomers off, and drives out only whose policy asks for it."""


def check_taint(key: str, value: str) -> None:
    """Raise a :class:`Problem` unless there can be such a taint."""
    for name, check, text in (("key", check_label_key, key), ("value", check_label_value, value)):
        try:
            check(text)
        except Problem as problem:
            raise problem.below(name) from None


class ClusterTaint(Shape, frozen=True, kw_only=True):
    """What keeps workloads off a cluster, or drives them away from it."""

    key: str
    value: str = ""
    effect: ClusterEffect
    time_added: str | None = None

    def check(self) -> None:
        check_taint(self.key, self.value)


class AnyTaint(Protocol):
    """A taint of a cluster, or of a policy."""

    @property
    def key(self) -> str: ...
    @property
    def effect(self) -> str: ...


def check_taints_differ(taints: Sequence[AnyTaint]) -> None:
    """Raise a :class:`Problem` for the first taint with the key and the effect of one before it."""
    seen: set[tuple[str, str]] = set()
    for number, taint in enumerate(taints):
        if (taint.key, taint.effect) in seen:
            raise Problem(("taints", number), f"there is a taint '{taint.key}' of the effect {taint.effect} already")
        seen.add((taint.key, taint.effect))


class ResourceRange(Shape, frozen=True, kw_only=True):
    """Of a grade of nodes, how much of a resource they have at least, and less than what.

    Any resource: Karmada has no grades by GPUs, which are what a federation of ours divides.
    """

    name: str
    min: Any
    max: Any

    def check(self) -> None:
        self.bounds()

    def bounds(self) -> tuple[int, float]:
        """Both, in the units of :mod:`skyedge.kube.quantity`."""
        return self._bound("min"), math.inf if str(self.max) == ENDLESS else self._bound("max")

    def _bound(self, end: Literal["min", "max"]) -> int:
        try:
            return amount_of(self.name, getattr(self, end))
        except Problem as problem:
            raise problem.below(end) from None


class ResourceModel(Shape, frozen=True, kw_only=True):
    """A grade of nodes: any number, as long as each grade has another one."""

    grade: Count
    ranges: Annotated[tuple[ResourceRange, ...], Meta(min_length=1)]


class ClusterSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a member cluster."""

    bookkeeping = "id apiEndpoint secretRef impersonatorSecretRef insecureSkipTLSVerification proxyURL proxyHeader"

    sync_mode: Literal["Push", "Pull", ""] = ""
    provider: str = ""
    region: str = ""
    zone: str = ""
    zones: tuple[str, ...] = ()
    taints: tuple[ClusterTaint, ...] = ()
    resource_models: tuple[ResourceModel, ...] = ()

    def check(self) -> None:
        check_taints_differ(self.taints)
        places = sorted(range(len(self.resource_models)), key=lambda place: self.resource_models[place].grade)
        for before, place in pairwise(places):
            lower, model = self.resource_models[before], self.resource_models[place]
            if model.grade == lower.grade:
                raise Problem(("resourceModels", place, "grade"), f"there is a grade {model.grade} already")
            if sorted(span.name for span in model.ranges) != sorted(span.name for span in lower.ranges):
                raise Problem(("resourceModels", place, "ranges"), "every grade has to name the same resources")
        for before, place in pairwise(places):
            self._check_follows(before, place)

    def _check_follows(self, before: int, place: int) -> None:
        """Check that a grade, but the highest, has more than nothing, and that the next one begins where it ends."""
        lower, least = self.resource_models[before], self.least_by_grade()
        ends = {span.name: span.bounds()[1] for span in lower.ranges}
        for number, span in enumerate(lower.ranges):
            if ends[span.name] <= least[lower.grade][span.name]:
                raise Problem(("resourceModels", before, "ranges", number, "max"), "this is no more than 'min'")
        for number, span in enumerate(self.resource_models[place].ranges):
            if span.bounds()[0] != ends[span.name]:
                what = f"grades follow on each other, and grade {lower.grade} does not end here"
                raise Problem(("resourceModels", place, "ranges", number, "min"), what)

    def least_by_grade(self) -> dict[int, dict[str, int]]:
        """What a node of each grade has at least.  Karmada lets the lowest begin at nothing, whatever is written."""
        lowest = min((model.grade for model in self.resource_models), default=0)
        return {
            model.grade: {span.name: 0 if model.grade == lowest else span.bounds()[0] for span in model.ranges}
            for model in self.resource_models
        }


class Condition(Shape, frozen=True, kw_only=True):
    """How a cluster does."""

    bookkeeping = "lastTransitionTime reason message observedGeneration"

    type: str
    status: Status


class ApiResource(Shape, frozen=True, kw_only=True):
    """A kind that a cluster knows."""

    name: str = ""
    kind: str


class ApiEnablement(Shape, frozen=True, kw_only=True):
    """Kinds of one group and version."""

    group_version: str
    resources: tuple[ApiResource, ...] = ()


class AllocatableModeling(Shape, frozen=True, kw_only=True):
    """How many nodes are of a grade, by what they have left."""

    grade: Count
    count: Count


class ResourceSummary(Shape, frozen=True, kw_only=True):
    """What a cluster has, what is taken, and what is waited for."""

    allocatable: Resources = NOTHING
    allocated: Resources = NOTHING
    allocating: Resources = NOTHING
    allocatable_modelings: tuple[AllocatableModeling, ...] = ()


class NodeSummary(Shape, frozen=True, kw_only=True):
    """How many nodes a cluster has."""

    total_num: Count = 0
    ready_num: Count = 0


class ClusterStatus(Shape, frozen=True, kw_only=True):
    """``status`` of a member cluster."""

    bookkeeping = "kubernetesVersion"
    unmodelled = "remedyActions"

    api_enablements: tuple[ApiEnablement, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    node_summary: NodeSummary | None = None
    resource_summary: ResourceSummary | None = None


class Cluster(Shape, frozen=True, kw_only=True):
    """A member of a federation."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: ClusterSpec = field(default_factory=ClusterSpec)
    status: ClusterStatus = field(default_factory=ClusterStatus)

    def check(self) -> None:
        if len(self.metadata.name) > LONGEST_NAME or not CLUSTER_NAME.fullmatch(self.metadata.name):
            what = f"a cluster is called by at most {LONGEST_NAME} of a-z, 0-9 and '-', not '{self.metadata.name}'"
            raise Problem(("metadata", "name"), what)
