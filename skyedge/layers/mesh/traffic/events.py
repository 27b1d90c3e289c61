"""What happens when: events in the order of time, then of scheduling, so that nothing is left to chance."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, TypeVar

What = TypeVar("What")


class Events:
    """A queue of events in virtual time.

    Attributes:
        now_us: of the event that happens, or of the last that did.
    """

    def __init__(self) -> None:
        self.now_us = 0
        self._heap: list[tuple[int, int, Callable[[Any, int], None], Any]] = []
        self._scheduled = 0

    def at(self, at_us: int, act: Callable[[What, int], None], what: What) -> None:
        """Have ``act(what, at_us)`` called when it is time."""
        heapq.heappush(self._heap, (at_us, self._scheduled, act, what))
        self._scheduled += 1

    def run_until(self, until_us: int) -> None:
        """Let everything happen up to a time, and at it."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until_us:
            self.now_us, _, act, what = pop(heap)
            act(what, self.now_us)
