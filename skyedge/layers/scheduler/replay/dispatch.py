"""Who decides during a replay: pods one by one, or whole cycles of the scheduler.

Both are told what comes and goes, and say, when asked, which pods go where.  :class:`OneByOne` serves policies that only
have a say about nodes: first come, first served, any waiting pod that fits; it keeps one session for the whole replay.
:class:`Cycles` makes a snapshot of what is alive and runs the scheduler on it, with queues, gangs and preemption.

Pods and jobs are numbers; a job's pods follow one another, and jobs are in the order of (arrival, name).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.scheduler.columns import Groups, Pods, Snapshot
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.decision import schedule
from skyedge.layers.scheduler.objects import GroupPhase, Node, Pod, PodGroup, PodPhase, PodShape, Queue
from skyedge.layers.scheduler.packing import Packer
from skyedge.layers.scheduler.snapshot import take_snapshot

Rows = NDArray[np.intp]


class Placement(NamedTuple):
    """A pod, the row of its node (by name), and the devices of the node that it gets."""

    pod: int
    node: int
    devices: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """What was decided at one instant."""

    placed: list[Placement] = field(default_factory=list)
    evicted: list[int] = field(default_factory=list)
    unsettled: bool = False
    """Whether pods hold reservations on what is being released, so that another cycle should follow soon."""


class Dispatcher(Protocol):
    """Decides where pods go."""

    def admit(self, pods: Iterable[int]) -> None:
        """These pods wait from now on."""

    def withdraw(self, pods: Iterable[int]) -> None:
        """These wait no longer."""

    def free(self, pods: Iterable[int]) -> None:
        """These give back what they hold."""

    def started(self, job: int, now_s: float) -> None:
        """Enough of the job's pods hold their places: it runs."""

    def stopped(self, job: int) -> None:
        """It runs no more."""

    def decide(self, now_s: float) -> Step:
        """Place what can be placed."""


class OneByOne:
    """First come, first served, over all queues; a pod that does not fit does not hold up those behind it."""

    def __init__(self, nodes: Sequence[Node], shapes: Sequence[PodShape], configuration: Configuration) -> None:
        self._packer = Packer(nodes, shapes, configuration)
        self._shape = self._packer.session.snapshot.pods.shape.tolist()
        self._waiting: dict[int, list[int]] = {}  # a heap of pods for each shape
        self._withdrawn: set[int] = set()
        self._full: set[int] = set()
        """Shapes that have fitted nowhere since something was last given back."""

    def admit(self, pods: Iterable[int]) -> None:
        for pod in pods:
            if pod in self._withdrawn:
                self._withdrawn.discard(pod)  # it is still in its heap
            else:
                heapq.heappush(self._waiting.setdefault(self._shape[pod], []), pod)

    def withdraw(self, pods: Iterable[int]) -> None:
        self._withdrawn.update(pods)

    def free(self, pods: Iterable[int]) -> None:
        for pod in pods:
            self._packer.remove(pod)
        self._full.clear()

    def started(self, job: int, now_s: float) -> None:
        pass

    def stopped(self, job: int) -> None:
        pass

    def decide(self, now_s: float) -> Step:
        session = self._packer.session
        first = [(heap[0], shape) for shape, heap in self._waiting.items() if heap and shape not in self._full]
        heapq.heapify(first)
        placed = []
        while first:
            pod, shape = heapq.heappop(first)
            heap = self._waiting[shape]
            if pod in self._withdrawn:
                self._withdrawn.discard(pod)
            else:
                node = self._packer.place(pod)
                if node is None:
                    self._full.add(shape)
                    continue
                placed.append(Placement(pod, node, tuple(session.devices_of.get(pod, ()))))
            heapq.heappop(heap)
            if heap:
                heapq.heappush(first, (heap[0], shape))
        return Step(placed)


class Work(NamedTuple):
    """A job as a dispatcher must know it."""

    queue: str
    arrival_s: float
    min_member: int
    priority: int
    expected_s: float | None


class Cycles:
    """The scheduler itself: a snapshot of all that waits or runs, and one cycle of ``configuration`` on it.

    Args:
        works: the jobs, by (arrival, name); ``shapes``: of their pods; ``job``: which job each pod is of.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        shapes: Sequence[PodShape],
        job: Sequence[int],
        works: Sequence[Work],
        queues: Sequence[Queue],
        configuration: Configuration,
    ) -> None:
        self._configuration = configuration
        pods_of: dict[int, list[PodShape]] = {}
        for shape, of in zip(shapes, job, strict=True):
            pods_of.setdefault(of, []).append(shape)
        groups = [
            PodGroup(
                f"{number:08d}",
                work.queue,
                work.min_member,
                min_resources=_sum_of(pods_of[number][: work.min_member]),
                priority=work.priority,
                created_s=work.arrival_s,
                expected_s=work.expected_s,
            )
            for number, work in enumerate(works)
        ]
        pods = [
            Pod(f"{number:08d}", groups[of].name, shape, priority=works[of].priority, created_s=works[of].arrival_s)
            for number, (shape, of) in enumerate(zip(shapes, job, strict=True))
        ]
        self._whole: Snapshot = take_snapshot(nodes, pods, groups, queues)
        # What pods have and jobs do not, as arrays of objects, so that rows of them can be taken at once.
        self._pod_names = np.array(self._whole.pods.names, object)
        self._group_names = np.array(self._whole.groups.names, object)
        self._alive = np.zeros(len(pods), np.bool_)
        self._node = np.full(len(pods), -1, np.intp)
        self._devices: dict[int, tuple[int, ...]] = {}
        self._phase = self._whole.groups.phase.copy()
        self._started_s = self._whole.groups.started_s.copy()

    def admit(self, pods: Iterable[int]) -> None:
        self._alive[np.fromiter(pods, np.intp)] = True

    def withdraw(self, pods: Iterable[int]) -> None:
        self._alive[np.fromiter(pods, np.intp)] = False

    def free(self, pods: Iterable[int]) -> None:
        for pod in pods:
            self._alive[pod] = False
            self._node[pod] = -1
            self._devices.pop(pod, None)

    def started(self, job: int, now_s: float) -> None:
        self._started_s[job] = now_s

    def stopped(self, job: int) -> None:
        self._started_s[job] = np.nan
        self._phase[job] = GroupPhase.PENDING

    def decide(self, now_s: float) -> Step:
        rows = np.flatnonzero(self._alive)
        if not (self._node[rows] < 0).any():
            return Step()
        snapshot, groups = self._snapshot(rows, now_s)
        decision = schedule(snapshot, self._configuration)
        self._phase[groups] = decision.group_phase
        placed = []
        for row, node in zip(decision.bound_pods.tolist(), decision.bound_nodes.tolist(), strict=True):
            pod, devices = int(rows[row]), tuple(decision.devices.get(row, ()))
            self._node[pod] = node
            if devices:
                self._devices[pod] = devices
            placed.append(Placement(pod, node, devices))
        evicted = rows[decision.evicted_pods].tolist()
        # Only what was sent away gives room soon; a gang's workers may hold reservations on idle room for ever.
        return Step(placed, evicted, unsettled=bool(evicted) and len(decision.pipelined_pods) > 0)

    def _snapshot(self, rows: Rows, now_s: float) -> tuple[Snapshot, Rows]:
        """What is alive, and the jobs that it is of."""
        pods, of = self._whole.pods, self._whole.groups
        groups, group = np.unique(pods.group[rows], return_inverse=True)
        node = self._node[rows]
        runs = ~np.isnan(self._started_s[pods.group[rows]])
        many = len(rows)
        number = np.searchsorted(rows, np.fromiter(self._devices, np.intp, len(self._devices))).tolist()
        return (
            replace(
                self._whole,
                pods=Pods(
                    names=tuple(self._pod_names[rows]),
                    shape=pods.shape[rows],
                    group=group,
                    node=node,
                    phase=np.select([node < 0, runs], [PodPhase.PENDING, PodPhase.RUNNING], PodPhase.BOUND).astype(np.int8),
                    priority=pods.priority[rows],
                    created_s=pods.created_s[rows],
                    preemptable=pods.preemptable[rows],
                    may_preempt=pods.may_preempt[rows],
                    gated=pods.gated[rows],
                    system_critical=pods.system_critical[rows],
                    role=("",) * many,
                    labels=(None,) * many,
                    revocable_zone=("",) * many,
                    devices=dict(zip(number, self._devices.values(), strict=True)),
                ),
                groups=Groups(
                    names=tuple(self._group_names[groups]),
                    queue=of.queue[groups],
                    min_member=of.min_member[groups],
                    min_task_member=({},) * len(groups),
                    min_resources=of.min_resources[groups],
                    has_min_resources=of.has_min_resources[groups],
                    phase=self._phase[groups],
                    priority=of.priority[groups],
                    created_s=of.created_s[groups],
                    topology=(None,) * len(groups),
                    annotations=({},) * len(groups),
                    expected_s=of.expected_s[groups],
                    started_s=self._started_s[groups],
                ),
                now_s=now_s,
            ),
            groups,
        )


def _sum_of(shapes: Iterable[PodShape]) -> dict[str, int]:
    total: dict[str, int] = {}
    for shape in shapes:
        for resource, amount in shape.request:
            total[resource] = total.get(resource, 0) + amount
    return total
