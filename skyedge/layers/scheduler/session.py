"""One cycle of the scheduler: the accounts as they would be if all that was decided so far came true.

Decisions are tried and taken back many times in a cycle (a gang that does not fit, an eviction that does not help), so
every change goes through :meth:`Session.apply`, which also knows how to undo itself, and is kept in a log until it is
committed.  Accounts by resource are laid out (resources, nodes), for the scheduler mostly asks one resource of many nodes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from skyedge.layers.scheduler.columns import PODS, Flags, Ints, Rows, Snapshot
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.neighbours import Neighbours
from skyedge.layers.scheduler.objects import GroupPhase, PodPhase
from skyedge.layers.scheduler.points import Points
from skyedge.layers.scheduler.ranking import Rankings

OCCUPYING = (PodPhase.BOUND, PodPhase.RUNNING, PodPhase.ALLOCATED)
"""Phases in which a pod holds its place for good."""


class Operation(IntEnum):
    """What can happen to pods in a cycle."""

    ALLOCATE = 0
    PIPELINE = 1
    EVICT = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log: pods of one group and shape, and how many of them, in order, go to which node."""

    operation: Operation
    pods: Rows
    nodes: Rows
    counts: Rows


_AFTER = {
    Operation.ALLOCATE: PodPhase.ALLOCATED,
    Operation.PIPELINE: PodPhase.PIPELINED,
    Operation.EVICT: PodPhase.RELEASING,
}


class Session:
    """The accounts of one cycle.

    Args:
        snapshot: what is; it is not changed.
        configuration: who decides.
    """

    def __init__(self, snapshot: Snapshot, configuration: Configuration) -> None:
        self.snapshot = snapshot
        self.configuration = configuration
        self.request = snapshot.request
        self._admission = "enqueue" in configuration.actions
        self._open_accounts()
        self.log: list[Change] = []
        self.committed: list[Change] = []
        self.version = 0
        self.touched_at = np.zeros(len(snapshot.nodes), np.int64)
        self.devices_of: dict[int, list[int]] = {}
        self.refused: dict[int, list[tuple[str, int]]] = {}
        """For each group: pairs of a cause ('queue', 'nodes', 'valid' …) and a pod that it befell."""
        self.points = Points(configuration, self)
        self.rankings = Rankings(self)

    def _open_accounts(self) -> None:
        snapshot, pods, groups = self.snapshot, self.snapshot.pods, self.snapshot.groups
        resources, nodes = len(snapshot.resources), len(snapshot.nodes)
        self.pod_phase = pods.phase.copy()
        self.pod_node = pods.node.copy()
        self.group_phase = groups.phase.copy()
        needs = self.request[pods.shape] if len(pods) else np.zeros((0, resources), np.int64)
        request_beside_slot = self.request.copy()
        request_beside_slot[:, PODS] = 0
        devices = np.fromiter((shape.device_count for shape in snapshot.shapes), np.int64, len(snapshot.shapes))
        best_effort = ~request_beside_slot.any(axis=1) & (devices == 0)
        self.pod_is_best_effort: Flags = best_effort[pods.shape] if len(pods) else np.zeros(0, np.bool_)

        on_node = (pods.node >= 0) & np.isin(pods.phase, (*OCCUPYING, PodPhase.RELEASING))
        occupying = np.isin(pods.phase, OCCUPYING)
        leaving = pods.phase == PodPhase.RELEASING
        self.idle = np.ascontiguousarray(snapshot.nodes.allocatable.T) - _sum_by(pods.node, needs, on_node, nodes)
        self.releasing = _sum_by(pods.node, needs, on_node & leaving, nodes)
        self.pipelined = np.zeros((resources, nodes), np.int64)
        self.releases = bool(leaving.any())
        self.reserves = False
        self.total: Ints = snapshot.nodes.allocatable.sum(axis=0)

        self.group_allocated = np.ascontiguousarray(_sum_by(pods.group, needs, occupying, len(groups)).T)
        queue_of_pod = groups.queue[pods.group] if len(pods) else pods.group
        self.queue_allocated = np.ascontiguousarray(_sum_by(queue_of_pod, needs, occupying, len(snapshot.queues)).T)
        asking = occupying | (pods.phase == PodPhase.PENDING)
        self.queue_request = np.ascontiguousarray(_sum_by(queue_of_pod, needs, asking, len(snapshot.queues)).T)
        self.occupied = np.bincount(
            pods.group[occupying | (pods.phase == PodPhase.SUCCEEDED)], minlength=len(groups)
        ).tolist()
        self.waiting = [0] * len(groups)
        alive = np.isin(pods.phase, (*OCCUPYING, PodPhase.PENDING, PodPhase.SUCCEEDED))
        self.alive = np.bincount(pods.group[alive], minlength=len(groups)).tolist()
        pending = pods.phase == PodPhase.PENDING
        self.pending_best_effort = np.bincount(pods.group[pending & self.pod_is_best_effort], minlength=len(groups)).tolist()
        self.pods_of_group = np.argsort(pods.group, kind="stable")
        self._first_of_group = np.searchsorted(pods.group[self.pods_of_group], np.arange(len(groups) + 1))
        self.role_occupied: dict[int, Counter[str]] = {}
        self.role_waiting: dict[int, Counter[str]] = {}
        for group, roles in enumerate(groups.min_task_member):
            if roles:
                members = self.members(group)
                held = members[np.isin(pods.phase[members], (*OCCUPYING, PodPhase.SUCCEEDED))]
                self.role_occupied[group] = Counter(pods.role[pod] for pod in held)
                self.role_waiting[group] = Counter()
        self._open_devices(on_node)
        self.open_queue_admission()

    def _open_devices(self, on_node: Flags) -> None:
        """Running pods hold the devices that they are said to, else the fullest that have room for them."""
        pods = self.snapshot.pods
        self.devices_free = self.snapshot.nodes.devices.copy()
        self.has_devices = self.devices_free.size > 0
        if not self.has_devices:
            return
        unsaid = on_node.copy()
        if pods.devices:
            rows = np.fromiter(pods.devices, np.intp, len(pods.devices))
            many = [len(devices) if on else 0 for devices, on in zip(pods.devices.values(), on_node[rows], strict=True)]
            held = np.array([device for row, devices in pods.devices.items() if on_node[row] for device in devices], np.intp)
            milli = np.array([self.snapshot.shapes[shape].device_milli for shape in pods.shape[rows]], np.int64)
            np.subtract.at(self.devices_free, (pods.node[rows].repeat(many), np.array(held, np.intp)), milli.repeat(many))
            unsaid[rows] = False
        for pod in np.flatnonzero(unsaid):
            shape = self.snapshot.shapes[pods.shape[pod]]
            if not shape.device_count:
                continue
            free = self.devices_free[pods.node[pod]]
            roomy = np.flatnonzero(free >= shape.device_milli)
            chosen = roomy[np.argsort(free[roomy], kind="stable")][: shape.device_count]
            free[chosen] -= shape.device_milli

    def open_queue_admission(self) -> None:
        """What groups that have been let in hold back of their queue before their pods are placed."""
        groups = self.snapshot.groups
        elastic = np.maximum(self.group_allocated - groups.min_resources, 0)
        elastic[~groups.has_min_resources] = 0
        shape = (len(self.snapshot.queues), len(self.snapshot.resources))
        self.queue_elastic = np.zeros(shape, np.int64)
        np.add.at(self.queue_elastic, groups.queue, elastic)
        self.queue_inqueue = np.zeros(shape, np.int64)
        """What groups asked for when they were let in in this cycle."""

    # What the accounts say.

    @cached_property
    def neighbours(self) -> Neighbours:
        """Which pods lie near which nodes, for plugins that look at pods' terms about each other."""
        return Neighbours(self)

    def members(self, group: int) -> Rows:
        """All pods of ``group``, by (age, name)."""
        return self.pods_of_group[self._first_of_group[group] : self._first_of_group[group + 1]]

    def future_idle(self, nodes: Rows | slice = slice(None)) -> Ints:
        """(resources, nodes): what is idle when all evicted pods have left and all reserved ones have come."""
        return self.idle[:, nodes] + self.releasing[:, nodes] - self.pipelined[:, nodes]

    def idle_unreserved(self) -> Ints:
        """(resources, nodes): what is idle now and that no reservation counts on beside what is being released."""
        return np.minimum(self.idle, self.future_idle()) if self.reserves else self.idle

    def is_admitted(self, group: int) -> bool:
        """Whether the group has been let in."""
        return not self._admission or self.group_phase[group] != GroupPhase.PENDING

    def queue_of(self, pod: int) -> int:
        """The queue of a pod."""
        return int(self.snapshot.groups.queue[self.snapshot.pods.group[pod]])

    # What happens.

    def apply(self, change: Change, sign: int = 1) -> None:
        """Enter a change into the accounts, or with ``sign`` -1 take it out again."""
        pods, operation = self.snapshot.pods, change.operation
        some = int(change.pods[0])
        shape, group = int(pods.shape[some]), int(pods.group[some])
        request, many = self.request[shape], len(change.pods) * sign
        if operation is Operation.ALLOCATE:
            account, direction = self.idle, -sign
        else:
            account, direction = (self.pipelined if operation is Operation.PIPELINE else self.releasing), sign
        # No node is there twice.
        account[:, change.nodes] += (request * direction)[:, None] * change.counts
        self.version += 1
        self.touched_at[change.nodes] = self.version
        holds = -many if operation is Operation.EVICT else many
        self.group_allocated[group] += request * holds
        self.queue_allocated[self.snapshot.groups.queue[group]] += request * holds
        if operation is Operation.PIPELINE:
            self.waiting[group] += many
        else:
            self.occupied[group] += holds
        if operation is Operation.EVICT:
            self.alive[group] += holds
        if operation is not Operation.EVICT and self.pod_is_best_effort[some]:
            self.pending_best_effort[group] -= many
        if group in self.role_occupied:
            counts = self.role_waiting if operation is Operation.PIPELINE else self.role_occupied
            counts[group][pods.role[some]] += holds
        if self.snapshot.shapes[shape].device_count:
            self._move_devices(change, sign)
        if sign > 0:
            self.pod_phase[change.pods] = _AFTER[operation]
            if operation is not Operation.EVICT:
                self.pod_node[change.pods] = change.nodes.repeat(change.counts)
        else:
            self.pod_phase[change.pods] = pods.phase[change.pods]
            self.pod_node[change.pods] = pods.node[change.pods]
        self.releases |= operation is Operation.EVICT
        self.reserves |= operation is Operation.PIPELINE

    def _move_devices(self, change: Change, sign: int) -> None:
        if change.operation is not Operation.ALLOCATE:
            return  # what is being released or reserved is settled when it is free
        pod = int(change.pods[0])
        node, milli = int(change.nodes[0]), self.snapshot.shapes[self.snapshot.pods.shape[pod]].device_milli
        if sign > 0:
            self.devices_of[pod] = self.points.device_choice(pod, node)
        chosen = self.devices_of[pod] if sign > 0 else self.devices_of.pop(pod)
        self.devices_free[node, chosen] -= sign * milli

    def do(self, operation: Operation, pods: Rows, nodes: Sequence[int] | Rows, counts: Sequence[int] | Rows) -> None:
        """Apply a change and remember it."""
        change = Change(operation, pods, np.array(nodes, np.intp), np.array(counts, np.intp))
        self.apply(change)
        self.log.append(change)

    def rollback(self, mark: int) -> list[Change]:
        """Take back all that was done since the log was ``mark`` long; what was taken back, in order."""
        undone = self.log[mark:]
        for change in reversed(undone):
            self.apply(change, -1)
        del self.log[mark:]
        return undone

    def redo(self, changes: Sequence[Change]) -> None:
        """Do again what was taken back."""
        for change in changes:
            self.apply(change)
            self.log.append(change)

    def commit(self) -> None:
        """Make all that is in the log final."""
        self.committed += self.log
        self.log.clear()

    def set_aside(self) -> None:
        """Let what is in the log hold its place in this cycle without coming true (a gang that is pipelined)."""
        self.committed += [change for change in self.log if change.operation is Operation.PIPELINE]
        self.log.clear()

    def refuse(self, group: int, cause: str, pod: int) -> None:
        """Remember that ``pod`` of ``group`` was held up by ``cause``, to explain it later."""
        self.refused.setdefault(group, []).append((cause, pod))


def _sum_by(row: Rows, needs: Ints, counted: Flags, rows: int) -> Ints:
    """(resources, rows): sums of ``needs`` of the counted pods by the row that each belongs to.

    Exact as long as a sum stays below 2^53: half a million nodes of 16 GiB of memory each are.
    """
    chosen, of = row[counted], needs[counted]
    out = np.zeros((needs.shape[1], rows), np.int64)
    for resource in range(needs.shape[1]):
        if of[:, resource].any():
            out[resource] = np.bincount(chosen, weights=of[:, resource], minlength=rows)
    return out
