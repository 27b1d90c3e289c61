"""Which pods lie near which nodes: what pods' terms about other pods are answered from.

A term (:class:`~skyedge.layers.scheduler.objects.PodTerm`) is about the pods that its selector matches, in the domain of a
node: all nodes with the same value of a label.  Pods are sorted, once a cycle and by the labels that some selector asks
for only, into few *looks*; a selector is judged by look.  Who lies where is read from the session each time, so there is
no account here that could fall behind.

A pod that is evicted in this cycle no longer counts, and one that has a reservation does, as in Volcano; one that was
leaving when the cycle began counts until it is gone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Ints, Rows
from skyedge.layers.scheduler.labels import meets_all
from skyedge.layers.scheduler.objects import PodPhase, PodTerm, Term

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

_PRESENT = np.zeros(len(PodPhase), np.bool_)
_PRESENT[[PodPhase.BOUND, PodPhase.RUNNING, PodPhase.ALLOCATED, PodPhase.PIPELINED]] = True


@dataclass(frozen=True)
class Mark:
    """Whom a term is about, wherever it stands: pods of these namespaces that meet the selector."""

    selector: Term
    namespaces: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Held:
    """A term together with the pods that carry it."""

    term: PodTerm
    mark: Mark
    holders: Rows


class Neighbours:
    """The pods of a session, as terms about pods see them.

    Args:
        session: whose accounts say who lies where.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        snapshot = session.snapshot
        self.any: bool = any(shape.pod_terms for shape in snapshot.shapes)
        """Whether any pod has a term at all; if not, nothing else here may be asked."""
        if not self.any:
            return
        self._labels = snapshot.nodes.label_index
        self._namespace = [_namespace(name) for name in snapshot.groups.names]
        self._sort_into_looks()
        self.held = tuple(self._all_held())
        """Every term with its holders, demands and wishes."""
        self._hits: dict[Mark, Flags] = {}
        self._rows: dict[Mark, Rows] = {}
        self._kinds: dict[int, Hashable] = {}
        self._held_by_look: dict[int, tuple[Held, ...]] = {}

    def _sort_into_looks(self) -> None:
        snapshot = self._session.snapshot
        terms = [term for shape in snapshot.shapes for term in shape.pod_terms]
        keys = sorted({requirement.key for term in terms for requirement in term.selector})
        number: dict[tuple[str, tuple[str | None, ...]], int] = {}
        known: dict[tuple[int, int], int] = {}
        looks = np.empty(len(snapshot.pods), np.intp)
        for pod, (labels, group) in enumerate(zip(snapshot.pods.labels, snapshot.pods.group.tolist(), strict=True)):
            mine = (id(labels), group)
            look = known.get(mine)
            if look is None:
                values = tuple((labels or {}).get(key) for key in keys)
                look = known[mine] = number.setdefault((self._namespace[group], values), len(number))
            looks[pod] = look
        self._look_of = looks
        self._looks = [
            (namespace, {key: value for key, value in zip(keys, values, strict=True) if value is not None})
            for namespace, values in number
        ]

    def _all_held(self) -> Iterator[Held]:
        snapshot = self._session.snapshot
        holders: dict[tuple[PodTerm, Mark], list[Rows]] = {}
        with_terms = np.fromiter((bool(shape.pod_terms) for shape in snapshot.shapes), np.bool_, len(snapshot.shapes))
        rows = np.flatnonzero(with_terms[snapshot.pods.shape])
        by_shape: dict[int, dict[str, list[int]]] = {}
        for pod in rows.tolist():
            of = by_shape.setdefault(int(snapshot.pods.shape[pod]), {})
            of.setdefault(self._namespace[snapshot.pods.group[pod]], []).append(pod)
        for shape, by_namespace in by_shape.items():
            for namespace, pods in by_namespace.items():
                for term in snapshot.shapes[shape].pod_terms:
                    key = (term, Mark(term.selector, term.namespaces or (namespace,)))
                    holders.setdefault(key, []).append(np.array(pods, np.intp))
        for (term, mark), parts in holders.items():
            yield Held(term, mark, np.unique(np.concatenate(parts)))

    # Who is meant.

    def mark(self, term: PodTerm, pod: int) -> Mark:
        """Whom ``term``, carried by ``pod``, is about; without namespaces it is about the pod's own."""
        return Mark(term.selector, term.namespaces or (self._namespace[self._session.snapshot.pods.group[pod]],))

    def is_meant(self, mark: Mark, pod: int) -> bool:
        """Whether ``pod`` is among those that ``mark`` is about."""
        return bool(self._hit(mark)[self._look_of[pod]])

    def held_about(self, pod: int) -> tuple[Held, ...]:
        """Terms of other pods, and of this one, that are about ``pod``."""
        look = int(self._look_of[pod])
        found = self._held_by_look.get(look)
        if found is None:
            found = self._held_by_look[look] = tuple(held for held in self.held if self._hit(held.mark)[look])
        return found

    def kind(self, pod: int) -> Hashable:
        """What makes terms about pods answer differently for two pods of one shape; None for one that none concerns."""
        look = int(self._look_of[pod])
        snapshot = self._session.snapshot
        carries = bool(snapshot.shapes[snapshot.pods.shape[pod]].pod_terms)
        if not carries and not self.held_about(pod):
            return None
        kind = self._kinds.get(look)
        if kind is None:
            hits = tuple(bool(self._hit(held.mark)[look]) for held in self.held)
            kind = self._kinds[look] = (self._looks[look][0], hits)
        return kind

    def _hit(self, mark: Mark) -> Flags:
        """(looks,): which looks ``mark`` is about."""
        found = self._hits.get(mark)
        if found is None:
            answers = (
                namespace in mark.namespaces and meets_all(mark.selector, labels) for namespace, labels in self._looks
            )
            found = self._hits[mark] = np.fromiter(answers, np.bool_, len(self._looks))
        return found

    # Where they lie.

    def meant(self, mark: Mark) -> Rows:
        """All pods that ``mark`` is about, wherever they are."""
        found = self._rows.get(mark)
        if found is None:
            found = self._rows[mark] = np.flatnonzero(self._hit(mark)[self._look_of])
        return found

    def present(self, pods: Rows) -> Rows:
        """Those of ``pods`` that lie on a node now."""
        return pods_present(self._session, pods)

    def in_domain(self, pods: Rows, topology_key: str) -> Ints:
        """How many of ``pods``, all of them present, lie in the domain of each node, (nodes,); 0 where it is in none."""
        codes, number = self._labels.column(topology_key)
        counts = np.bincount(codes[self._session.pod_node[pods]], minlength=len(number))
        if None in number:
            counts[number[None]] = 0
        spread: Ints = counts[codes]
        return spread

    def has_domain(self, topology_key: str) -> Flags:
        """Which nodes carry the label that tells domains apart, (nodes,)."""
        codes, number = self._labels.column(topology_key)
        flags: Flags = codes != number.get(None, -1)
        return flags


def pods_present(session: Session, pods: Rows) -> Rows:
    """Those of ``pods`` that lie on a node as things stand in the session; see the module for who counts."""
    here = _PRESENT[session.pod_phase[pods]]
    leaving = session.pod_phase[pods] == PodPhase.RELEASING
    here |= leaving & (session.snapshot.pods.phase[pods] == PodPhase.RELEASING)
    found: Rows = pods[here & (session.pod_node[pods] >= 0)]
    return found


def _namespace(group: str) -> str:
    """The namespace of a pod group named NAMESPACE/NAME."""
    namespace, slash, _ = group.partition("/")
    return namespace if slash else "default"
