"""One centre of policies: rules that every cluster, or everything that runs on one, must satisfy, and who does not.

A rule looks at plain data, as a manifest is: at the cluster's own, or at that of each resource after it was changed for the
cluster, so that what counts is what really goes there.  A path leads to values (``spec.template.spec.containers[*].image``;
a key with dots stands in brackets: ``metadata.labels[app.kubernetes.io/name]``), and a condition must hold for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.affinity import ClusterAffinity, matches_affinity
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.policy import Closeness, Resource, ResourceSelector, closest
from skyedge.re2 import NotRe2, compiled

Operator = Literal["Exists", "DoesNotExist", "In", "NotIn", "Matches", "AtLeast", "AtMost"]
OPERATORS: tuple[Operator, ...] = get_args(Operator)

_PATH = re.compile(r"(?:[^.\[\]]+|\[[^\]]+\])(?:\.[^.\[\]]+|\[[^\]]+\])*")
_STEP = re.compile(r"\[([^\]]+)\]|([^.\[\]]+)")
EVERY = "*"


@dataclass(frozen=True)
class Condition:
    """What must hold of the values that a path leads to.

    ``Exists`` wants one at least and ``DoesNotExist`` none.  The others are for each value that is there, and want one at
    least, but for ``NotIn``.  ``Matches`` is a regular expression over the whole text.

    Raises:
        InputError: if the path cannot be read, or the operator cannot have these values.
    """

    path: str
    operator: Operator
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        steps(self.path)
        if self.operator not in OPERATORS:
            close = nearest(self.operator, OPERATORS)
            raise InputError(f"a condition has no operator '{self.operator}'", where=self.path, nearest=close)
        none, one = self.operator in ("Exists", "DoesNotExist"), self.operator in ("Matches", "AtLeast", "AtMost")
        if (none and self.values) or (one and len(self.values) != 1) or (not none and not self.values):
            wanted = "no values" if none else "one value" if one else "at least one value"
            raise InputError(f"{self.operator} needs {wanted}", where=self.path)
        if self.operator in ("AtLeast", "AtMost") and _number(self.values[0]) is None:
            raise InputError(f"{self.operator} needs a number, not '{self.values[0]}'", where=self.path)
        if self.operator == "Matches":
            try:
                compiled(self.values[0])
            except NotRe2 as error:
                raise InputError(f"'{self.values[0]}' {error}", where=self.path) from None

    def broken_by(self, data: Any) -> str | None:
        """What is wrong with the data, in words; None if the condition holds."""
        found = list(follow(data, steps(self.path)))
        there = [value for value in found if value is not None]
        if self.operator == "DoesNotExist":
            return f"{self.path} is there: {_shown(there[0])}" if there else None
        if self.operator != "NotIn" and (not there or len(there) < len(found)):
            return f"{self.path} is missing"
        wrong = next((value for value in there if not self._holds(value)), None)
        return None if wrong is None else f"{self.path} is {_shown(wrong)}, {self._wish()}"

    def _holds(self, value: Any) -> bool:
        match self.operator:
            case "In" | "NotIn":
                return (_text(value) in self.values) == (self.operator == "In")
            case "Matches":
                return compiled(self.values[0]).fullmatch(_text(value)) is not None
            case "AtLeast" | "AtMost":
                mine, bound = _number(_text(value)), float(self.values[0])
                return mine is not None and (mine >= bound if self.operator == "AtLeast" else mine <= bound)
        return True

    def _wish(self) -> str:
        listed = " or ".join(self.values)
        words = {"In": "not", "NotIn": "which must not be", "Matches": "which does not match", "AtLeast": "less than"}
        return f"{words.get(self.operator, 'more than')} {listed}"


@dataclass(frozen=True)
class Rule:
    """One rule of the centre.

    Attributes:
        conditions: all of which must hold.
        clusters: where it holds; everywhere, if None.
        selectors: of which resources; without any it speaks of the clusters themselves.
        enforced: whether a cluster that breaks it gets no work, and a resource that breaks it does not go there; else it
            is only listed.
        message: what is said of a violation, beside what is wrong.
    """

    name: str
    conditions: tuple[Condition, ...]
    clusters: ClusterAffinity | None = None
    selectors: tuple[ResourceSelector, ...] = ()
    enforced: bool = False
    message: str = ""

    def holds_for(self, cluster: Cluster) -> bool:
        """Whether it says anything about this cluster."""
        return self.clusters is None or matches_affinity(cluster, self.clusters)


@dataclass(frozen=True, order=True)
class Violation:
    """A rule that is broken: by a cluster, or (if named) by a resource on it."""

    rule: str
    cluster: str
    resource: str
    what: str
    enforced: bool


def cluster_violations(rules: Iterable[Rule], clusters: Sequence[tuple[Cluster, Any]]) -> list[Violation]:
    """The rules that clusters break themselves, by rule, cluster and condition.

    Args:
        rules: those that speak of resources are passed over.
        clusters: each with the plain data of its manifest.
    """
    return [
        Violation(rule.name, cluster.name, "", _said(rule, what), rule.enforced)
        for rule in rules
        if not rule.selectors
        for cluster, data in clusters
        if rule.holds_for(cluster)
        for what in _broken(rule, data)
    ]


def resource_violations(rules: Iterable[Rule], placed: Iterable[tuple[Cluster, Resource, Any]]) -> list[Violation]:
    """The rules that resources break on the clusters that they go to, by rule.

    Args:
        rules: those that speak of clusters are passed over.
        placed: each resource on each of its clusters, with the plain data of the manifest as it is there.
    """
    rows = list(placed)
    return [
        Violation(rule.name, cluster.name, _name(resource), _said(rule, what), rule.enforced)
        for rule in rules
        if rule.selectors
        for cluster, resource, data in rows
        if rule.holds_for(cluster) and closest(rule.selectors, resource) is not Closeness.NONE
        for what in _broken(rule, data)
    ]


def steps(path: str) -> tuple[str, ...]:
    """The keys of a path; ``*`` is every item of a list, or every value of a mapping.

    Raises:
        InputError: if it cannot be read.
    """
    if _PATH.fullmatch(path) is None:
        raise InputError("this is no path such as metadata.labels[example.org/owner]", where=path)
    return tuple(bracket or name for bracket, name in _STEP.findall(path))


def follow(data: Any, path: Sequence[str]) -> Iterable[Any]:
    """The values that a path leads to; None for each branch on which there is none."""
    if not path:
        yield data
        return
    step, rest = path[0], path[1:]
    if step == EVERY:
        items = list(data.values()) if isinstance(data, Mapping) else data if isinstance(data, list) else []
        for item in items:
            yield from follow(item, rest)
    elif isinstance(data, Mapping) and step in data:
        yield from follow(data[step], rest)
    elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
        yield from follow(data[int(step)], rest)
    else:
        yield None


def _broken(rule: Rule, data: Any) -> list[str]:
    return [what for condition in rule.conditions if (what := condition.broken_by(data)) is not None]


def _said(rule: Rule, what: str) -> str:
    return f"{rule.message}: {what}" if rule.message else what


def _name(resource: Resource) -> str:
    name = f"{resource.namespace}/{resource.name}" if resource.namespace else resource.name
    return f"{resource.kind} {name}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown(value: Any) -> str:
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, list) else f"'{_text(value)}'"
