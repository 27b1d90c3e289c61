"""Usage: keep off nodes that are measured to be busy, whatever was asked of them (Volcano's ``usage``, v1.16 alpha).

Requests say what pods reserved; a measurement says what they use.  A node without a measurement gives no reason against it
and none for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.columns import Flags, Rows
from skyedge.layers.scheduler.plugin import Arguments, Floats, Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

THRESHOLDS_PERCENT = {"cpu": 80.0, "mem": 80.0}
"""Above these a node takes no more pods, unless ``thresholds`` says otherwise."""


class Usage(Plugin):
    """Refuses nodes above a threshold, and prefers the least used.

    Arguments: ``thresholds`` (mapping of ``cpu`` and ``mem`` to percent), ``usage.weight`` (5), ``cpu.weight`` (1) and
    ``memory.weight`` (1).  The score is 100 × usage.weight × the weighted mean of the unused shares of cpu and memory, 0
    where one of them has not been measured.
    """

    name: ClassVar[str] = "usage"
    known_arguments: ClassVar[tuple[str, ...]] = ("thresholds", "usage.weight", "cpu.weight", "memory.weight")
    packs = True

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._weight = self.number("usage.weight", 5)
        self._of = (self.number("cpu.weight", 1), self.number("memory.weight", 1))
        if min(self._of) < 0 or not sum(self._of):
            raise InputError(f"'cpu.weight' and 'memory.weight' of '{self.name}' must not be negative, nor both 0")
        self._thresholds = self._read_thresholds()

    def _read_thresholds(self) -> dict[str, float]:
        said = self.arguments.get("thresholds", {})
        if not isinstance(said, Mapping):
            raise InputError(f"the argument 'thresholds' of '{self.name}' should be a mapping, not '{said}'")
        thresholds = dict(THRESHOLDS_PERCENT)
        for key, value in said.items():
            if key not in thresholds:
                raise InputError(f"'thresholds' of '{self.name}' has no '{key}'", nearest=nearest(str(key), thresholds))
            try:
                thresholds[key] = float(value)
            except (TypeError, ValueError):
                raise InputError(f"'thresholds.{key}' of '{self.name}' should be percent, not '{value}'") from None
        return thresholds

    def open(self, session: Session) -> None:
        """Read the measurements."""
        super().open(session)
        nodes = session.snapshot.nodes
        self._used_percent = {"cpu": nodes.cpu_usage * 100.0, "mem": nodes.memory_usage * 100.0}
        cpu, memory = self._of
        mean = ((1.0 - nodes.cpu_usage) * cpu + (1.0 - nodes.memory_usage) * memory) / (cpu + memory)
        self._score = np.where(np.isnan(mean), 0.0, mean * (100.0 * self._weight))

    def predicate(self, pod: int) -> Flags:
        """Nodes that are not measured to be above a threshold, (nodes,)."""
        flags: Flags = np.ones(len(self.session.snapshot.nodes), np.bool_)
        for key, used in self._used_percent.items():
            flags &= ~(used > self._thresholds[key])  # not a number is above nothing
        return flags

    def predicate_ever(self, pod: int) -> Flags:
        """All nodes: load comes and goes."""
        return np.ones(len(self.session.snapshot.nodes), np.bool_)

    def refusal(self, pod: int, node: int) -> str | None:
        """Which threshold the node is above, or None."""
        for key, used in self._used_percent.items():
            if used[node] > self._thresholds[key]:
                return f"{used[node]:.0f} % of its {key} is in use, above the threshold of {self._thresholds[key]:g} %"
        return None

    def node_order(self, pod: int, nodes: Rows) -> Floats:
        """The less a node is used, the better, (nodes,)."""
        score: Floats = self._score[nodes]
        return score
