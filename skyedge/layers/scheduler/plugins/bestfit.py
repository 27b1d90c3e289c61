"""Best fit and worst fit: by what would be left on the node, of CPU and of GPU, each against the largest node's.

Best fit is the sum in the form of Weng et al. (USENIX ATC 2023): Σ ½·(free − request) ÷ most on any node, less is better.
Where no node has GPUs that can be shared, memory takes their place.  Scores are whole points of 100, as there.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skyedge.layers.scheduler.columns import CPU, MEMORY, Rows
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin
from skyedge.layers.scheduler.session import Session

DIGITS = 6
"""Figures are rounded before they are cut to whole points, so that the order of a sum cannot decide."""


class Remainder(Plugin):
    """What a pod leaves of a node, as shares of the largest node: a base for the plugins that rank by it."""

    known_arguments: ClassVar[tuple[str, ...]] = ("weight",)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self.weight = self.number("weight", 1.0)

    def open(self, session: Session) -> None:
        super().open(session)
        allocatable, devices = session.snapshot.nodes.allocatable, session.snapshot.nodes.devices
        self._most_cpu = max(int(allocatable[:, CPU].max(initial=0)), 1)
        self._most_memory = max(int(allocatable[:, MEMORY].max(initial=0)), 1)
        self._most_device = max(int(devices.sum(axis=1).max(initial=0)), 1)

    def free(self, nodes: Rows) -> Floats:
        """What is free, (nodes, 2)."""
        session = self.session
        cpu = session.idle[CPU, nodes] / self._most_cpu
        if session.has_devices:
            return np.column_stack([cpu, session.devices_free[nodes].sum(axis=1) / self._most_device])
        return np.column_stack([cpu, session.idle[MEMORY, nodes] / self._most_memory])

    def wanted(self, pod: int) -> Floats:
        """What the pod asks for, (2,)."""
        session = self.session
        of = session.snapshot.pods.shape[pod]
        request, shape = session.request[of], session.snapshot.shapes[of]
        cpu = request[CPU] / self._most_cpu
        if session.has_devices:
            return np.array([cpu, shape.device_count * shape.device_milli / self._most_device])
        return np.array([cpu, request[MEMORY] / self._most_memory])

    def remainder(self, pod: int, nodes: Rows) -> Floats:
        """Mean over both of what would be left, (nodes,), from 0 to 1."""
        return (self.free(nodes) - self.wanted(pod)).mean(axis=1)


class BestFit(Remainder):
    """Score from 0 to 100: less left is better."""

    name: ClassVar[str] = "bestfit"
    packs = True

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        return self.weight * _points(1.0 - self.remainder(pod, nodes))


class WorstFit(Remainder):
    """Score from 0 to 100: more left is better; a pod that shares a GPU gets the emptiest."""

    name: ClassVar[str] = "worstfit"

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        return self.weight * _points(self.remainder(pod, nodes))

    def device_choice(self, pod: int, node: int) -> list[int]:
        shape = self.session.snapshot.shapes[self.session.snapshot.pods.shape[pod]]
        free = self.session.devices_free[node]
        chosen: list[int] = np.argsort(-free, kind="stable")[: shape.device_count].tolist()
        return chosen


class DotProduct(Remainder):
    """Score from 0 to 100: the less the free and the wanted amounts point the same way, the better.

    The direction is that of the baseline in Weng et al.; Tetris (Grandl et al., SIGCOMM 2014), where the product comes
    from, prefers the node with the larger one.
    """

    name: ClassVar[str] = "dot-product"

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        product = self.free(nodes) @ self.wanted(pod)
        return self.weight * _points(1.0 - product / 2.0)


def _points(share: Floats) -> Floats:
    return np.floor(np.round(100.0 * share, DIGITS))
