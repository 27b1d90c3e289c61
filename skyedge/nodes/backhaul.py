"""The terrestrial link of a ground site: first in, first out, at a fixed rate, so many hops from the cloud.

Finish times follow Lindley's recurrence, finish[i] = max(at[i], finish[i-1]) + service[i] (Lindley 1952), solved
for a whole transfer at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.events import KIND_SCENE, TRAFFIC_CLASSES, Account, Arrived, Effect, Event, Items, Send
from skyedge.time import FOREVER, SECOND, Instant


def first_in_first_out(
    at: NDArray[np.int64], service: NDArray[np.int64], free_at: Instant
) -> tuple[NDArray[np.int64], Instant]:
    """When each item is done by one server that is free from ``free_at``: (finish times, in the order given; when
    the server is free again).  Items are served in order of arrival, ties in the order given; all microseconds."""
    order = np.argsort(at, kind="stable")
    total = np.cumsum(service[order])
    begun_before = total - service[order]
    finish = total + np.maximum.accumulate(np.maximum(at[order], free_at) - begun_before)
    in_given_order = np.empty_like(finish)
    in_given_order[order] = finish
    return in_given_order, int(finish[-1]) if len(finish) else free_at


@dataclass(frozen=True)
class BackhaulProfile:
    """A terrestrial way to the cloud: rate, one-way latency and number of hops (for bytes × hops)."""

    rate_mbps: float
    latency_us: int
    hops: int


class Backhaul:
    """The sending end of a terrestrial link from ``source`` to ``destination``."""

    def __init__(self, source: str, destination: str, profile: BackhaulProfile) -> None:
        self.source = source
        self.destination = destination
        self._profile = profile
        self._free_at: Instant = 0

    def carry(self, items: Items, now: Instant) -> list[Effect]:
        """Send ``items``, each no earlier than its ``at``; accounts and one :class:`Send`."""
        if not len(items):
            return []
        service = np.ceil(items.size_bytes * (8 * SECOND / (self._profile.rate_mbps * 1e6))).astype(np.int64)
        finish, self._free_at = first_in_first_out(np.maximum(items.at, now), service, self._free_at)
        arrived = items.moved(finish + self._profile.latency_us)
        message = Send(self.destination, int(arrived.at.min()), Arrived(self.source, arrived), "terrestrial")
        return [*account_terrestrial(self.source, self.destination, items, self._profile.hops), message]

    def earliest_send(self) -> Instant:
        """It sends everything once."""
        return FOREVER

    def handle(self, event: Event, now: Instant) -> list[Effect] | None:
        """Nothing is its own."""
        return None

    def end(self, now: Instant) -> list[Effect]:
        """Nothing is left to write."""
        return []


def account_terrestrial(source: str, destination: str, items: Items, hops: int) -> list[Effect]:
    """Ledger entries for items that a terrestrial link takes and delivers (it loses nothing)."""
    effects: list[Effect] = []
    for kind, traffic in enumerate(TRAFFIC_CLASSES):
        chosen = items.kind == kind
        count = int(np.count_nonzero(chosen))
        if count:
            size = int(items.size_bytes[chosen].sum())
            effects += [
                Account(source, destination, "terrestrial", traffic, "offered", size, count, hops),
                Account(source, destination, "terrestrial", traffic, "delivered", size, count, hops),
            ]
    return effects


def split_scenes(items: Items) -> tuple[Items, Items]:
    """(the pictures, everything else)."""
    pictures = items.kind == KIND_SCENE
    return items.take(pictures), items.take(~pictures)
