"""A link of so many bits a second: messages cross it one after another, by class, and those that come meanwhile wait.

Between regions a link may be the narrow place, as the channel between an edge site and its cloud is.  The delay of the way
comes on top of the time that a message takes to be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from skyedge.layers.mesh.traffic.events import Events
from skyedge.layers.mesh.traffic.qos import ServiceClasses, WaitingLine


class _Message(NamedTuple):
    sending_us: int
    delay_us: int
    act: Callable[[Any, int], None]
    what: Any


class Link:
    """One direction of a link.

    Args:
        rate_mbps: Mbit/s, above zero.
        classes: of service, for those who wait.
        events: where arrivals go.
    """

    def __init__(self, rate_mbps: float, classes: ServiceClasses, events: Events) -> None:
        self._rate_mbps = rate_mbps
        self._line: WaitingLine[_Message] = WaitingLine(classes)
        self._events = events
        self._busy = False

    def carry(
        self, size_bytes: int, service_class: int, delay_us: int, act: Callable[[Any, int], None], what: object, now_us: int
    ) -> None:
        """Have ``act(what, …)`` called when a message of a size has been sent and has come over."""
        message = _Message(round(size_bytes * 8 / self._rate_mbps), delay_us, act, what)
        if self._busy:
            self._line.push(message, service_class, now_us, max(message.sending_us, 1))
        else:
            self._busy = True
            self._events.at(now_us + message.sending_us, self._sent, message)

    def _sent(self, message: _Message, now_us: int) -> None:
        self._events.at(now_us + message.delay_us, message.act, message.what)
        self._busy = len(self._line) > 0
        if self._busy:
            following = self._line.pop(now_us)
            self._events.at(now_us + following.sending_us, self._sent, following)
