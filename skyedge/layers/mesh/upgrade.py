"""How the proxies of nodes are upgraded, one node at a time, without a lost request.

The new proxy starts beside the old one and gets its configuration.  Only then does it take over the listening sockets, so
that at every moment somebody listens, as with Envoy's hot restart.  The old one serves the connections that it has and asks
each to leave with its next answer; when the last has gone, or time is up, it is stopped.  A new proxy that does not come up
is dropped, the old one never stopped serving, and the plan goes no further.

A node's upgrade is a state machine: ``GRACEFUL`` is its table, and ``KILL_AT_ONCE`` the table of who has no patience.  It
says what is to be done; whoever runs it does that, and tells it what has happened.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from skyedge.errors import InputError, nearest

DRAIN_S = 600.0
"""Envoy's ``--drain-time-s``: what lasts longer is cut."""


class Phase(Enum):
    """Where the upgrade of a node stands."""

    WAITING = "waiting"
    STARTING = "starting"
    """The new proxy comes up beside the old one."""
    HANDING_OVER = "handing-over"
    """It takes over the listening sockets."""
    DRAINING = "draining"
    """It gets all new connections; the old one finishes those that it has."""
    READY = "ready"
    FAILED = "failed"
    """The new proxy did not come up; the old one serves on."""


class Event(Enum):
    """What has happened."""

    TURN = "turn"
    """The plan lets the node begin."""
    CONFIGURED = "configured"
    GAVE_UP = "gave-up"
    """The new proxy does not come up."""
    SOCKETS_TAKEN = "sockets-taken"
    EMPTY = "empty"
    """The old proxy has no connection left."""
    TIME_UP = "time-up"


class Effect(Enum):
    """What is to be done."""

    START_NEW = "start-new"
    TAKE_SOCKETS = "take-sockets"
    ASK_TO_LEAVE = "ask-to-leave"
    """The old proxy answers what it is asked and says with each answer that the connection is closed then."""
    COUNT_DOWN = "count-down"
    """Tell when the drain time is up."""
    STOP_OLD = "stop-old"
    """With the connections that it still has."""
    STOP_NEW = "stop-new"


Table = Mapping[tuple[Phase, Event], tuple[Phase, tuple[Effect, ...]]]

GRACEFUL: Table = {
    (Phase.WAITING, Event.TURN): (Phase.STARTING, (Effect.START_NEW,)),
    (Phase.STARTING, Event.CONFIGURED): (Phase.HANDING_OVER, (Effect.TAKE_SOCKETS,)),
    (Phase.STARTING, Event.GAVE_UP): (Phase.FAILED, (Effect.STOP_NEW,)),
    (Phase.HANDING_OVER, Event.SOCKETS_TAKEN): (Phase.DRAINING, (Effect.ASK_TO_LEAVE, Effect.COUNT_DOWN)),
    (Phase.HANDING_OVER, Event.GAVE_UP): (Phase.FAILED, (Effect.STOP_NEW,)),
    (Phase.DRAINING, Event.EMPTY): (Phase.READY, (Effect.STOP_OLD,)),
    (Phase.DRAINING, Event.TIME_UP): (Phase.READY, (Effect.STOP_OLD,)),
    (Phase.FAILED, Event.TURN): (Phase.STARTING, (Effect.START_NEW,)),
}
"""What is not listed changes nothing: the count-down of a node that is ready already, for one."""

KILL_AT_ONCE: Table = {
    (Phase.WAITING, Event.TURN): (Phase.STARTING, (Effect.STOP_OLD, Effect.START_NEW)),
    (Phase.STARTING, Event.CONFIGURED): (Phase.HANDING_OVER, (Effect.TAKE_SOCKETS,)),
    (Phase.HANDING_OVER, Event.SOCKETS_TAKEN): (Phase.READY, ()),
    (Phase.STARTING, Event.GAVE_UP): (Phase.FAILED, (Effect.STOP_NEW,)),
}
"""Stops the old proxy first: what it had is lost, and nobody listens until the new one does."""

UNDER_WAY = (Phase.STARTING, Phase.HANDING_OVER, Phase.DRAINING)


@dataclass(frozen=True)
class UpgradePlan:
    """Which nodes may be under way together.

    Attributes:
        zone_of: the zone of each node.
        zone_order: zones in turn, each finished before the next begins; those not named come after, by name.
        max_unavailable: nodes under way at once, whatever their zone.
        table: how a node is upgraded.
        drain_s: how long an old proxy may take over its connections.

    Raises:
        InputError: if there are no nodes, a zone has none, or nothing may ever be under way.
    """

    zone_of: Mapping[str, str]
    zone_order: tuple[str, ...] = ()
    max_unavailable: int = 1
    table: Table = field(default_factory=lambda: GRACEFUL)
    drain_s: float = DRAIN_S

    def __post_init__(self) -> None:
        if not self.zone_of:
            raise InputError("there is no node to upgrade")
        if self.max_unavailable < 1:
            raise InputError("at least one node must be let under way, or the upgrade never begins")
        zones = set(self.zone_of.values())
        for zone in self.zone_order:
            if zone not in zones:
                raise InputError(f"no node is in zone '{zone}'", nearest=nearest(zone, zones))

    def zones(self) -> tuple[str, ...]:
        """All of them in turn."""
        return (*self.zone_order, *sorted(set(self.zone_of.values()) - set(self.zone_order)))


class Upgrade:
    """The upgrade of all nodes of a plan."""

    def __init__(self, plan: UpgradePlan) -> None:
        self.plan = plan
        self.phases = dict.fromkeys(sorted(plan.zone_of), Phase.WAITING)
        self._waiting = {zone: deque[str]() for zone in plan.zones()}
        for node in self.phases:
            self._waiting[plan.zone_of[node]].append(node)
        self._not_ready = {zone: len(nodes) for zone, nodes in self._waiting.items()}
        self._in_phase = Counter(self.phases.values())

    @property
    def done(self) -> bool:
        """Whether every node is ready."""
        return self._in_phase[Phase.READY] == len(self.phases)

    def begin(self) -> list[tuple[str, Effect]]:
        """Let the first nodes begin."""
        return self._take_turns()

    def handle(self, node: str, event: Event) -> list[tuple[str, Effect]]:
        """Take note of what happened at a node; what is to be done there, and at nodes whose turn it is then.

        Raises:
            InputError: if there is no such node.
        """
        if node not in self.phases:
            raise InputError(f"there is no node '{node}' in this plan", nearest=nearest(node, self.phases))
        return [*self._move(node, event), *self._take_turns()]

    def retry(self) -> list[tuple[str, Effect]]:
        """Try again those whose new proxy did not come up."""
        failed = [node for node, phase in self.phases.items() if phase is Phase.FAILED]
        effects = [effect for node in failed for effect in self._move(node, Event.TURN)]
        return [*effects, *self._take_turns()]

    def _take_turns(self) -> list[tuple[str, Effect]]:
        """Nodes of the first zone that is not ready begin, by name, as many as may; none once one did not come up."""
        zone = next((zone for zone, count in self._not_ready.items() if count), None)
        if zone is None or self._in_phase[Phase.FAILED]:
            return []
        room = self.plan.max_unavailable - sum(self._in_phase[phase] for phase in UNDER_WAY)
        turns = [self._waiting[zone].popleft() for _ in range(min(room, len(self._waiting[zone])))]
        return [effect for node in turns for effect in self._move(node, Event.TURN)]

    def _move(self, node: str, event: Event) -> Sequence[tuple[str, Effect]]:
        before = self.phases[node]
        step = self.plan.table.get((before, event))
        if step is None or (event is Event.TURN and before is Phase.FAILED and not self._may_retry()):
            return []
        self.phases[node] = step[0]
        self._in_phase[before] -= 1
        self._in_phase[step[0]] += 1
        self._not_ready[self.plan.zone_of[node]] -= step[0] is Phase.READY
        return [(node, effect) for effect in step[1]]

    def _may_retry(self) -> bool:
        return sum(self._in_phase[phase] for phase in UNDER_WAY) < self.plan.max_unavailable
