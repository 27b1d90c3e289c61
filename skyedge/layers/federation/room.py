"""How many replicas fit on each cluster, estimated from its nodes.

A node takes as many replicas as the scarcest of its resources allows, if the replica may run there at all; a cluster takes
what its nodes take (Karmada's accurate estimator asks each cluster to do the same sum).  Each estimate is for one workload
by itself.

What workloads ask for repeats itself.  So each distinct amount of a resource is divided once, each distinct request is
summed once over runs of nodes of one class, and selectors and taints only say which runs count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.federation.nodes import NodeClass, Nodes
from skyedge.layers.federation.objects import PODS
from skyedge.layers.federation.webster import Counts, Figures, Flags
from skyedge.layers.scheduler.labels import NO_SCHEDULE, meets_all, tolerates
from skyedge.layers.scheduler.objects import THOUSANDTHS, Amounts, PodShape, Term, Toleration

UNLIMITED = (1 << 31) - 1
"""Room without end, and the most that is told apart: Karmada's ``MaxInt32``."""

ROWS_AT_ONCE = 1 << 14
"""Of nodes: their quotients stay in the cache."""

SPARE = 64
"""Flavours that there is always space for at first."""

ARCHITECTURE = "kubernetes.io/arch"

Request = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Habitat:
    """On which nodes a replica may run."""

    node_selector: tuple[tuple[str, str], ...] = ()
    node_terms: tuple[Term, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    architectures: tuple[str, ...] = ()

    def admits(self, nodes: NodeClass) -> bool:
        """Whether nodes of this class will do."""
        labels = dict(nodes.labels)
        return (
            all(labels.get(key) == value for key, value in self.node_selector)
            and (not self.node_terms or any(term and meets_all(term, labels) for term in self.node_terms))
            and (not self.architectures or labels.get(ARCHITECTURE) in self.architectures)
            and all(taint.effect not in NO_SCHEDULE or tolerates(self.tolerations, taint) for taint in nodes.taints)
        )


@dataclass(frozen=True)
class Flavour:
    """All of a replica that its room depends on: what it asks for, a pod's place included, and where it may run."""

    request: Request
    habitat: Habitat


def flavour_of(shape: PodShape) -> Flavour:
    """The flavour of a shape.  Nearness to other pods has no part in an estimate, as in Karmada.

    Raises:
        InputError: if the shape asks for shares of GPUs, of which a federation knows nothing.
    """
    if shape.device_count:
        raise InputError("a federation estimates room for whole GPUs, asked for by the name of the resource, not for shares")
    amounts = dict(shape.request)
    amounts[PODS] = amounts.get(PODS, 0) + THOUSANDTHS
    request = tuple(sorted((name, amount) for name, amount in amounts.items() if amount > 0))
    return Flavour(request, Habitat(shape.node_selector, shape.node_terms, shape.tolerations, shape.architectures))


def fits_on_node(free: Amounts, request: Request) -> int:
    """How many replicas fit on one node that they may run on; :data:`UNLIMITED` if nothing limits them."""
    limits = [max(0, free.get(name, 0)) // amount for name, amount in request if not (name == PODS and name not in free)]
    return min(limits, default=UNLIMITED)


def fits_by_run(nodes: Nodes, requests: Sequence[Request]) -> Figures:
    """How many replicas of each request fit on the nodes of each run, (requests, runs); infinite without a limit."""
    sums = np.zeros((len(requests), len(nodes.run_start)))
    bounds = np.append(nodes.run_start, nodes.rows)
    plan = _by_varied_amount(requests)
    first = 0
    while first < len(nodes.run_start):
        last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + ROWS_AT_ONCE, side="right")) - 1)
        block = _Block(nodes, slice(int(bounds[first]), int(bounds[last])))
        starts = nodes.run_start[first:last] - bounds[first]
        for varied, mine in plan.items():
            limit = block.quotient(*varied)
            for number, others in mine:
                np.add.reduceat(block.fits(limit, others), starts, out=sums[number, first:last])
        first = last
    return sums


def _by_varied_amount(requests: Sequence[Request]) -> dict[tuple[str, int], list[tuple[int, Request]]]:
    """Requests by their amount of that resource of which there are most distinct ones, each with the rest of what it asks.

    Quotients by that one are used and thrown away; those by the others are few, and fit the cache all together.
    """
    amounts: dict[str, set[int]] = {}
    for request in requests:
        for name, amount in request:
            amounts.setdefault(name, set()).add(amount)
    varied = max(sorted(amounts), key=lambda name: len(amounts[name]), default=PODS)
    plan: dict[tuple[str, int], list[tuple[int, Request]]] = {}
    for number, request in enumerate(requests):
        amount = dict(request).get(varied, 0)
        others = tuple(one for one in request if one[0] != varied)
        plan.setdefault((varied, amount), []).append((number, others))
    return dict(sorted(plan.items()))


class _Block:
    """Some rows of nodes, few enough for the cache."""

    def __init__(self, nodes: Nodes, rows: slice) -> None:
        self._nodes, self._rows = nodes, rows
        self._count = None if nodes.count is None else nodes.count[rows]
        self._quotient, self._least = np.empty((2, rows.stop - rows.start))
        self._known: dict[Request, Figures | None] = {}

    def quotient(self, name: str, amount: int) -> Figures | None:
        """How often an amount goes into what is free; None where that sets no limit.  Valid until the next one."""
        if not amount or (name == PODS and PODS not in self._nodes.free):
            return None
        np.divide(self._nodes.amounts(name, self._rows), amount, out=self._quotient)
        return np.floor(self._quotient, out=self._quotient)

    def fits(self, limit: Figures | None, others: Request) -> Figures:
        """Replicas that fit on each row, by one limit and all the others."""
        if others not in self._known:
            self._known[others] = self._least_quotient(others)
        rest = self._known[others]
        if limit is None and rest is None:
            return np.full(len(self._least), np.inf)
        if limit is not None and rest is not None:
            fits = np.minimum(limit, rest, out=self._least)
        else:
            fits = self._least
            fits[:] = limit if rest is None else rest
        return fits if self._count is None else np.multiply(fits, self._count, out=fits)

    def _least_quotient(self, request: Request) -> Figures | None:
        """By several limits; None if none of them is one."""
        least: Figures | None = None
        for name, amount in request:
            if name != PODS or PODS in self._nodes.free:
                quotient = self._nodes.amounts(name, self._rows) / amount
                least = quotient if least is None else np.minimum(least, quotient, out=least)
        return None if least is None else np.floor(least, out=least)


class Room:
    """The room for each flavour, remembered, so that a workload of a known one costs nothing.

    Args:
        nodes: of all clusters.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self._places: dict[Flavour, int] = {}
        self._table: Counts = np.zeros((0, nodes.clusters), np.int64)
        self._fits: dict[Request, Figures] = {}
        self._admitted: dict[Habitat, Flags] = {}

    def __len__(self) -> int:
        """How many flavours are known."""
        return len(self._places)

    @property
    def table(self) -> Counts:
        """Replicas that fit, up to :data:`UNLIMITED`, (flavours known, clusters)."""
        return self._table[: len(self._places)]

    def places(self, flavours: Sequence[Flavour]) -> list[int]:
        """The row of each flavour in :attr:`table`; new ones are estimated, all together."""
        new = list(dict.fromkeys(flavour for flavour in flavours if flavour not in self._places))
        if new:
            needed = len(self._places) + len(new)
            if needed > len(self._table):
                # With space for those to come, so that one more seldom moves the others.
                grown = np.zeros((2 * needed + SPARE, self.nodes.clusters), np.int64)
                grown[: len(self._table)] = self._table
                self._table = grown
            self._table[len(self._places) : needed] = self._estimate(new)
            for flavour in new:
                self._places[flavour] = len(self._places)
        return [self._places[flavour] for flavour in flavours]

    def of(self, flavours: Sequence[Flavour]) -> Counts:
        """The room for each flavour, (flavours, clusters)."""
        places = self.places(flavours)
        return self._table[places]

    def update(self, nodes: Nodes, cluster: int) -> None:
        """The nodes of one cluster have changed, and those of no other."""
        self.nodes = nodes
        self._fits.clear()
        self._admitted.clear()
        rows = nodes.rows_of(cluster)
        first, last = np.searchsorted(nodes.run_cluster, [cluster, cluster + 1])
        mine = Nodes(
            1,
            {name: column[rows] for name, column in nodes.free.items()},
            None if nodes.count is None else nodes.count[rows],
            nodes.run_start[first:last] - rows.start,
            np.zeros(last - first, np.intp),
            nodes.run_class[first:last],
            nodes.classes,
            rows.stop - rows.start,
        )
        self._table[: len(self._places), cluster] = Room(mine)._estimate(list(self._places))[:, 0]

    def _estimate(self, flavours: Sequence[Flavour]) -> Counts:
        """Replicas that fit, (flavours, clusters)."""
        nodes = self.nodes
        room = np.zeros((len(flavours), nodes.clusters), np.int64)
        if not nodes.rows:
            return room
        new = list(dict.fromkeys(flavour.request for flavour in flavours if flavour.request not in self._fits))
        self._fits.update(zip(new, fits_by_run(nodes, new), strict=True))
        first_run = np.flatnonzero(np.diff(nodes.run_cluster, prepend=-1))
        with_nodes = nodes.run_cluster[first_run]
        for number, flavour in enumerate(flavours):
            admitted = self._admitted.get(flavour.habitat)
            if admitted is None:
                classes = np.array([flavour.habitat.admits(one) for one in nodes.classes], np.bool_)
                admitted = self._admitted[flavour.habitat] = classes[nodes.run_class]
            fits = np.where(admitted, self._fits[flavour.request], 0.0)
            room[number, with_nodes] = np.minimum(np.add.reduceat(fits, first_run), UNLIMITED)
        return room
