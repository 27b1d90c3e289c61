"""Placing pods one at a time on a cluster that lives on: no queues, no gangs, only nodes and their devices.

A cycle of the scheduler asks who goes first and then which node is best.  Where the first is settled (a trace of single
pods, first come, first served) only the second is left, and one session can serve the whole trace: a placement is a
change in its accounts, a departure is the same change taken back, and what was known about the untouched nodes stays
known.  So a decision costs as much as the few nodes that changed since the last pod of the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from skyedge.layers.scheduler.configuration import Configuration, PluginOption
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.session import Change, Operation, Session
from skyedge.layers.scheduler.snapshot import take_snapshot


class Packer:
    """A cluster on which pods come and go.

    Args:
        nodes: the cluster.
        shapes: of the pods that may come; a pod is known by its number in it.
        configuration: its plugins choose among nodes and devices; its actions, and plugins that order jobs, have no say.
    """

    def __init__(self, nodes: Sequence[Node], shapes: Sequence[PodShape], configuration: Configuration) -> None:
        group, queue = PodGroup("trace"), Queue("default")
        pods = [Pod(str(number), group.name, shape, created_s=number) for number, shape in enumerate(shapes)]
        self.session = Session(take_snapshot(nodes, pods, [group], [queue]), configuration)
        self._placed: dict[int, Change] = {}

    def place(self, pod: int) -> int | None:
        """Place ``pod``; the row of its node, or None if it fits nowhere."""
        nodes, _ = self.session.rankings.fill(pod, 1, None)
        if not nodes:
            return None
        one = np.ones(1, np.intp)
        change = Change(Operation.ALLOCATE, np.array([pod], np.intp), np.array(nodes, np.intp), one)
        self.session.apply(change)
        self._placed[pod] = change
        return nodes[0]

    def remove(self, pod: int) -> None:
        """Let ``pod`` leave and give back what it held."""
        self.session.apply(self._placed.pop(pod), -1)


def with_arguments(configuration: Configuration, arguments: Mapping[str, Mapping[str, Any]]) -> Configuration:
    """``configuration`` with further arguments for the plugins named, where it has them."""

    def changed(option: PluginOption) -> PluginOption:
        more = arguments.get(option.name)
        return option if more is None else replace(option, arguments={**more, **option.arguments})

    return replace(configuration, tiers=tuple(tuple(changed(option) for option in tier) for tier in configuration.tiers))
