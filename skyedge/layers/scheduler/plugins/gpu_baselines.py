"""What fragmentation gradient descent is compared with: a node at random, GPU packing, GPU clustering.

The rules are those of the baselines in Weng et al. (USENIX ATC 2023), whole points of 100 included.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skyedge.layers.scheduler.columns import Rows
from skyedge.layers.scheduler.objects import THOUSANDTHS, PodShape
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin
from skyedge.layers.scheduler.session import Session
from skyedge.streams import stream

MOST_DEVICES = 8
"""GPUs of the node to which GPU clustering relates what is left."""


class SeededTies(Plugin):
    """Among nodes that are equally good, the first in an order that is drawn anew for each pod from the argument ``seed``.

    This is what Kubernetes does, with a seed.  The order of a pod depends on the seed and on the rows of the pod and of
    the nodes, and on nothing that was drawn before.
    """

    name: ClassVar[str] = "seeded-ties"
    known_arguments: ClassVar[tuple[str, ...]] = ("seed",)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._seed = int(self.number("seed", 0))

    def open(self, session: Session) -> None:
        super().open(session)
        keys = stream(self._seed, "scheduler", "ties").integers(0, 1 << 63, size=2, dtype=np.uint64)
        self._pod_key, self._node_key = keys | np.uint64(1)

    def tie_order(self, pod: int, nodes: Rows) -> Floats:
        return self.draws(pod, nodes)

    def draws(self, pod: int, things: Rows) -> Floats:
        """A number from 0 to 1 for each of ``things``, (things,), of no pattern (Steele, Lea and Flood 2014, splitmix64)."""
        mixed = things.astype(np.uint64) * self._node_key
        mixed += np.array([pod + 1], np.uint64) * self._pod_key
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return (mixed ^ (mixed >> np.uint64(31))) / 2.0**64


class RandomNode(SeededTies):
    """Any node that fits, each as likely as another, and any GPU of it: to it, all are equally good."""

    name: ClassVar[str] = "random"

    def device_choice(self, pod: int, node: int) -> list[int]:
        shape = _shape(self, pod)
        roomy = np.flatnonzero(self.session.devices_free[node] >= shape.device_milli)
        chosen: list[int] = roomy[np.argsort(self.draws(pod, roomy - MOST_DEVICES), kind="stable")][
            : shape.device_count
        ].tolist()
        return chosen


class GpuPacking(Plugin):
    """GPUs in use first, then free GPUs of a node in use, then an idle node; the fuller the better within each.

    A pod without a GPU has no preference.
    """

    name: ClassVar[str] = "gpu-packing"

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        shape = _shape(self, pod)
        if not shape.device_count:
            return np.zeros(len(nodes))
        present = self.session.snapshot.nodes.devices[nodes] > 0
        free = self.session.devices_free[nodes]
        whole = ((free == THOUSANDTHS) & present).sum(axis=1)
        all_free = whole == present.sum(axis=1)
        # The fullest GPUs with room, which are those that the pod would get.
        ascending = np.sort(np.where(free >= shape.device_milli, free, 2 * THOUSANDTHS), axis=1)[:, : shape.device_count]
        opened = (ascending == THOUSANDTHS).sum(axis=1)
        shared = 100 - ascending.sum(axis=1) * 10 // THOUSANDTHS
        score = np.where(opened > 0, np.maximum(50 - opened, 33), np.maximum(shared, 50))
        return np.where(all_free, np.maximum(33 - whole, whole), score).astype(np.float64)


class GpuClustering(Plugin):
    """Pods that ask for GPUs in the same way go together: shares, single GPUs, pairs and so on; the fuller node first."""

    name: ClassVar[str] = "gpu-clustering"

    def open(self, session: Session) -> None:
        super().open(session)
        shapes = session.snapshot.shapes
        kinds = sorted({_kind(shape) for shape in shapes})
        self._kind_of_shape = np.array([kinds.index(_kind(shape)) for shape in shapes], np.intp)
        self._kinds = len(kinds)

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        session = self.session
        pods = session.snapshot.pods
        shape = _shape(self, pod)
        if not shape.device_count:
            return np.zeros(len(nodes))
        asking = np.array([bool(other.device_count) for other in session.snapshot.shapes])
        placed = np.flatnonzero((session.pod_node >= 0) & asking[pods.shape])
        here = np.zeros((len(session.snapshot.nodes), self._kinds), np.bool_)
        here[session.pod_node[placed], self._kind_of_shape[pods.shape[placed]]] = True
        mine = here[nodes, self._kind_of_shape[pods.shape[pod]]]
        kinds = here[nodes].sum(axis=1)
        rank = np.select([mine & (kinds == 1), mine, kinds == 0], [75, 50, 25], 0)
        whole = MOST_DEVICES * THOUSANDTHS
        full = 25 * np.maximum(whole - session.devices_free[nodes].sum(axis=1), 0) // whole
        return (rank + full).astype(np.float64)


def _shape(plugin: Plugin, pod: int) -> PodShape:
    snapshot = plugin.session.snapshot
    return snapshot.shapes[snapshot.pods.shape[pod]]


def _kind(shape: PodShape) -> tuple[int, bool]:
    """How GPUs are asked for: how many, and whether whole ones."""
    return shape.device_count, shape.device_milli >= THOUSANDTHS
