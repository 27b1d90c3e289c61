"""Task-topology: roles of a job that should share a node, or should not (Volcano's plugin ``task-topology``, v1.16 alpha).

A pod group says it by annotations, roles with commas between them and lists with semicolons:

    volcano.sh/task-topology-affinity: "ps,worker;evaluator"      ps near worker; evaluators near each other
    volcano.sh/task-topology-anti-affinity: "ps"                  no two ps together
    volcano.sh/task-topology-task-order: "ps,worker"              ps first

The pods of such a job are dealt, when the cycle opens, into *buckets* of pods that should share a node: pods that run make
a bucket for each node; each of the others joins the bucket that it has most affinity to (one for each pod there that it
should be near, minus one for each that it should not), the least loaded of equal ones, or opens a new one if all of them
repel it.  Pods of the largest bucket are placed first.

A node is worth, for a pod of a bucket, the bucket's pods that lie there, less the job's pods there that it should be away
from, plus the bucket's pods still to be placed, this one among them, as far as they would fit there together (the last of
them by (age, name) are left out first); times ``task-topology.weight`` × 100 ÷ the size of the job's largest bucket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.columns import Ints, Rows
from skyedge.layers.scheduler.neighbours import pods_present
from skyedge.layers.scheduler.objects import PodPhase, is_bytes
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

AFFINITY = "volcano.sh/task-topology-affinity"
ANTI_AFFINITY = "volcano.sh/task-topology-anti-affinity"
TASK_ORDER = "volcano.sh/task-topology-task-order"

IMPORTANCE = {"self away": 4, "near": 3, "self near": 2, "away": 1}
"""Which roles are dealt first if no order is given: those with most to say about where they go."""

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Topology:
    """What a job says about its roles; pairs are there both ways round, and a role with itself is one of them."""

    near: frozenset[tuple[str, str]]
    away: frozenset[tuple[str, str]]
    rank: Mapping[str, tuple[int, int]]
    """For each role that has anything said about it: what sorts it, smaller first."""

    def affinity(self, role: str, others: Mapping[str, int]) -> int:
        """How many of the ``others`` ``role`` should be near, less those that it should be away from."""
        return sum(many * (((role, other) in self.near) - ((role, other) in self.away)) for other, many in others.items())


@dataclass
class Bucket:
    """Pods that should share a node."""

    number: int
    pods: list[int] = field(default_factory=list)
    roles: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    load: float = 0.0
    """Of those that wait: milli-cores, mebibytes and thousandths of other resources, added up."""


def read_topology(annotations: Mapping[str, str], roles: set[str], where: str) -> Topology | None:
    """What the annotations of a pod group say, or None if they say nothing.

    Raises:
        InputError: for a role that the job does not have, or one that stands twice in a list.
    """
    if not any(key in annotations for key in (AFFINITY, ANTI_AFFINITY, TASK_ORDER)):
        return None
    importance: dict[str, int] = {}
    pairs: dict[str, set[tuple[str, str]]] = {AFFINITY: set(), ANTI_AFFINITY: set()}
    for key, alone, together in ((AFFINITY, "self near", "near"), (ANTI_AFFINITY, "self away", "away")):
        for listed in _lists(annotations.get(key, ""), roles, key, where):
            for role in listed:
                kind = IMPORTANCE[together if len(listed) > 1 else alone]
                importance[role] = max(importance.get(role, 0), kind)
                pairs[key].update((role, other) for other in listed if other != role or len(listed) == 1)
    ordered = next(iter(_lists(annotations.get(TASK_ORDER, ""), roles, TASK_ORDER, where)), [])
    place = {role: number for number, role in enumerate(ordered)}
    rank = {role: (place.get(role, len(place)), -importance[role]) for role in importance}
    return Topology(frozenset(pairs[AFFINITY]), frozenset(pairs[ANTI_AFFINITY]), rank)


def _lists(said: str, roles: set[str], key: str, where: str) -> list[list[str]]:
    lists = [[role.strip() for role in part.split(",") if role.strip()] for part in said.split(";")]
    for listed in lists:
        for role in listed:
            if role not in roles:
                raise InputError(f"{key}: the job has no role '{role}'", where=where, nearest=nearest(role, roles))
            if listed.count(role) > 1:
                raise InputError(f"{key}: the role '{role}' stands twice in a list", where=where)
    return [listed for listed in lists if listed]


class TaskTopology(Plugin):
    """Keeps roles of a job together or apart.  Argument: ``task-topology.weight`` (1)."""

    name: ClassVar[str] = "task-topology"
    known_arguments: ClassVar[tuple[str, ...]] = ("task-topology.weight",)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._weight = self.number("task-topology.weight", 1)

    def open(self, session: Session) -> None:
        """Deal the pods of jobs that say something about their roles into buckets."""
        super().open(session)
        self._topology: dict[int, Topology] = {}
        self._largest: dict[int, int] = {}
        self._bucket: dict[int, Bucket] = {}
        self._turn: dict[int, int] = {}
        for group, said in enumerate(session.snapshot.groups.annotations):
            if any(key in said for key in (AFFINITY, ANTI_AFFINITY, TASK_ORDER)):
                self._deal(group, said)
        self.looks_beyond_shapes = bool(self._topology)
        self.packs = not self._topology

    def _deal(self, group: int, annotations: Mapping[str, str]) -> None:
        session, pods = self.session, self.session.snapshot.pods
        members = session.members(group)
        pending = members[session.pod_phase[members] == PodPhase.PENDING]
        where = f"pod group '{session.snapshot.groups.names[group]}'"
        topology = read_topology(annotations, {pods.role[pod] for pod in members.tolist()}, where)
        if topology is None or not len(pending):
            return
        self._topology[group] = topology
        node_of = session.pod_node
        there = [*pods_present(session, members).tolist(), *pending.tolist()]
        dealt = [pod for pod in there if pods.role[pod] in topology.rank]
        dealt.sort(key=lambda pod: (node_of[pod] < 0, int(node_of[pod]), topology.rank[pods.role[pod]], pod))
        buckets: list[Bucket] = []
        by_node: dict[int, Bucket] = {}
        for pod in dealt:
            role, node = pods.role[pod], int(node_of[pod])
            chosen = by_node.get(node) if node >= 0 else self._best(topology, role, buckets)
            if chosen is None:
                chosen = Bucket(len(buckets))
                buckets.append(chosen)
                if node >= 0:
                    by_node[node] = chosen
            chosen.pods.append(pod)
            chosen.roles[role] += 1
            self._bucket[pod] = chosen
            if node < 0:
                chosen.waiting += 1
                chosen.load += self._load(pod)
        self._largest[group] = max((len(bucket.pods) for bucket in buckets), default=1)
        buckets.sort(key=lambda bucket: -bucket.waiting)  # equal ones stay in the order in which they were opened
        turns = [pod for bucket in buckets for pod in bucket.pods]
        self._turn.update({pod: turn for turn, pod in enumerate(turns)})
        for bucket in buckets:
            bucket.pods.sort()

    @staticmethod
    def _best(topology: Topology, role: str, buckets: list[Bucket]) -> Bucket | None:
        if not buckets:
            return None
        affinity, best = max(
            ((topology.affinity(role, bucket.roles), bucket) for bucket in buckets),
            key=lambda pair: (pair[0], -pair[1].load),
        )
        return best if affinity >= 0 else None

    def _load(self, pod: int) -> float:
        snapshot = self.session.snapshot
        request = snapshot.shapes[snapshot.pods.shape[pod]].request
        return float(sum(amount / MEBIBYTE if is_bytes(resource) else amount for resource, amount in request))

    # Order.

    def task_order(self, pods: Rows) -> Floats:
        """Buckets with most pods that wait first, and the important roles first within them; other pods last."""
        last = len(self.session.snapshot.pods)
        return np.fromiter((self._turn.get(pod, last) for pod in pods.tolist()), np.float64, len(pods))

    # Nodes.

    def distinguishes(self, pod: int) -> Hashable:
        """The job, the bucket and the role."""
        bucket, pods = self._bucket.get(pod), self.session.snapshot.pods
        return None if bucket is None else (int(pods.group[pod]), bucket.number, pods.role[pod])

    def volatile(self, pod: int) -> bool:
        """When a mate has been placed, fewer are left to fit, on whatever node."""
        return pod in self._bucket

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """How many of the bucket's pods each node holds and could hold, (nodes,)."""
        bucket = self._bucket.get(pod)
        if bucket is None:
            return np.zeros(len(nodes))
        session, snapshot = self.session, self.session.snapshot
        group, many = int(snapshot.pods.group[pod]), len(snapshot.nodes)
        topology, role = self._topology[group], snapshot.pods.role[pod]
        mates = pods_present(session, np.array(bucket.pods, np.intp))
        points = np.bincount(session.pod_node[mates], minlength=many)[nodes]
        foes = [
            other
            for other in pods_present(session, session.members(group)).tolist()
            if (role, snapshot.pods.role[other]) in topology.away
        ]
        if foes:
            points = points - np.bincount(session.pod_node[foes], minlength=many)[nodes]
        points = points + self._fitting(pod, bucket, nodes)
        score: Floats = points * (self._weight * 100.0) / self._largest[group]
        return score

    def _fitting(self, pod: int, bucket: Bucket, nodes: Rows) -> Ints:
        """How many of the bucket's pods that wait, ``pod`` among them, fit each node together, (nodes,); at least 1."""
        session = self.session
        rows = np.array(bucket.pods, np.intp)
        mates = rows[(session.pod_phase[rows] == PodPhase.PENDING) & (rows != pod)]
        requests = session.request[session.snapshot.pods.shape[np.concatenate(([pod], mates))]]
        together = np.cumsum(requests, axis=0)  # (1 + mates, resources): of the pod, and of it with the first mates
        room = session.idle[:, nodes] + session.releasing[:, nodes]
        fitting = np.full(len(nodes), len(together), np.int64)
        for resource in np.flatnonzero(together[-1]):
            fitting = np.minimum(fitting, np.searchsorted(together[:, resource], room[resource], side="right"))
        return np.maximum(fitting, 1)
