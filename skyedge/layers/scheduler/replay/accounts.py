"""What a replay's pods hold, node by node, and the integrals over time that its figures come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyedge.layers.scheduler.fragmentation import Fragmentation, Workload
from skyedge.layers.scheduler.objects import THOUSANDTHS, Node, PodShape
from skyedge.layers.scheduler.replay.dispatch import Placement


class Accounts:
    """What is allocated on each node, and the integrals over time that the figures come from."""

    def __init__(
        self,
        nodes: Sequence[Node],
        shapes: Sequence[PodShape],
        queue: Sequence[int],
        queues: int,
        target: Workload,
    ) -> None:
        ordered = sorted(nodes, key=lambda node: node.name)
        most = max((node.device_count for node in ordered), default=0)
        self.cpu_free = np.array([node.allocatable.get("cpu", 0) for node in ordered], np.int64)
        self.devices_free = np.array(
            [[THOUSANDTHS * (slot < node.device_count) for slot in range(most)] for node in ordered], np.int64
        ).reshape(len(ordered), most)
        self.cpu_whole, self.gpu_whole = int(self.cpu_free.sum()), int(self.devices_free.sum())
        self._cpu = [dict(shape.request).get("cpu", 0) for shape in shapes]
        self._milli = [shape.device_milli for shape in shapes]
        self._queue = queue
        models = sorted({node.device_model for node in ordered})
        self._model = np.array([models.index(node.device_model) for node in ordered], np.intp)
        self._fragmentation = Fragmentation(target, models)
        self._fragment = self._fragmentation.of(self.cpu_free, self.devices_free, self._model)
        self._held: dict[int, Placement] = {}
        self.cpu_used = self.gpu_used = 0
        self._queue_cpu, self._queue_gpu = np.zeros(queues), np.zeros(queues)
        self._now_s: float | None = None
        self.span_s = self.cpu_time = self.gpu_time = self.fragment_time = 0.0
        self.queue_time = np.zeros(queues)

    def advance(self, now_s: float) -> None:
        """Time passes, with all as it is."""
        if self._now_s is not None and now_s > self._now_s:
            passed_s = now_s - self._now_s
            self.span_s += passed_s
            self.cpu_time += self.cpu_used * passed_s
            self.gpu_time += self.gpu_used * passed_s
            if self.gpu_whole:
                self.fragment_time += float(self._fragment.sum()) * passed_s
            self.queue_time += (self._queue_gpu if self.gpu_whole else self._queue_cpu) * passed_s
        self._now_s = now_s

    def place(self, placements: Sequence[Placement]) -> None:
        """Pods take their places."""
        for placement in placements:
            self._held[placement.pod] = placement
        self._move(placements, 1)

    def free(self, pods: Sequence[int]) -> None:
        """Pods give back what they hold."""
        self._move([self._held.pop(pod) for pod in pods], -1)

    def _move(self, placements: Sequence[Placement], sign: int) -> None:
        for pod, node, devices in placements:
            cpu, milli = sign * self._cpu[pod], sign * self._milli[pod] * len(devices)
            self.cpu_free[node] -= cpu
            self.cpu_used += cpu
            self._queue_cpu[self._queue[pod]] += cpu
            if devices:
                self.devices_free[node, devices] -= sign * self._milli[pod]
                self.gpu_used += milli
                self._queue_gpu[self._queue[pod]] += milli
        if placements and self.gpu_whole:
            nodes = np.unique([placement.node for placement in placements])
            self._fragment[nodes] = self._fragmentation.of(
                self.cpu_free[nodes], self.devices_free[nodes], self._model[nodes]
            )
