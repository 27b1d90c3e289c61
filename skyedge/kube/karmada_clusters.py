"""Member clusters of a federation: Karmada's kind ``Cluster``.

Fields as in karmada.io's API of version 1.18; a cluster's single ``zone`` is one of its zones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    """Of a grade of nodes, how much of a resource they have at least, and less than what."""

    name: str
    min: Any
    max: Any

    def check(self) -> None:
        least = self._bound("min")
        if str(self.max) != ENDLESS and self._bound("max") <= least:
            raise Problem(("max",), "this is no more than 'min'")

    def _bound(self, end: Literal["min", "max"]) -> int:
        try:
            return amount_of(self.name, getattr(self, end))
        except Problem as problem:
            raise problem.below(end) from None


class ResourceModel(Shape, frozen=True, kw_only=True):
    """A grade of nodes."""

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
        for number, model in enumerate(self.resource_models):
            if model.grade != number:
                raise Problem(
                    ("resourceModels", number, "grade"), f"grades count from 0 in order, so this should be {number}"
                )
            names = {span.name for span in model.ranges}
            if names != {span.name for span in self.resource_models[0].ranges}:
                raise Problem(("resourceModels", number, "ranges"), "every grade has to name the same resources")


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
