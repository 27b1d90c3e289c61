"""Fragmentation gradient descent: each pod goes where it makes the least new fragment (Weng et al., USENIX ATC 2023).

The target workload comes from the pods of the snapshot, or is given as the argument ``workload``.

Scores are whole points of 100, as in the authors' implementation and in all of Kubernetes, and many nodes tie.  There a
tie goes to chance; here it goes to the node that would have least left (best fit), which packs no worse and needs no seed.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from skyedge.layers.scheduler.columns import CPU, Rows
from skyedge.layers.scheduler.fragmentation import COVERAGE, Fragmentation, class_of, target_workload
from skyedge.layers.scheduler.plugin import Arguments, Floats
from skyedge.layers.scheduler.plugins.bestfit import DIGITS, Remainder
from skyedge.layers.scheduler.session import Session

SCALE_MILLI = 1000.0
"""New fragment, in thousandths of a GPU, at which the logistic curve of the score bends."""


class Fgd(Remainder):
    """Score from 0 to 100 that falls with the fragment that the pod would make, at the best GPU of the node."""

    name: ClassVar[str] = "fgd"
    known_arguments: ClassVar[tuple[str, ...]] = ("weight", "coverage", "workload")

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._coverage = self.number("coverage", COVERAGE)

    def open(self, session: Session) -> None:
        super().open(session)
        snapshot = session.snapshot
        workload = self.arguments.get("workload")
        if workload is None:
            classes = [class_of(shape) for shape in snapshot.shapes]
            pods = (classes[shape] for shape in snapshot.pods.shape.tolist())
            workload = target_workload(pods, self._coverage)
        models = sorted(set(snapshot.nodes.device_model))
        self._model = np.array([models.index(model) for model in snapshot.nodes.device_model], np.intp)
        self._fragmentation = Fragmentation(workload, models)
        self._before: Floats = np.zeros(len(snapshot.nodes))
        self._known_at = np.full(len(snapshot.nodes), -1, np.int64)

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        session = self.session
        if not session.has_devices:
            return np.zeros(len(nodes))
        shape = session.snapshot.shapes[session.snapshot.pods.shape[pod]]
        cpu_left = session.idle[CPU, nodes] - int(session.request[session.snapshot.pods.shape[pod], CPU])
        devices, model = session.devices_free[nodes], self._model[nodes]
        after = self._fragmentation.after(cpu_left, devices, model, shape.device_count, shape.device_milli)
        return self.weight * _points(after - self._fragment_now(nodes))

    def tie_order(self, pod: int, nodes: Rows) -> Floats:
        return np.round(self.remainder(pod, nodes), 2 * DIGITS)

    def device_choice(self, pod: int, node: int) -> list[int]:
        session = self.session
        of = session.snapshot.pods.shape[pod]
        shape = session.snapshot.shapes[of]
        devices = session.devices_free[node]
        if shape.device_count != 1:
            roomy = np.flatnonzero(devices >= shape.device_milli)
            chosen: list[int] = roomy[np.argsort(devices[roomy], kind="stable")][: shape.device_count].tolist()
            return chosen
        # A pod chooses its device when its CPU has been taken already.
        cpu_left, model = session.idle[CPU, [node]], self._model[[node]]
        after = self._fragmentation.after_share(cpu_left, devices[None], model, shape.device_milli)[0]
        cpu_before = cpu_left + int(session.request[of, CPU])
        return [int(_points(after - self._fragmentation.of(cpu_before, devices[None], model)).argmax())]

    def _fragment_now(self, nodes: Rows) -> Floats:
        """Fragmentation of ``nodes``, worked out anew for those that have changed."""
        session = self.session
        stale = nodes[self._known_at[nodes] < session.touched_at[nodes]]
        if len(stale):
            cpu_left, devices = session.idle[CPU, stale], session.devices_free[stale]
            self._before[stale] = self._fragmentation.of(cpu_left, devices, self._model[stale])
            self._known_at[stale] = session.touched_at[stale]
        return self._before[nodes]


def _points(more: Floats) -> Floats:
    """Points for so much new fragment, in thousandths of a GPU: 50 for none, more if there is less than before."""
    return np.floor(np.round(100.0 / (1.0 + np.exp(more / SCALE_MILLI)), DIGITS))
