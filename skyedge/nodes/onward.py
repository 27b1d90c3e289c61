"""The way on from a ground site, to whoever answers: one backhaul to the one cloud, or a dispatcher over many clusters."""

from __future__ import annotations

from typing import Protocol

from skyedge.events import Effect, Event, Items
from skyedge.time import Instant


class Onward(Protocol):
    """What a station and an edge node send by.  The node hands its own events on."""

    def carry(self, items: Items, now: Instant) -> list[Effect]:
        """Send ``items``, each no earlier than its ``at``."""
        ...

    def earliest_send(self) -> Instant:
        """When something may be sent that was sent before."""
        ...

    def handle(self, event: Event, now: Instant) -> list[Effect] | None:
        """React to an event of one's own; None if it is not."""
        ...

    def end(self, now: Instant) -> list[Effect]:
        """The run is over: write down what was done."""
        ...
