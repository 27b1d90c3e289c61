"""Binpack: fill nodes up before opening new ones (Volcano's plugin ``binpack``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import PODS, Flags, Rows
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session


class Binpack(Plugin):
    """Scores a node by how full it would be: the weighted mean, over the resources asked for, of used share.

    100 × weight × Σ w_r (used_r + request_r) ÷ allocatable_r ÷ Σ w_r.  A weighted resource that does not fit makes it 0;
    one that the node has none of adds its weight alone; one without a weight is not looked at.
    """

    name = "binpack"
    known_arguments = ("binpack.weight", "binpack.cpu", "binpack.memory", "binpack.resources", "binpack.resources.")
    packs = True
    by_amounts = True

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._weight = self.number("binpack.weight", 1)
        self._of = {"cpu": self._least_one("binpack.cpu"), "memory": self._least_one("binpack.memory")}
        for name in str(arguments.get("binpack.resources", "")).split(","):
            if name.strip():
                self._of[name.strip()] = self._least_one(f"binpack.resources.{name.strip()}")

    def _least_one(self, key: str) -> float:
        value = self.number(key, 1)
        return 1.0 if value < 0 else value

    def open(self, session: Session) -> None:
        super().open(session)
        names = session.snapshot.resources
        self._weights = [(row, self._of[name]) for row, name in enumerate(names) if name in self._of and row != PODS]
        allocatable = np.ascontiguousarray(session.snapshot.nodes.allocatable.T)
        self._has: Flags = np.asarray(allocatable > 0)
        self._all_have: Flags = np.asarray(self._has.all(axis=1))
        self._allocatable = np.where(self._has, allocatable, 1).astype(np.float64)

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        session = self.session
        request = session.request[session.snapshot.pods.shape[pod]]
        parts: list[Floats] = []
        short: list[Flags] = []
        weights = 0.0
        for resource, weight in self._weights:
            need = int(request[resource])
            if not need or not weight:
                continue
            weights += weight
            allocatable, idle = self._allocatable[resource, nodes], session.idle[resource, nodes]
            part = (allocatable - idle + need) / allocatable
            lacks = idle < need
            if not self._all_have[resource]:
                has = self._has[resource, nodes]
                part, lacks = np.where(has, part, 0.0), lacks & has
            parts.append(part if weight == 1 else weight * part)
            short.append(lacks)
        if not parts:
            return np.zeros(len(nodes))
        score = sum(parts[1:], parts[0]) / weights * (100.0 * self._weight)
        for lacks in short:
            if lacks.any():
                score[lacks] = 0.0
        return score
