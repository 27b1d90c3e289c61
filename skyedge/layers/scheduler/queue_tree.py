"""The tree of queues: who stands under whom, and what follows for ceilings and sums."""

from __future__ import annotations

import numpy as np

from skyedge.layers.scheduler.columns import UNLIMITED, Ints, Queues

ROOT = "root"


class QueueTree:
    """Parents, children and ancestors of queues; without nesting, every queue stands alone.

    A queue without a parent stands under the queue named ``root``, if there is one.
    """

    def __init__(self, queues: Queues, *, nested: bool) -> None:
        many = len(queues)
        self._root = queues.names.index(ROOT) if nested and ROOT in queues.names else -1
        self._parent = queues.parent.tolist() if nested else [-1] * many
        if self._root >= 0:
            self._parent = [
                self._root if parent < 0 and queue != self._root else parent for queue, parent in enumerate(self._parent)
            ]
        self.children: list[list[int]] = [[] for _ in range(many)]
        for queue, parent in enumerate(self._parent):
            if parent >= 0:
                self.children[parent].append(queue)
        self._ancestors = [self._climb(queue) for queue in range(many)]
        self._below: list[list[int]] = [[queue] for queue in range(many)]
        for queue in range(many):
            for ancestor in self._ancestors[queue]:
                self._below[ancestor].append(queue)

    def _climb(self, queue: int) -> list[int]:
        line = []
        while (queue := self._parent[queue]) >= 0:
            line.append(queue)
        return line

    def ancestors(self, queue: int) -> list[int]:
        """Parent first, root last."""
        return self._ancestors[queue]

    def depth(self, queue: int) -> int:
        """How many ancestors a queue has."""
        return len(self._ancestors[queue])

    def is_root(self, queue: int) -> bool:
        """Whether this is the root of all."""
        return queue == self._root

    def common_levels(self, left: int, right: int) -> int:
        """How many ancestors, from the root on, two queues share."""
        pairs = zip(reversed(self._ancestors[left]), reversed(self._ancestors[right]), strict=False)
        return next((level for level, (a, b) in enumerate(pairs) if a != b), min(self.depth(left), self.depth(right)))

    def sum_below(self, amounts: Ints, queue: int) -> Ints:
        """Sum of ``amounts``, (queues, resources), over the queue and all below it."""
        below = self._below[queue]
        if len(below) == 1:
            return amounts[queue]
        total: Ints = amounts[below].sum(axis=0)
        return total

    def _top_down(self) -> list[int]:
        return sorted(range(len(self._parent)), key=lambda queue: (self.depth(queue), queue))

    def ceilings(self, capability: Ints, guarantee: Ints) -> Ints:
        """What each queue can have at most, (queues, resources): what it does not say it has from its parent, less what
        its parent's other children are guaranteed.  The root is bounded by its own words only."""
        own, real = capability.copy(), capability.copy()
        for queue in self._top_down():
            parent = self._parent[queue]
            if parent < 0:
                continue
            own[queue] = np.where(own[queue] >= UNLIMITED, own[parent], own[queue])
            promised = guarantee[self.children[parent]].sum(axis=0)
            left = np.maximum(real[parent] - promised, 0) + guarantee[queue]
            real[queue] = np.minimum(left, own[queue])
        return real

    def deserved(self, said: Ints) -> Ints:
        """What each queue deserves; the root all that its children do."""
        deserved = said.copy()
        if self._root >= 0:
            deserved[self._root] = said[self.children[self._root]].sum(axis=0)
        return deserved
