"""A ground station: opens sessions with passing satellites and sends on what comes down.

It speaks first.  A satellite transmits only after it has heard the station's carrier, so a station that is out of
service is simply silent, and the satellite keeps what it has.  Pictures go to the edge node of the site if it has
one, answers and everything else straight on to the cloud, or to the cluster that the mesh has for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from skyedge.events import (
    KIND_CONTROL,
    Account,
    After,
    Arrived,
    Effect,
    Ended,
    Event,
    Items,
    Send,
    SessionOpened,
    Started,
    Woken,
)
from skyedge.nodes.backhaul import Backhaul, BackhaulProfile, split_scenes
from skyedge.nodes.onward import Onward
from skyedge.time import FOREVER, SECOND, Instant


@dataclass(frozen=True)
class PlannedSession:
    """One contact, as the station plans it."""

    contact: int
    satellite: str
    calls_at: Instant  # the station's carrier is on; the satellite needs a moment to lock
    opens_at: Instant
    closes_at: Instant
    uplink_mbps: float


@dataclass(frozen=True)
class GroundStationProfile:
    """What a station is made of.  ``control_bytes`` go up in every session: acknowledgements and the plan."""

    name: str
    cloud: str
    edge: str | None
    backhaul: BackhaulProfile
    sessions: tuple[PlannedSession, ...]
    control_bytes: int


class GroundStation:
    """The state machine of one station.

    Args:
        profile: what it is made of.
        onward: the way to whoever answers; the backhaul to the cloud if not given.
    """

    def __init__(self, profile: GroundStationProfile, onward: Onward | None = None) -> None:
        self.name = profile.name
        self._profile = profile
        self._onward = onward or Backhaul(profile.name, profile.cloud, profile.backhaul)
        self._to_edge = (
            Backhaul(profile.name, profile.edge, BackhaulProfile(LOCAL_NETWORK_MBPS, 1, 0)) if profile.edge else None
        )
        self._next = 0

    def earliest_send(self) -> Instant:
        """The next session, or what is sent again; anything else is sent on as it arrives."""
        return min(self._next_call(), self._onward.earliest_send())

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """React to ``event``; events that mean nothing to a station are ignored."""
        effects = self._onward.handle(event, now)
        if effects is not None:
            return effects
        react = self._REACTIONS.get(type(event))
        return react(self, event, now) if react else []

    def _begin(self, event: Started, now: Instant) -> list[Effect]:
        return self._wait_for_next()

    def _next_call(self) -> Instant:
        sessions = self._profile.sessions
        return sessions[self._next].calls_at if self._next < len(sessions) else FOREVER

    def _wait_for_next(self) -> list[Effect]:
        at = self._next_call()
        return [After(at, "call")] if at < FOREVER else []

    def _call(self, event: Woken, now: Instant) -> list[Effect]:
        session = self._profile.sessions[self._next]
        self._next += 1
        going_up = self._control(session)
        opened = SessionOpened(self.name, session.contact, going_up)
        return [
            *self._account_uplink(session, going_up),
            Send(session.satellite, session.opens_at, opened),
            *self._wait_for_next(),
        ]

    def _control(self, session: PlannedSession) -> Items:
        """Control traffic, as much of it as the slow uplink carries in this session."""
        capacity = int((session.closes_at - session.opens_at) / SECOND * session.uplink_mbps * 1e6 / 8)
        size = min(self._profile.control_bytes, capacity)
        one = 1 if size > 0 else 0
        finish = session.opens_at + round(size * 8 / (session.uplink_mbps * 1e6) * SECOND) if one else 0
        return Items(
            scene=np.full(one, -1, np.int32),
            kind=np.full(one, KIND_CONTROL, np.uint8),
            size_bytes=np.full(one, size, np.int64),
            at=np.full(one, finish, np.int64),
            predicted=np.full(one, -1, np.int16),
            confidence=np.zeros(one, np.float32),
        )

    def _account_uplink(self, session: PlannedSession, items: Items) -> list[Effect]:
        if not len(items):
            return []
        return [
            Account(self.name, session.satellite, "uplink", "control", state, items.total_bytes, len(items))
            for state in ("offered", "delivered")
        ]

    def _send_on(self, event: Arrived, now: Instant) -> list[Effect]:
        if self._to_edge is None:
            return self._onward.carry(event.items, now)
        pictures, rest = split_scenes(event.items)
        return self._to_edge.carry(pictures, now) + self._onward.carry(rest, now)

    def _end(self, event: Ended, now: Instant) -> list[Effect]:
        return self._onward.end(now)

    _REACTIONS: ClassVar[dict[type[Event], Callable[[GroundStation, Any, Instant], list[Effect]]]] = {
        Started: _begin,
        Woken: _call,
        Arrived: _send_on,
        Ended: _end,
    }


LOCAL_NETWORK_MBPS = 10_000.0
"""Within a site: ten-gigabit Ethernet, which no pass can fill; it counts no hops."""
