"""skyedge's own kind beside Karmada's: a rule that every cluster, or everything that runs on one, must satisfy."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from skyedge.kube.karmada import ClusterAffinity, ResourceSelector
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape


class RuleCondition(Shape, frozen=True, kw_only=True):
    """What must hold of the values that a path leads to."""

    path: str
    operator: Literal["Exists", "DoesNotExist", "In", "NotIn", "Matches", "AtLeast", "AtMost"]
    values: tuple[Any, ...] = ()

    def check(self) -> None:
        for number, value in enumerate(self.values):
            if isinstance(value, dict | list) or value is None:
                raise Problem(("values", number), "a value is a word, a number, or true or false")


class ClusterRuleSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a rule; without resource selectors it speaks of the clusters themselves."""

    cluster_affinity: ClusterAffinity | None = None
    resource_selectors: tuple[ResourceSelector, ...] = ()
    enforcement: Literal["Audit", "Enforce"] = "Audit"
    message: str = ""
    require: Annotated[tuple[RuleCondition, ...], Meta(min_length=1)]


class ClusterRule(Shape, frozen=True, kw_only=True):
    """A rule of the policy centre."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: ClusterRuleSpec
