"""Conditions on labels: whether one thing meets them, and on which of many nodes they hold.

A cluster has thousands of nodes and few values of any one label.  So a label that is asked about is turned, once, into a
column of small numbers, a condition is answered for each *value*, and the column spreads the answer over the nodes.
Labels that nobody asks about cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.scheduler.objects import Requirement, Taint, Term, Toleration

Flags = NDArray[np.bool_]

NAME_FIELD = "metadata.name"
"""Stands for the node's name among its labels, as in the ``matchFields`` of a node affinity."""

HOSTNAME = "kubernetes.io/hostname"
"""A node that does not carry this label has its name there, for so does every kubelet."""

NO_SCHEDULE = ("NoSchedule", "NoExecute")
"""Effects of taints that keep a newcomer off; ``PreferNoSchedule`` only makes a node less welcome."""

UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
"""What a cordoned node counts as carrying."""


def meets(requirement: Requirement, value: str | None) -> bool:
    """Whether a label of this value (None: it is not there) meets the requirement."""
    match requirement.operator:
        case "In":
            return value is not None and value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt":
            mine, bound = _whole(value), _whole(requirement.values[0] if requirement.values else None)
            if mine is None or bound is None:
                return False
            return mine > bound if requirement.operator == "Gt" else mine < bound
    return False


def meets_all(term: Term, labels: Mapping[str, str]) -> bool:
    """Whether ``labels`` meet every requirement; a term without any is met by everything."""
    return all(meets(requirement, labels.get(requirement.key)) for requirement in term)


def tolerates(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations puts up with the taint."""
    return any(
        (not t.effect or t.effect == taint.effect)
        and (not t.key or t.key == taint.key)
        and (t.operator == "Exists" or (bool(t.key) and t.value == taint.value))
        for t in tolerations
    )


def requirement_text(requirement: Requirement) -> str:
    """A requirement as a user would write it: ``disk in (ssd, nvme)``."""
    match requirement.operator:
        case "Exists":
            return f"{requirement.key} exists"
        case "DoesNotExist":
            return f"{requirement.key} does not exist"
        case "Gt" | "Lt":
            sign = ">" if requirement.operator == "Gt" else "<"
            return f"{requirement.key} {sign} {', '.join(requirement.values)}"
    word = "in" if requirement.operator == "In" else "not in"
    return f"{requirement.key} {word} ({', '.join(requirement.values)})"


class LabelIndex:
    """Labels of nodes as columns, made as they are asked for.

    Args:
        labels: of each node.
        names: of each node.
    """

    def __init__(self, labels: Sequence[Mapping[str, str]], names: Sequence[str]) -> None:
        self._labels = labels
        self._names = names
        self._columns: dict[str, tuple[NDArray[np.intp], dict[str | None, int]]] = {}

    def column(self, key: str) -> tuple[NDArray[np.intp], dict[str | None, int]]:
        """The number of each node's value of ``key``, (nodes,), and the values with their numbers; None: no such label."""
        found = self._columns.get(key)
        if found is None:
            if key == NAME_FIELD:
                values: list[str | None] = list(self._names)
            elif key == HOSTNAME:
                values = [labels.get(key, name) for labels, name in zip(self._labels, self._names, strict=True)]
            else:
                values = [labels.get(key) for labels in self._labels]
            number: dict[str | None, int] = {}
            codes = np.fromiter((number.setdefault(value, len(number)) for value in values), np.intp, len(values))
            found = self._columns[key] = (codes, number)
        return found

    def value(self, key: str, node: int) -> str | None:
        """The value of ``key`` on one node, or None."""
        if key == NAME_FIELD:
            return self._names[node]
        return self._labels[node].get(key, self._names[node] if key == HOSTNAME else None)

    def where(self, requirement: Requirement) -> Flags:
        """On which nodes the requirement is met, (nodes,)."""
        codes, number = self.column(requirement.key)
        table = np.zeros(len(number), np.bool_)
        if requirement.operator in ("In", "NotIn"):
            # By look-up, not value by value: a name has as many values as there are nodes.
            table[[number[value] for value in requirement.values if value in number]] = True
            if requirement.operator == "NotIn":
                table = ~table
        else:
            for value, code in number.items():
                table[code] = meets(requirement, value)
        flags: Flags = table[codes]
        return flags

    def where_all(self, term: Term) -> Flags:
        """On which nodes all of the term holds, (nodes,)."""
        flags: Flags = np.ones(len(self._names), np.bool_)
        for requirement in term:
            flags &= self.where(requirement)
        return flags

    def where_any(self, terms: Sequence[Term]) -> Flags:
        """On which nodes one of the terms holds, (nodes,); a term without requirements stands for no node."""
        flags: Flags = np.zeros(len(self._names), np.bool_)
        for term in terms:
            if term:
                flags |= self.where_all(term)
        return flags


class TaintIndex:
    """The distinct sets of taints that nodes carry, and who carries which.

    Args:
        taints: of each node.
        unschedulable: which nodes are cordoned, which counts as a taint.
    """

    def __init__(self, taints: Sequence[tuple[Taint, ...]], unschedulable: Flags) -> None:
        number: dict[tuple[Taint, ...], int] = {}
        codes = [number.setdefault(one, len(number)) if one else -1 for one in taints]
        for node in np.flatnonzero(unschedulable).tolist():
            codes[node] = number.setdefault((*taints[node], UNSCHEDULABLE), len(number))
        number.setdefault((), len(number))
        self._codes = np.array(codes, np.intp)
        self._codes[self._codes < 0] = number[()]
        self._sets = tuple(number)

    def __bool__(self) -> bool:
        """Whether any node carries any."""
        return len(self._sets) > 1

    def of(self, node: int) -> tuple[Taint, ...]:
        """The taints of a node."""
        return self._sets[self._codes[node]]

    def tolerated(self, tolerations: Sequence[Toleration]) -> Flags:
        """On which nodes there is no taint that keeps a pod with these tolerations off, (nodes,)."""
        table = [all(t.effect not in NO_SCHEDULE or tolerates(tolerations, t) for t in taints) for taints in self._sets]
        flags: Flags = np.array(table, np.bool_)[self._codes]
        return flags

    def discouraging(self, tolerations: Sequence[Toleration]) -> NDArray[np.int64]:
        """How many ``PreferNoSchedule`` taints of each node are not tolerated, (nodes,)."""
        # Kubernetes counts a toleration of another effect as none here, which `tolerates` does by itself.
        table = [
            sum(t.effect == "PreferNoSchedule" and not tolerates(tolerations, t) for t in taints) for taints in self._sets
        ]
        counts: NDArray[np.int64] = np.array(table, np.int64)[self._codes]
        return counts


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
