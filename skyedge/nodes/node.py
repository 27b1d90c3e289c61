"""What every node is: a name, a reaction to events, and a promise about when it might next reach another node."""

from __future__ import annotations

from typing import Protocol

from skyedge.events import Effect, Event
from skyedge.time import Instant


class Node(Protocol):
    """A state machine in virtual time."""

    @property
    def name(self) -> str:
        """Unique in the world."""
        ...

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """React to ``event``, which happens at ``now`` (never earlier than the one before)."""
        ...

    def earliest_send(self) -> Instant:
        """The earliest time at which this node might send, if it hears nothing new until then.

        The engine lets other hosts run ahead to this time, so it must never be too late; the later it is, the
        faster the run.  FOREVER for a node that only ever answers.
        """
        ...
