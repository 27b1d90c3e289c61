"""Predicates: on which nodes a pod may run at all, resources apart.

The rules are those of Kubernetes, which Volcano's plugin of this name (v1.16 alpha) borrows: node selector and required
node affinity, taints and tolerations, cordoned nodes, and required affinity and anti-affinity to other pods.

What depends on the node alone is answered once for all nodes (``predicate``).  What depends on where other pods lie is
answered as things stand (``predicate_now``), and only in a cycle in which some pod has a term about others:

- *affinity*: every term needs, in the node's domain, a pod that meets all of the newcomer's terms; the first of a series,
  that meets its own terms when nobody does, may go anywhere where there are domains;
- *anti-affinity*: no pod that a term is about may lie in the node's domain;
- and by *symmetry* no pod in the domain may have an anti-affinity term that is about the newcomer.

With ``predicate.ProportionalEnable`` a pod that asks for none of the scarce ``predicate.resources`` must leave, for each of
them that is idle on the node, the cpu and memory that goes with it.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import CPU, MEMORY, Flags, Rows
from skyedge.layers.scheduler.labels import NO_SCHEDULE, UNSCHEDULABLE, meets, requirement_text, tolerates
from skyedge.layers.scheduler.objects import THOUSANDTHS, PodShape, PodTerm, Requirement, Taint
from skyedge.layers.scheduler.plugin import Arguments, Plugin
from skyedge.layers.scheduler.session import Session

SWITCHES = ("predicate.NodeAffinityEnable", "predicate.TaintTolerationEnable", "predicate.PodAffinityEnable")
PROPORTIONAL = "predicate.ProportionalEnable"

NOT_MODELLED = (
    "predicate.NodePortsEnable",
    "predicate.NodeVolumeLimitsEnable",
    "predicate.VolumeZoneEnable",
    "predicate.PodTopologySpreadEnable",
    "predicate.CacheEnable",
)
"""Switches of what the scheduler is not told about (ports, volumes, spread constraints) or has no need of: no effect."""

GIGABYTE = 10**9


class Predicates(Plugin):
    """Filters nodes by what they are and by who lies near.

    Arguments: ``predicate.NodeAffinityEnable``, ``predicate.TaintTolerationEnable`` and ``predicate.PodAffinityEnable``,
    each true unless said otherwise (node selectors and cordons always hold); ``predicate.ProportionalEnable``, false unless
    said otherwise, with ``predicate.resources`` (``nvidia.com/gpu``, more with commas between them) and for each of them
    ``predicate.resources.NAME.cpu`` in cores and ``predicate.resources.NAME.memory`` in gigabytes.
    """

    name: ClassVar[str] = "predicates"
    known_arguments: ClassVar[tuple[str, ...]] = (
        *SWITCHES,
        PROPORTIONAL,
        "predicate.resources",
        "predicate.resources.",
        *NOT_MODELLED,
    )

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._node_affinity, self._taints, self._pod_affinity = (self.switch(key, True) for key in SWITCHES)
        self._kept: dict[str, tuple[float, float]] = {}
        """Milli-cores and bytes to be kept for each thousandth of a scarce resource."""
        if self.switch(PROPORTIONAL, False):
            for resource in str(arguments.get("predicate.resources", "")).split(","):
                key = f"predicate.resources.{resource.strip()}"
                if resource.strip():
                    kept_bytes = self.number(f"{key}.memory", 0) * GIGABYTE / THOUSANDTHS
                    self._kept[resource.strip()] = (self.number(f"{key}.cpu", 0), kept_bytes)
        self.packs = not self._kept

    def switch(self, key: str, default: bool) -> bool:
        """An argument that is true or false.

        Raises:
            InputError: if it is something else.
        """
        value = str(self.arguments.get(key, default)).lower()
        if value not in ("true", "false"):
            raise InputError(f"the argument '{key}' of '{self.name}' should be true or false, not '{self.arguments[key]}'")
        return value == "true"

    def open(self, session: Session) -> None:
        """Find out whether pods look at each other in this cycle."""
        super().open(session)
        self._looks_at_pods = self._pod_affinity and session.neighbours.any
        names = session.snapshot.resources
        self._scarce = [(names.index(name), *kept) for name, kept in self._kept.items() if name in names]
        self.looks_beyond_shapes = self._looks_at_pods or bool(self._scarce)

    # What depends on the node alone.

    def predicate(self, pod: int) -> Flags:
        """Nodes that the pod's selector, affinity and tolerations allow, (nodes,)."""
        snapshot = self.session.snapshot
        shape = snapshot.shapes[snapshot.pods.shape[pod]]
        labels, taints = snapshot.nodes.label_index, snapshot.nodes.taint_index
        flags: Flags = labels.where_all(_selector(shape))
        if self._node_affinity and shape.node_terms:
            flags &= labels.where_any(shape.node_terms)
        if taints:
            flags &= taints.tolerated(shape.tolerations) if self._taints else self._cordons_tolerated(shape)
        return flags

    def _cordons_tolerated(self, shape: PodShape) -> Flags:
        if tolerates(shape.tolerations, UNSCHEDULABLE):
            return np.ones(len(self.session.snapshot.nodes), np.bool_)
        return ~self.session.snapshot.nodes.unschedulable

    # What depends on other pods.

    def distinguishes(self, pod: int) -> Hashable:
        """Which terms about pods concern it."""
        return self.session.neighbours.kind(pod) if self._looks_at_pods else None

    def volatile(self, pod: int) -> bool:
        """A placement anywhere may close or open a whole domain to a pod that some demand concerns."""
        if not self._looks_at_pods:
            return False
        return bool(self._demands(pod)) or any(_repels(held.term) for held in self.session.neighbours.held_about(pod))

    def predicate_now(self, pod: int, nodes: Rows) -> Flags:
        """Nodes near which lie the pods that must, and none that must not, and that keep what goes with GPUs, (nodes,)."""
        flags: Flags = np.ones(len(nodes), np.bool_)
        if self._looks_at_pods:
            for _, allowed in self._neighbour_rules(pod):
                flags &= allowed[nodes]
        if self._scarce:
            flags &= self._keeps_proportion(pod, nodes)
        return flags

    def _keeps_proportion(self, pod: int, nodes: Rows) -> Flags:
        session = self.session
        request, flags = session.request[session.snapshot.pods.shape[pod]], np.ones(len(nodes), np.bool_)
        if any(request[resource] for resource, _, _ in self._scarce):
            return flags
        for resource, cpu_milli, memory_bytes in self._scarce:
            idle = session.idle[resource, nodes]
            there = session.snapshot.nodes.allocatable[nodes, resource] > 0
            for needed, kept in ((CPU, cpu_milli), (MEMORY, memory_bytes)):
                flags &= ~there | (session.idle[needed, nodes] - request[needed] >= idle * kept)
        return flags

    def _demands(self, pod: int) -> tuple[PodTerm, ...]:
        snapshot = self.session.snapshot
        return tuple(t for t in snapshot.shapes[snapshot.pods.shape[pod]].pod_terms if t.weight is None)

    def _neighbour_rules(self, pod: int) -> list[tuple[str, Flags]]:
        """Clauses on why a node may be refused, each with the nodes that it leaves, (nodes,)."""
        neighbours = self.session.neighbours
        demands = self._demands(pod)
        rules: list[tuple[str, Flags]] = []
        wanted = [(term, neighbours.mark(term, pod)) for term in demands if not term.away]
        if wanted:
            friends = neighbours.meant(wanted[0][1])
            for _, mark in wanted[1:]:
                friends = np.intersect1d(friends, neighbours.meant(mark), assume_unique=True)
            friends = neighbours.present(friends)
            # The first of a series that wants to be with its like would wait for ever.
            first = all(neighbours.is_meant(mark, pod) for _, mark in wanted) and not any(
                neighbours.in_domain(friends, term.topology_key).any() for term, _ in wanted
            )
            for term, _ in wanted:
                allowed = neighbours.has_domain(term.topology_key)
                if not first:
                    allowed = allowed & (neighbours.in_domain(friends, term.topology_key) > 0)
                rules.append((f"no pod that it must be near is in its {term.topology_key}", allowed))
        for term in demands:
            if term.away:
                foes = neighbours.present(neighbours.meant(neighbours.mark(term, pod)))
                allowed = neighbours.in_domain(foes, term.topology_key) == 0
                rules.append((f"a pod that it must be away from is in its {term.topology_key}", allowed))
        for held in neighbours.held_about(pod):
            if _repels(held.term):
                holders = neighbours.present(held.holders)
                allowed = neighbours.in_domain(holders, held.term.topology_key) == 0
                rules.append((f"a pod in its {held.term.topology_key} must be away from pods like this", allowed))
        return rules

    # Why not.

    def refusal(self, pod: int, node: int) -> str | None:
        """One clause on why ``node`` is refused, or None."""
        snapshot = self.session.snapshot
        shape = snapshot.shapes[snapshot.pods.shape[pod]]
        labels = snapshot.nodes.label_index
        for key, value in shape.node_selector:
            if labels.value(key, node) != value:
                return f"node selector {key}={value} does not match"
        if self._node_affinity and shape.node_terms:
            unmet = [self._unmet(term, node) for term in shape.node_terms]
            if all(unmet):
                return f"node affinity does not match: {' or '.join(dict.fromkeys(str(clause) for clause in unmet))}"
        for taint in snapshot.nodes.taint_index.of(node):
            if taint.effect in NO_SCHEDULE and not tolerates(shape.tolerations, taint):
                if taint == UNSCHEDULABLE:
                    return "it is unschedulable"
                if self._taints:
                    return f"taint {_taint_text(taint)} is not tolerated"
        if self._scarce and not self._keeps_proportion(pod, np.array([node]))[0]:
            return "it would not keep the cpu and memory that go with its idle accelerators"
        if self._looks_at_pods:
            for clause, allowed in self._neighbour_rules(pod):
                if not allowed[node]:
                    return clause
        return None

    def _unmet(self, term: tuple[Requirement, ...], node: int) -> str | None:
        """The first requirement of ``term`` that the node does not meet, or None."""
        labels = self.session.snapshot.nodes.label_index
        if not term:
            return "a term without requirements"
        return next((requirement_text(r) for r in term if not meets(r, labels.value(r.key, node))), None)


def _selector(shape: PodShape) -> tuple[Requirement, ...]:
    return tuple(Requirement(key, "In", (value,)) for key, value in shape.node_selector)


def _repels(term: PodTerm) -> bool:
    return term.away and term.weight is None


def _taint_text(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"
