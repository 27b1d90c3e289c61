"""Nodeorder: Kubernetes' ways of scoring a node, as Volcano's plugin ``nodeorder`` (v1.16 alpha) weighs them.

With q the share of a resource that would be in use, after the pod has come, of what a node has:

- *least requested*: the mean over cpu and memory of 100 × (1 − q), 0 for one that is over its limit;
- *most requested*: the mean of 100 × q, at most 100;
- *balanced resource*: 100 × (1 − standard deviation of q over cpu, memory and, if the pod asks for any, GPUs), q at most 1;
- *node affinity*: the sum of the weights of the preferred terms that the node meets;
- *taint toleration*: 100 × (1 − n ÷ most), n the ``PreferNoSchedule`` taints that the pod does not tolerate;
- *pod affinity*: the weights of wishes to be near pods, less those to be away, counted once for each pod that they are about
  in the node's domain, the pod's own wishes and those of others about it, put on a scale from 0 to 100.

A resource that a node has none of is left out of a mean.  A pod counts with what it asks for and nothing is assumed for one
that asks for nothing, and there is no rounding to whole numbers in between: the two differences from Kubernetes.  The last
two scales are taken over the nodes on which the pod may run, resources apart, so that the score of a node does not hang on
which others are asked about with it.

``imagelocality.weight``, ``podtopologyspread.weight`` and ``selectorspread.weight`` are known and without effect: which
images lie where, spread constraints and services are not among the things that the scheduler is told.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skyedge.layers.scheduler.columns import CPU, MEMORY, Flags, Ints, Rows
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

WEIGHTS = {
    "leastrequested.weight": 1.0,
    "mostrequested.weight": 0.0,
    "nodeaffinity.weight": 2.0,
    "podaffinity.weight": 2.0,
    "balancedresource.weight": 1.0,
    "tainttoleration.weight": 3.0,
    "imagelocality.weight": 1.0,
    "podtopologyspread.weight": 2.0,
    "selectorspread.weight": 0.0,
}
"""Arguments and what they are if not given."""

GPU = "nvidia.com/gpu"
"""The one resource beside cpu and memory that Volcano has balanced."""


class NodeOrder(Plugin):
    """Scores nodes by the sum of weighted scores; arguments as in ``WEIGHTS``."""

    name: ClassVar[str] = "nodeorder"
    known_arguments: ClassVar[tuple[str, ...]] = tuple(WEIGHTS)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        weights = {key: self.number(key, default) for key, default in WEIGHTS.items()}
        self._least, self._most = weights["leastrequested.weight"], weights["mostrequested.weight"]
        self._balanced = weights["balancedresource.weight"]
        self._node_affinity, self._pod_affinity = weights["nodeaffinity.weight"], weights["podaffinity.weight"]
        self._taints = weights["tainttoleration.weight"]
        # Fuller nodes stay best until they are full; emptier and better balanced ones do not.
        self.packs = self._least == 0 and self._balanced == 0 and self._most >= 0

    def open(self, session: Session) -> None:
        """Lay out what nodes have, and find out whether pods have wishes about each other."""
        super().open(session)
        snapshot = session.snapshot
        self._has: Ints = np.ascontiguousarray(snapshot.nodes.allocatable.T)
        self._all_have = bool((self._has[[CPU, MEMORY]] > 0).all())
        self._gpu = snapshot.resources.index(GPU) if GPU in snapshot.resources else None
        wishes = any(term.weight is not None for shape in snapshot.shapes for term in shape.pod_terms)
        self.looks_beyond_shapes = bool(self._pod_affinity) and wishes
        self._lasting: dict[Hashable, Floats | None] = {}
        self._allowed: dict[Hashable, Flags] = {}

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """The weighted sum of the scores, added up in the order in which the module names them, (nodes,)."""
        session = self.session
        shape = int(session.snapshot.pods.shape[pod])
        request = session.request[shape]
        total: Floats = np.zeros(len(nodes))
        rows = [CPU, MEMORY]
        if self._gpu is not None and request[self._gpu]:
            rows.append(self._gpu)
        if self._least or self._most or self._balanced:
            has = [self._has[row, nodes] for row in rows]
            shares = [self._share(row, int(request[row]), nodes, of) for row, of in zip(rows, has, strict=True)]
            # Where every node has cpu and memory, as machines have, no mean needs to leave anything out.
            there = None if self._all_have and len(rows) == 2 else [of > 0 for of in has]
            if self._least:
                total += _mean([np.maximum(1.0 - q, 0.0) for q in shares[:2]], there) * 100.0 * self._least
            if self._most:
                total += _mean([np.minimum(q, 1.0) for q in shares[:2]], there) * 100.0 * self._most
            if self._balanced and not session.pod_is_best_effort[pod]:
                deviation = _deviation([np.minimum(q, 1.0) for q in shares], there)
                total += (1.0 - deviation) * 100.0 * self._balanced
        lasting = self._lasting_score(pod, shape)
        if lasting is not None:
            total += lasting[nodes]
        if self.looks_beyond_shapes and self._has_wishes(pod):
            total += self._wish_score(pod)[nodes]
        return total

    def _share(self, resource: int, need: int, nodes: Rows, has: Ints) -> Floats:
        """The share that would be in use, 0 where the node has none of the resource, (nodes,)."""
        used = has - self.session.idle[resource, nodes] + need
        share: Floats = used / np.maximum(has, 1)
        if not self._all_have:
            share[has <= 0] = 0.0
        return share

    # What does not change in a cycle.

    def _lasting_score(self, pod: int, shape: int) -> Floats | None:
        """Node affinity and taints for a kind of pod, (all nodes,); None if there is nothing to tell nodes apart by."""
        kind = self.session.points.kind(pod)
        if kind not in self._lasting:
            parts = [part for part in (self._affinity_score(shape), self._taint_score(pod, shape)) if part is not None]
            self._lasting[kind] = sum(parts[1:], parts[0]) if parts else None
        return self._lasting[kind]

    def _affinity_score(self, shape: int) -> Floats | None:
        snapshot = self.session.snapshot
        preferred = snapshot.shapes[shape].preferred
        if not preferred or not self._node_affinity:
            return None
        score: Floats = np.zeros(len(snapshot.nodes))
        for weight, term in preferred:
            if term:  # an empty preference stands for no node
                score += snapshot.nodes.label_index.where_all(term) * (weight * self._node_affinity)
        return score

    def _taint_score(self, pod: int, shape: int) -> Floats | None:
        snapshot = self.session.snapshot
        taints = snapshot.nodes.taint_index
        if not taints or not self._taints:
            return None
        counts = taints.discouraging(snapshot.shapes[shape].tolerations)
        most = int(counts[self._may_run(pod)].max(initial=0))
        # Nodes on which the pod may not run are never asked about and may lie beyond the scale.
        return (1.0 - counts / most) * (100.0 * self._taints) if most else None

    def _may_run(self, pod: int) -> Flags:
        kind = self.session.points.kind(pod)
        flags = self._allowed.get(kind)
        if flags is None:
            flags = self._allowed[kind] = self.session.points.allowed(pod)
        return flags

    # Wishes about other pods.

    def distinguishes(self, pod: int) -> Hashable:
        """Which terms about pods concern it."""
        return self.session.neighbours.kind(pod)

    def volatile(self, pod: int) -> bool:
        """A placement anywhere may make a whole domain more welcome, and shifts the scale."""
        return self._has_wishes(pod)

    def _has_wishes(self, pod: int) -> bool:
        snapshot = self.session.snapshot
        own = snapshot.shapes[snapshot.pods.shape[pod]].pod_terms
        if any(term.weight is not None for term in own):
            return True
        return any(held.term.weight is not None for held in self.session.neighbours.held_about(pod))

    def _wish_score(self, pod: int) -> Floats:
        """From 0 for the least welcome node on which the pod may run to 100 × weight for the most, (all nodes,)."""
        snapshot, neighbours = self.session.snapshot, self.session.neighbours
        raw: Ints = np.zeros(len(snapshot.nodes), np.int64)
        for term in snapshot.shapes[snapshot.pods.shape[pod]].pod_terms:
            if term.weight is not None:
                meant = neighbours.present(neighbours.meant(neighbours.mark(term, pod)))
                raw += neighbours.in_domain(meant, term.topology_key) * (-term.weight if term.away else term.weight)
        for held in neighbours.held_about(pod):
            weight = held.term.weight
            if weight is not None:
                holders = neighbours.present(held.holders[held.holders != pod])
                raw += neighbours.in_domain(holders, held.term.topology_key) * (-weight if held.term.away else weight)
        welcome = raw[self._may_run(pod)]
        if not len(welcome) or welcome.min() == welcome.max():
            return np.zeros(len(raw))
        least, most = int(welcome.min()), int(welcome.max())
        score: Floats = (raw - least) / (most - least) * (100.0 * self._pod_affinity)
        return score


def _mean(values: list[Floats], there: list[Flags] | None) -> Floats:
    """The mean of two columns, of one where the node has nothing of the other, 0 where it has neither."""
    if there is None:
        return (values[0] + values[1]) / 2.0
    first, second = (np.where(has, value, 0.0) for value, has in zip(values, there, strict=False))
    many = there[0].astype(np.float64) + there[1]
    mean: Floats = (first + second) / np.maximum(many, 1.0)
    return mean


def _deviation(values: list[Floats], there: list[Flags] | None) -> Floats:
    """The standard deviation over the columns that the node has anything of, 0 for fewer than two."""
    if there is None:
        apart: Floats = np.abs(values[0] - values[1]) / 2.0
        return apart
    many = np.maximum(sum(has.astype(np.float64) for has in there), 1.0)
    mean = sum(np.where(has, value, 0.0) for value, has in zip(values, there, strict=True)) / many
    squares = sum(np.where(has, (value - mean) * (value - mean), 0.0) for value, has in zip(values, there, strict=True))
    deviation: Floats = np.sqrt(squares / many)
    return deviation
