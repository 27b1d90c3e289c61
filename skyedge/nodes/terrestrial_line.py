"""The line of a ground site into the terrestrial network: pictures first in, first out, small messages beside them.

A site has one line, whoever it sends to.  What is on its way when the run ends has not arrived: the line remembers it and
says so to the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from skyedge.events import TRAFFIC_CLASSES, Effect, Items, Send
from skyedge.layers.paths.terrestrial import TerrestrialNetwork
from skyedge.nodes.backhaul import first_in_first_out
from skyedge.nodes.messages import Message, Stamp, Submitted, entries
from skyedge.time import SECOND, Instant

Kind = TypeVar("Kind", bound=Message)

CONTROL_BYTES = 200
"""A small message with its headers; assumed."""


@dataclass(frozen=True)
class LineProfile:
    """A site's rate into the network, and the grid on which the network delivers (microseconds)."""

    network: TerrestrialNetwork
    rate_mbps: float
    quantum_us: int


@dataclass(frozen=True)
class _OnTheWay:
    at: Instant
    destination: str
    hops: int
    stamps: tuple[Stamp, ...]


class TerrestrialLine:
    """The sending end of a site's line."""

    def __init__(self, source: str, profile: LineProfile) -> None:
        self.source = source
        self._profile = profile
        self._free_at: Instant = 0
        self._on_the_way: list[_OnTheWay] = []

    def latency_us(self, destination: str) -> int:
        """One way."""
        return self._profile.network.path(self.source, destination).latency_us

    def transfer_us(self, size_bytes: int) -> int:
        """How long so many bytes take onto the line."""
        return int(np.ceil(size_bytes * (8 * SECOND / (self._profile.rate_mbps * 1e6))))

    def carry(self, destination: str, number: int, items: Items, now: Instant) -> tuple[list[Effect], Instant]:
        """Send items, each no earlier than its ``at``, as transfer ``number``; effects, and when the first arrives."""
        service = np.ceil(items.size_bytes * (8 * SECOND / (self._profile.rate_mbps * 1e6))).astype(np.int64)
        finish, self._free_at = first_in_first_out(np.maximum(items.at, now), service, self._free_at)
        arrived = items.moved(finish + self.latency_us(destination))
        stamps = []
        for kind, traffic in enumerate(TRAFFIC_CLASSES):
            chosen = items.kind == kind
            if chosen.any():
                stamps.append(Stamp(traffic, int(items.size_bytes[chosen].sum()), int(chosen.sum())))
        at = int(arrived.at.min())
        effects = self._send(destination, Submitted, at, tuple(stamps), now, {"number": number, "items": arrived})
        return effects, self._on_grid(at)

    def send(
        self,
        destination: str,
        kind: type[Kind],
        now: Instant,
        *,
        size_bytes: int = CONTROL_BYTES,
        traffic: Any = "control",
        sent_at: Instant | None = None,
        **content: Any,
    ) -> list[Effect]:
        """Send a message of ``kind``; it does not wait behind pictures.

        With ``sent_at`` it was on its way before the grid let it be looked at: its exact time of arrival goes into its
        content, as ``at``, and the event follows when the network delivers.
        """
        on_the_way_us = self.transfer_us(size_bytes) + self.latency_us(destination)
        if sent_at is not None:
            content["at"] = sent_at + on_the_way_us
        return self._send(destination, kind, now + on_the_way_us, (Stamp(traffic, size_bytes),), now, content)

    def end(self, now: Instant) -> list[Effect]:
        """What has not arrived by the end."""
        left = [one for one in self._on_the_way if one.at >= now]
        return [effect for one in left for effect in entries(self.source, one.destination, one.hops, one.stamps, "waiting")]

    def _on_grid(self, at: Instant) -> Instant:
        return -(-at // self._profile.quantum_us) * self._profile.quantum_us

    def _send(
        self,
        destination: str,
        kind: type[Message],
        at: Instant,
        stamps: tuple[Stamp, ...],
        now: Instant,
        content: Mapping[str, Any],
    ) -> list[Effect]:
        hops = self._profile.network.path(self.source, destination).hops
        self._on_the_way = [one for one in self._on_the_way if one.at >= now]
        self._on_the_way.append(_OnTheWay(self._on_grid(at), destination, hops, stamps))
        message = kind(self.source, hops, stamps, **content)
        offered = entries(self.source, destination, hops, stamps, "offered")
        return [*offered, Send(destination, at, message, "terrestrial")]
