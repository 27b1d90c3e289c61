"""A world of nodes that do nothing but talk, at seeded random moments, over contacts and over fibre.

What a chatterer says depends on all that it has heard, so one message out of order anywhere changes everything after
it: just what is needed to show that hosting does not change an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skyedge.events import After, Effect, Event, Record, Send, Started, Woken
from skyedge.runtime.horizon import AlwaysOpen, Channel, Downlink, Uplink
from skyedge.streams import stream
from skyedge.time import FOREVER, MINUTE, SECOND, Instant


class Word(Event, frozen=True, eq=False):
    """What one chatterer says to another."""

    value: int


@dataclass(frozen=True)
class Ear:
    """Somebody who can be spoken to: over fibre (no contacts), during contacts, or (``calls``) at their opening."""

    name: str
    latency_us: int = 0
    opens: tuple[Instant, ...] = ()
    closes: tuple[Instant, ...] = ()
    calls: bool = False


class Chatter:
    """Wakes up ``period_us`` apart, and tells each ear that is in reach a number that sums up its life so far."""

    def __init__(self, name: str, ears: tuple[Ear, ...], period_us: int) -> None:
        self.name = name
        self._ears = ears
        self._period_us = period_us
        self._state = len(name)
        self._wake_at = 0

    def earliest_send(self) -> Instant:
        """At the next awakening."""
        return self._wake_at if self._ears else FOREVER

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Listen and remember; speak when woken."""
        if isinstance(event, Word):
            self._state = (self._state * 31 + event.value) % 1_000_003
            return [Record("heard", {"by": self.name, "value": event.value, "state": self._state})]
        if isinstance(event, Started | Woken):
            self._wake_at = now + self._period_us
            return [*self._speak(now), After(self._wake_at, "speak")]
        return []

    def _speak(self, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for ear in self._ears:
            if not ear.opens:
                effects.append(Send(ear.name, now + ear.latency_us, Word(self._state), "terrestrial"))
            elif ear.calls:
                opening = next((opens for opens in ear.opens if opens > now), FOREVER)
                if opening < FOREVER:
                    effects.append(Send(ear.name, opening, Word(self._state), "contact"))
            elif any(opens <= now < closes for opens, closes in zip(ear.opens, ear.closes, strict=True)):
                effects.append(Send(ear.name, now + 1 + self._state % 999, Word(self._state), "contact"))
        return effects


def chatter_world(
    seed: int, satellites: int, stations: int, end: Instant, quantum_us: int = SECOND
) -> tuple[list[Any], list[Channel]]:
    """Nodes and channels of a world of ``satellites`` that pass over ``stations``, and one cloud."""
    nodes: list[Any] = []
    channels: list[Channel] = []
    heard_by: dict[str, list[Ear]] = {f"station-{station}": [Ear("cloud", 30_000)] for station in range(stations)}
    for number in range(satellites):
        name = f"satellite-{number}"
        draw = stream(seed, name, "contacts")
        ears = []
        for station in heard_by:
            slots = sorted(set(draw.integers(0, max(1, end // (20 * MINUTE)), size=4).tolist()))
            opens = tuple(slot * 20 * MINUTE + MINUTE for slot in slots)
            closes = tuple(opening + int(draw.integers(1, 10)) * MINUTE for opening in opens)
            ears.append(Ear(station, opens=opens, closes=closes))
            heard_by[station].append(Ear(name, opens=opens, calls=True))
            channels += [Downlink(name, station, opens, closes), Uplink(station, name, opens)]
        nodes.append(Chatter(name, tuple(ears), int(draw.integers(5, 90)) * SECOND))
    for name, ears_of_station in heard_by.items():
        period = int(stream(seed, name, "period").integers(100, 400)) * SECOND
        nodes.append(Chatter(name, tuple(ears_of_station), period))
        channels += [AlwaysOpen(name, "cloud", 30_000, quantum_us), AlwaysOpen("cloud", name, 30_000, quantum_us)]
    nodes.append(Chatter("cloud", tuple(Ear(name, 30_000) for name in heard_by), 137 * SECOND))
    return nodes, channels
