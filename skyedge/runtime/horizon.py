"""How far each host may run ahead: the contact plan as lookahead.

A conservative parallel simulator may advance a host to the earliest moment at which a message from another host
could reach it.  That moment follows from what each node declares (the earliest time at which it might send) and
from the channels between nodes: a satellite that is out of sight can be reached at its next pass and not before,
which is minutes or hours away, while a fibre delivers within milliseconds, rounded up to a grid.

A node might also send because it was reached itself, so the bounds are the least fixed point of

    bound[n] = min(declared[n], min over channels m -> n of arrival(m -> n, bound[m]))

which Dijkstra's algorithm finds, since no channel delivers before it was sent into (Chandy & Misra 1979 solve the
same with null messages).  A cycle of channels must take some time, or two hosts would wait for one another for ever:
fibre has a latency and a call to a satellite takes a moment to lock.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from skyedge.time import FOREVER, Instant


class Channel(Protocol):
    """One direction between two nodes."""

    @property
    def source(self) -> str:
        """The node that sends."""
        ...

    @property
    def target(self) -> str:
        """The node that hears."""
        ...

    def earliest_arrival(self, sent: Instant) -> Instant:
        """The earliest time at which something sent at ``sent`` or later can arrive."""
        ...


@dataclass(frozen=True)
class AlwaysOpen:
    """Fibre, or any link that is never interrupted; it delivers on the grid of ``quantum`` microseconds."""

    source: str
    target: str
    latency_us: int
    quantum_us: int

    def earliest_arrival(self, sent: Instant) -> Instant:
        """``sent`` plus the latency, rounded up to the grid."""
        return -(-(sent + self.latency_us) // self.quantum_us) * self.quantum_us


@dataclass(frozen=True)
class Downlink:
    """From a satellite to a station: open during contacts, given in order of time."""

    source: str
    target: str
    opens: tuple[Instant, ...]
    closes: tuple[Instant, ...]

    def earliest_arrival(self, sent: Instant) -> Instant:
        """``sent`` itself during a contact, else the opening of the next."""
        following = bisect_right(self.closes, sent)
        return max(sent, self.opens[following]) if following < len(self.opens) else FOREVER


@dataclass(frozen=True)
class Uplink:
    """From a station to a satellite: what waits on the ground goes up when a contact opens."""

    source: str
    target: str
    opens: tuple[Instant, ...]

    def earliest_arrival(self, sent: Instant) -> Instant:
        """The first opening after ``sent``: a call takes time to reach the satellite."""
        following = bisect_right(self.opens, sent)
        return self.opens[following] if following < len(self.opens) else FOREVER


class Horizons:
    """Horizons of the hosts of a world, from its channels and from which host carries which node."""

    def __init__(self, channels: Sequence[Channel], host_of: Mapping[str, int]) -> None:
        self._host_of = dict(host_of)
        self._outgoing: dict[str, list[Channel]] = {name: [] for name in host_of}
        for channel in channels:
            self._outgoing[channel.source].append(channel)

    def horizons(self, declared: Mapping[str, Instant], hosts: int) -> list[Instant]:
        """The horizon of each host, given the declared earliest sends of the nodes (FOREVER where missing)."""
        horizons = [FOREVER] * hosts
        bounds: dict[str, Instant] = dict(declared)
        heap = [(bound, name) for name, bound in bounds.items()]
        heapq.heapify(heap)
        while heap:
            bound, name = heapq.heappop(heap)
            if bound > bounds[name]:
                continue  # an older, later bound of the same node
            host = self._host_of[name]
            for channel in self._outgoing[name]:
                arrival = channel.earliest_arrival(bound)
                target_host = self._host_of[channel.target]
                if target_host != host and arrival < horizons[target_host]:
                    horizons[target_host] = arrival
                if arrival < bounds.get(channel.target, FOREVER):
                    bounds[channel.target] = arrival
                    heapq.heappush(heap, (arrival, channel.target))
        return horizons
