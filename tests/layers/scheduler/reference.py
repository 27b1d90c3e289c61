"""The same rules as the scheduler's allocate action, one pod at a time, everything looked at anew for each pod.

Slow, and meant to be read: gang + DRF + proportion + predicates (selectors and taints) + binpack, on plain dictionaries.
It shares no code with the scheduler beside the objects that go in and the water-filling of proportion, which has tests of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from skyedge.layers.scheduler.columns import UNLIMITED
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodPhase, Queue
from skyedge.layers.scheduler.plugins.proportion import deserved_shares

SLOT = 1000


class Reference:
    """A cluster and its queues, as dictionaries by name."""

    def __init__(self, nodes: Sequence[Node], pods: Sequence[Pod], groups: Sequence[PodGroup], queues: Sequence[Queue]):
        self.nodes = {node.name: node for node in nodes}
        self.groups = {group.name: group for group in groups}
        self.queues = {queue.name: queue for queue in queues}
        self.pods = sorted(pods, key=lambda pod: (pod.created_s, pod.name))
        self.resources = sorted(
            {r for node in nodes for r in node.allocatable} | {r for p in pods for r, _ in p.shape.request}
        )
        self.used = dict.fromkeys(product(self.nodes, self.resources), 0)
        self.held_by_group = dict.fromkeys(product(self.groups, self.resources), 0)
        self.held_by_queue = dict.fromkeys(product(self.queues, self.resources), 0)
        self.placed: dict[str, str] = {}
        self.bound: dict[str, str] = {}
        self.total = {r: sum(node.allocatable.get(r, 0) for node in nodes) for r in self.resources}
        for pod in self.pods:
            if pod.node is not None:
                self._move(pod, pod.node, 1)
        self.deserved = self._deserved()

    def needs(self, pod: Pod) -> dict[str, int]:
        return {**dict(pod.shape.request), "pods": SLOT}

    def _deserved(self) -> dict[tuple[str, str], int]:
        names = sorted(self.queues)
        with_jobs = {group.queue for group in self.groups.values()}
        request = np.zeros((len(names), len(self.resources)))
        for pod in self.pods:
            for r, need in self.needs(pod).items():
                request[names.index(self.groups[pod.group].queue), self.resources.index(r)] += need
        capability = np.full(request.shape, UNLIMITED)
        for row, name in enumerate(names):
            for r, most in (self.queues[name].capability or {}).items():
                capability[row, self.resources.index(r)] = most
        weight = np.array([self.queues[name].weight if name in with_jobs else 0 for name in names])
        total = np.array([self.total[r] for r in self.resources])
        shares = deserved_shares(total, weight, request.astype(np.int64), capability, np.zeros(request.shape, np.int64))
        return {
            (name, r): int(np.floor(shares[row, column] + 0.1))
            for (row, name), (column, r) in product(enumerate(names), enumerate(self.resources))
        }

    def _move(self, pod: Pod, node: str, sign: int) -> None:
        for r, need in self.needs(pod).items():
            self.used[node, r] += sign * need
            self.held_by_group[pod.group, r] += sign * need
            self.held_by_queue[self.groups[pod.group].queue, r] += sign * need
        if sign > 0:
            self.placed[pod.name] = node
        else:
            del self.placed[pod.name]

    def run(self) -> dict[str, str]:
        """Binds of one allocate action."""
        left = {
            name: [
                p
                for p in self.pods
                if p.group == name and p.node is None and p.phase is PodPhase.PENDING and p.shape.request
            ]
            for name in self.groups
        }
        for name in left:
            left[name].sort(key=lambda pod: (-pod.priority, pod.created_s, pod.name))
        waiting = {name for name, pods in left.items() if pods and self._valid(name)}
        queues = {self.groups[name].queue for name in waiting}
        while queues:
            queue = min(queues, key=self._queue_key)
            jobs = [name for name in waiting if self.groups[name].queue == queue]
            if self._overused(queue) or not jobs:
                queues.remove(queue)
                continue
            job = min(jobs, key=self._job_key)
            waiting.remove(job)
            tried = []
            while left[job]:
                pod = left[job].pop(0)
                node = self._best(pod, queue)
                if node is None:
                    if not self._queue_has_room(pod, queue) or self._could_still_be_ready(job, left[job]):
                        continue
                    left[job] = []
                    break
                self._move(pod, node, 1)
                tried.append(pod)
                if self._ready(job):
                    break
            if self._ready(job):
                self.bound.update({pod.name: self.placed[pod.name] for pod in tried})
                if left[job]:
                    waiting.add(job)
            else:
                for pod in tried:
                    self._move(pod, self.placed[pod.name], -1)
        return self.bound

    def _valid(self, job: str) -> bool:
        return sum(pod.group == job for pod in self.pods) >= self.groups[job].min_member

    def _count(self, job: str) -> int:
        return sum(pod.group == job and pod.name in self.placed for pod in self.pods)

    def _ready(self, job: str) -> bool:
        best_effort = sum(pod.group == job and not pod.shape.request and pod.node is None for pod in self.pods)
        return self._count(job) + best_effort >= self.groups[job].min_member

    def _could_still_be_ready(self, job: str, left: list[Pod]) -> bool:
        best_effort = sum(pod.group == job and not pod.shape.request and pod.node is None for pod in self.pods)
        return self._count(job) + best_effort + len(left) >= self.groups[job].min_member

    def _share(self, held: dict[tuple[str, str], int], name: str, of: dict[str, int]) -> float:
        return max((held[name, r] / of[r] for r in self.resources if of[r] > 0), default=0.0)

    def _queue_key(self, queue: str) -> tuple:
        of = {r: self.deserved[queue, r] for r in self.resources}
        return (
            -self.queues[queue].priority,
            self._share(self.held_by_queue, queue, of),
            self.queues[queue].created_s,
            queue,
        )

    def _job_key(self, job: str) -> tuple:
        group = self.groups[job]
        return (-group.priority, self._ready(job), self._share(self.held_by_group, job, self.total), group.created_s, job)

    def _overused(self, queue: str) -> bool:
        return all(self.held_by_queue[queue, r] >= self.deserved[queue, r] for r in self.resources)

    def _queue_has_room(self, pod: Pod, queue: str) -> bool:
        needs = dict(pod.shape.request)
        return all(self.held_by_queue[queue, r] + need <= self.deserved[queue, r] for r, need in needs.items() if need)

    def _best(self, pod: Pod, queue: str) -> str | None:
        if not self._queue_has_room(pod, queue):
            return None
        scores = {name: self._score(pod, name) for name in sorted(self.nodes) if self._fits(pod, name)}
        return max(scores, key=lambda name: scores[name]) if scores else None

    def _fits(self, pod: Pod, name: str) -> bool:
        node = self.nodes[name]
        if any(node.labels.get(key) != value for key, value in pod.shape.node_selector) or node.unschedulable:
            return False
        for taint in node.taints:
            if not any(t.key == taint.key and t.value == taint.value for t in pod.shape.tolerations):
                return False
        return all(self.used[name, r] + need <= node.allocatable.get(r, 0) for r, need in self.needs(pod).items() if need)

    def _score(self, pod: Pod, name: str) -> float:
        weights, total = 0.0, 0.0
        needs = dict(pod.shape.request)
        for r in ("cpu", "memory"):
            if needs.get(r):
                weights += 1.0
                if self.nodes[name].allocatable.get(r, 0):
                    total += (self.used[name, r] + needs[r]) / self.nodes[name].allocatable[r]
        return total / weights * 100.0 if weights else 0.0
