"""A link of so many bits a second: messages cross it one after another, by class, and those that come meanwhile wait.

Between regions a link may be the narrow place, as the line between an edge site and its cloud is.  The delay of the way
comes on top of the time that a message takes to be sent.  A message that has several links before it is sent on by each when
it has come over the one before (store and forward).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from skyedge.layers.mesh.traffic.behaviour import Narrow
from skyedge.layers.mesh.traffic.events import Events
from skyedge.layers.mesh.traffic.qos import ServiceClasses, WaitingLine


class _Message(NamedTuple):
    sending_us: int
    delay_us: int
    act: Callable[[Any, int], None]
    what: Any


class Carrier(Protocol):
    """What brings a message over."""

    def carry(
        self, size_bytes: int, service_class: int, delay_us: int, act: Callable[[Any, int], None], what: object, now_us: int
    ) -> None:
        """Have ``act(what, …)`` called when a message of a size has been sent and has come over, with a delay in all."""


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


class Chain:
    """Links one behind the other.

    Args:
        links: each with the delay from its end to the next, µs; behind the last comes what is left of the delay in all.
    """

    def __init__(self, links: Sequence[tuple[Link, int]]) -> None:
        self._links = tuple(links)
        self._before_last_us = sum(delay_us for _, delay_us in self._links[:-1])

    def carry(
        self, size_bytes: int, service_class: int, delay_us: int, act: Callable[[Any, int], None], what: object, now_us: int
    ) -> None:
        """As :meth:`Carrier.carry`."""

        def cross(at: int, now_us: int) -> None:
            link, to_next_us = self._links[at]
            if at + 1 < len(self._links):
                link.carry(size_bytes, service_class, to_next_us, cross, at + 1, now_us)
            else:
                link.carry(size_bytes, service_class, delay_us - self._before_last_us, act, what, now_us)

        cross(0, now_us)


class Links:
    """All links of a simulation, one for each key, however many callers cross it.

    Args:
        classes: of service, for those who wait.
        events: where arrivals go.
    """

    def __init__(self, classes: ServiceClasses, events: Events) -> None:
        self._classes, self._events = classes, events
        self._by_key: dict[tuple[str, ...], Link] = {}
        self._carriers: dict[tuple[Narrow, ...], Carrier] = {}

    def over(self, places: tuple[Narrow, ...]) -> Carrier | None:
        """What brings messages over these narrow places; None if there are none."""
        if places and places not in self._carriers:
            links = [(self._link(place), place.delay_us) for place in places]
            self._carriers[places] = links[0][0] if len(links) == 1 else Chain(links)
        return self._carriers.get(places)

    def _link(self, place: Narrow) -> Link:
        found = self._by_key.get(place.key)
        if found is None:
            found = self._by_key[place.key] = Link(place.mbps, self._classes, self._events)
        return found
