"""Drive one node by hand: give it events, look at its effects, and let its own wishes come true in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from skyedge.events import Account, After, Effect, Event, Infer, Inferred, Persist, Rebooted, Record, Send, Woken
from skyedge.ledger import Ledger, Link
from skyedge.nodes.node import Node
from skyedge.time import Instant

Answer = Callable[[str, str, NDArray[np.int32]], NDArray[np.float32]]


class Drive:
    """A virtual clock around one node.

    Args:
        node: the node under test.
        answer: logits for (model, view, scenes); needed only if the node infers.

    What the node did is in ``sent``, ``records``, ``ledger`` and ``storage``.
    """

    def __init__(self, node: Node, answer: Answer | None = None) -> None:
        self.node = node
        self.now: Instant = 0
        self.sent: list[Send] = []
        self.records: list[Record] = []
        self.ledger = Ledger()
        self.storage: dict[str, object] = {}
        self._answer = answer
        self._heap: list[tuple[Instant, int, Event]] = []
        self._count = 0

    def give(self, event: Event, at: Instant) -> list[Effect]:
        """Let everything due before ``at`` happen, then ``event``; returns the effects of ``event`` itself."""
        self.run_until(at)
        if isinstance(event, Rebooted):
            event = Rebooted(storage=dict(self.storage))
        return self._handle(event, at)

    def run_until(self, end: Instant) -> None:
        """Let everything that the node asked for before ``end`` happen."""
        while self._heap and self._heap[0][0] < end:
            at, _, event = heapq.heappop(self._heap)
            self._handle(event, at)
        self.now = max(self.now, end)

    def _handle(self, event: Event, at: Instant) -> list[Effect]:
        assert at >= self.now or not self._heap, "time runs forward"
        self.now = at
        effects = self.node.handle(event, at)
        for effect in effects:
            self._carry_out(effect)
        return effects

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case After(at, reason, key):
                self._later(at, Woken(reason, key))
            case Infer(model, view, scenes, at, token):
                assert self._answer is not None, "this node infers: give Drive an answer"
                self._later(at, Inferred(token, scenes, self._answer(model, view, scenes)))
            case Send():
                self.sent.append(effect)
            case Record():
                self.records.append(effect)
            case Persist(key, value):
                if value is None:
                    self.storage.pop(key, None)
                else:
                    self.storage[key] = value
            case Account(source, destination, segment, traffic, state, size_bytes, objects, hops):
                self.ledger.post(Link(source, destination, segment, traffic, hops), state, size_bytes, objects)
            case _:
                raise AssertionError(f"unknown effect {effect}")

    def _later(self, at: Instant, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, event))
