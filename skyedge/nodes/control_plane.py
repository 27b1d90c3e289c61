"""The federation's control plane in a flown experiment: places, watches, moves what a dead cluster ran, tells everybody.

It has several zones of its own and does not go out.  Probes and heartbeats are not sent one by one: when they would have
shown that a cluster is out, and that it is back, is reckoned beforehand by the rules of
:mod:`skyedge.layers.federation.detection`, and their bytes are put into the ledger at the end.  What it decides it decides
then, with what it knows then, and its orders take the way that all messages take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from skyedge.events import After, Effect, Ended, Event, Record, Started, Woken
from skyedge.ledger import State
from skyedge.nodes.messages import Gathered, Message, Run, Serving, Stamp, Told, Train, entries, settle
from skyedge.nodes.terrestrial_line import CONTROL_BYTES, LineProfile, TerrestrialLine
from skyedge.nodes.training_desk import TrainingKind
from skyedge.time import FOREVER, SECOND, Instant

GATHERING_US = 10 * SECOND
"""So long after a turn has come round the control plane decides with what clusters have said; assumed."""

SENT_AND_THERE: tuple[State, ...] = ("offered", "delivered")


class Places(Protocol):
    """Where a workload is to run."""

    def place(
        self, now: Instant, out: frozenset[str], scheduled: Mapping[str, int], data_bytes: Mapping[str, int]
    ) -> dict[str, int]:
        """Replicas by cluster, none on those that are ``out``; empty, if there is nowhere to go."""
        ...


@dataclass(frozen=True)
class Watched:
    """A cluster that is out for a while, and when the control plane declares it out, and back again (never: FOREVER)."""

    cluster: str
    out_at: Instant
    returns_at: Instant
    declared_at: Instant
    cleared_at: Instant


@dataclass(frozen=True, eq=False)
class ControlPlaneProfile:
    """What a control plane is told.

    Attributes:
        clusters: all of them.
        informed: stations, edge nodes and users, who are told where to go.
        initial: replicas at the start of the run, by cluster.
        model: where the big model goes.
        trainings: with where each goes.
        moves: whether replicas leave a cluster that is declared out; otherwise nobody is told anything.
        decision_us: from the declaration to the orders.
        image_bytes: of the big model with its container, sent to a cluster that never ran it.
        watched: every time that a cluster is declared out.
        report_period_us: between two reports of a cluster; 0: there are none.
        rebalance_us: between two placements from scratch; 0: there is only the first.
    """

    name: str
    clusters: tuple[str, ...]
    informed: tuple[str, ...]
    initial: Mapping[str, int]
    model: Places
    trainings: tuple[tuple[TrainingKind, Places], ...]
    moves: bool
    decision_us: int
    image_bytes: int
    watched: tuple[Watched, ...]
    report_period_us: int
    rebalance_us: int
    line: LineProfile


@dataclass
class _Failover:
    cluster: str
    out_at: Instant
    declared_at: Instant
    replicas: int
    moved_to: list[str]
    serving_at: Instant


class ControlPlane:
    """The state machine of the control plane."""

    def __init__(self, profile: ControlPlaneProfile) -> None:
        self.name = profile.name
        self._profile = profile
        self._line = TerrestrialLine(profile.name, profile.line)
        self._wanted = dict.fromkeys(profile.clusters, 0) | dict(profile.initial)
        self._ordered = dict(self._wanted)
        self._ready = dict(self._wanted)
        self._out: set[str] = set()
        self._with_image = {name for name, replicas in profile.initial.items() if replicas}
        self._agenda: list[tuple[Instant, str, int]] = []
        self._gathered: dict[str, dict[str, int]] = {kind.name: {} for kind, _ in profile.trainings}
        self._turns = dict.fromkeys(self._gathered, 0)
        self._failovers: dict[int, _Failover] = {}
        self._begun_at: Instant = 0

    def earliest_send(self) -> Instant:
        """The next entry of the agenda."""
        return min((at for at, _, _ in self._agenda), default=FOREVER)

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """React to reports and to the moments of the agenda."""
        match event:
            case Started():
                return self._begin(now)
            case Woken(reason=reason, key=key):
                self._agenda.remove((now, reason, key))
                return self._wake(reason, key, now)
            case Serving():
                return [*settle(event, self.name), *self._served(event, now)]
            case Gathered():
                self._gathered[event.training][event.sender] = event.data_bytes
                return settle(event, self.name)
            case Message():
                return settle(event, self.name)
            case Ended():
                return self._end(now)
            case _:
                return []

    # ------------------------------------------------------------------------------------------ what happens

    def _begin(self, now: Instant) -> list[Effect]:
        self._begun_at = now
        effects: list[Effect] = []
        # What runs at the start was brought there before it.
        for name in sorted(self._with_image):
            hops = self._profile.line.network.path(self.name, name).hops
            image = (Stamp("model", self._profile.image_bytes),)
            if self._profile.image_bytes:
                for state in SENT_AND_THERE:
                    effects += entries(self.name, name, hops, image, state)
        if self._profile.moves:
            for number, seen in enumerate(self._profile.watched):
                if seen.declared_at < FOREVER:
                    effects.append(self._at(seen.declared_at + self._profile.decision_us, "out", number))
                if seen.cleared_at < FOREVER:
                    effects.append(self._at(seen.cleared_at, "back", number))
        for number, (kind, _) in enumerate(self._profile.trainings):
            effects.append(self._at(kind.first_at + GATHERING_US, "turn", number))
        if self._profile.rebalance_us:
            effects.append(self._at(now + self._profile.rebalance_us, "rebalance", 0))
        return effects

    def _wake(self, reason: str, key: int, now: Instant) -> list[Effect]:
        match reason:
            case "out":
                return self._lose(key, now)
            case "back":
                return self._regain(key, now)
            case "turn":
                return self._turn(key, now)
            case _:
                again = self._at(now + self._profile.rebalance_us, "rebalance", 0)
                found = self._profile.model.place(now, frozenset(self._out), {}, {})
                return [again, *(self._order(found, now) if found else [])]

    def _lose(self, number: int, now: Instant) -> list[Effect]:
        """A cluster is out: the rest takes over what it ran, if it can, and everybody is told to go elsewhere."""
        seen = self._profile.watched[number]
        name = seen.cluster
        self._out.add(name)
        stay = {other: replicas for other, replicas in self._wanted.items() if replicas and other not in self._out}
        found = self._profile.model.place(now, frozenset(self._out), stay, {}) if self._wanted[name] else stay
        moved_to = sorted(other for other, replicas in found.items() if replicas > stay.get(other, 0))
        serving_at = now if stay and not moved_to else FOREVER
        self._failovers[number] = _Failover(name, seen.out_at, now, self._wanted[name], moved_to, serving_at)
        effects = self._order(found, now) if found else []
        self._ready[name] = 0
        return [*effects, *self._tell(now)]

    def _regain(self, number: int, now: Instant) -> list[Effect]:
        """A cluster is back.  It runs what it is wanted for now; what has moved stays where it went."""
        name = self._profile.watched[number].cluster
        self._out.discard(name)
        runs = {other: replicas for other, replicas in self._wanted.items() if replicas}
        found = self._profile.model.place(now, frozenset(self._out), runs, {})
        added = all(found.get(other, 0) >= replicas for other, replicas in runs.items())
        effects = self._order(found, now) if added and found else []
        return [*effects, *self._run(name, now), *self._tell(now)]

    def _served(self, event: Serving, now: Instant) -> list[Effect]:
        if self._ready[event.sender] == event.replicas or event.sender in self._out:
            return []
        self._ready[event.sender] = event.replicas
        for failover in self._failovers.values():
            there = all(self._ready[name] >= self._wanted[name] for name in failover.moved_to)
            if failover.serving_at == FOREVER and failover.moved_to and there:
                failover.serving_at = now
        return [*self._tell(now), *self._push(now)]

    def _turn(self, number: int, now: Instant) -> list[Effect]:
        """A training has come round: decide where, by what clusters have said, and send it their data."""
        kind, places = self._profile.trainings[number]
        self._turns[kind.name] += 1
        there, self._gathered[kind.name] = self._gathered[kind.name], {}
        again = self._at(now + kind.period_us, "turn", number)
        data = {name: size for name, size in there.items() if size and name not in self._out}
        home = min(places.place(now, frozenset(self._out), {}, data), default=None) if data else None
        if home is None:
            return [again]
        senders = tuple(sorted(data))
        content: dict[str, Any] = {
            "training": kind.name,
            "number": self._turns[kind.name],
            "home": home,
            "senders": senders,
        }
        orders = [self._line.send(name, Train, now, **content) for name in sorted({home, *senders})]
        return [again, *(effect for order in orders for effect in order)]

    # ------------------------------------------------------------------------------------------ within

    def _order(self, wanted: Mapping[str, int], now: Instant) -> list[Effect]:
        """Let clusters run what is wanted of them from now on."""
        self._wanted = {name: wanted.get(name, 0) for name in self._profile.clusters}
        return self._push(now)

    def _push(self, now: Instant) -> list[Effect]:
        """Order what is wanted and was not ordered: more at once, less only when all that is to be more serves.

        An image travels with the order to a cluster that never had it.
        """
        effects: list[Effect] = []
        names = [name for name in self._profile.clusters if name not in self._out]
        for name in names:
            if self._wanted[name] > self._ordered[name]:
                image: dict[str, Any] = {}
                if name not in self._with_image and self._profile.image_bytes:
                    image = {"size_bytes": self._profile.image_bytes, "traffic": "model"}
                self._with_image.add(name)
                effects += self._run(name, now, **image)
        if all(self._ready[name] >= self._wanted[name] for name in names):
            for name in names:
                if self._wanted[name] < self._ordered[name]:
                    effects += self._run(name, now)
        return effects

    def _run(self, name: str, now: Instant, **image: Any) -> list[Effect]:
        self._ordered[name] = self._wanted[name]
        return self._line.send(name, Run, now, replicas=self._wanted[name], **image)

    def _tell(self, now: Instant) -> list[Effect]:
        replicas = tuple((name, -1 if name in self._out else self._ready[name]) for name in self._profile.clusters)
        everybody = (*self._profile.clusters, *self._profile.informed)
        told = [self._line.send(name, Told, now, replicas=replicas) for name in everybody if name not in self._out]
        return [effect for one in told for effect in one]

    def _at(self, at: Instant, reason: str, key: int) -> After:
        self._agenda.append((at, reason, key))
        return After(at, reason, key)

    def _end(self, now: Instant) -> list[Effect]:
        effects = self._line.end(now)
        if self._profile.report_period_us:
            for name in self._profile.clusters:
                hops = self._profile.line.network.path(self.name, name).hops
                reports = self._reports(name, now)
                stamps = (Stamp("control", reports * CONTROL_BYTES, reports),)
                for state in SENT_AND_THERE if reports else ():
                    effects += entries(name, self.name, hops, stamps, state)
        if not self._profile.moves:
            # Seen it was, and that is all.
            for number, seen in enumerate(self._profile.watched):
                if seen.declared_at < now:
                    ran = self._profile.initial.get(seen.cluster, 0)
                    self._failovers[number] = _Failover(seen.cluster, seen.out_at, seen.declared_at, ran, [], FOREVER)
        for number in sorted(self._failovers):
            effects.append(Record("failovers", asdict(self._failovers[number])))
        return effects

    def _reports(self, cluster: str, now: Instant) -> int:
        """How many reports a cluster has sent: none while it was out."""
        mine = [seen for seen in self._profile.watched if seen.cluster == cluster]
        silent = sum(max(0, min(seen.returns_at, now) - seen.out_at) for seen in mine)
        return max(0, now - self._begun_at - silent) // self._profile.report_period_us
