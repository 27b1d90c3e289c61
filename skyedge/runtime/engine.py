"""The windowed engine: hosts run ahead to their horizons, exchange what they sent, and run ahead again.

One *window* is one round of that.  The engine is the same whether the hosts live in this process or in Ray actors;
it sees them through :class:`HostHandle`.  With a single host there is nothing to wait for and a run is one window.

Recovery: the engine keeps, for each host, the last checkpoint and the inputs of every window since.  A host that
dies is started again, restored and replayed; since a host is a pure function of its inputs, the replay sends what
was sent before, and those messages are dropped.  An *epoch* number rises with each restart, so that a host that
comes back from the dead cannot answer for its successor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from skyedge.errors import CausalityError, SkyedgeError
from skyedge.ledger import Ledger
from skyedge.runtime.horizon import Channel, Horizons
from skyedge.runtime.host import Harvest, Host, Message, Report
from skyedge.time import FOREVER, Instant


class HostLost(SkyedgeError):
    """A host died or was cut off while it was asked something."""


class HostHandle(Protocol):
    """A host, wherever it runs.  Requests start at once; calling what they return waits for the answer.

    Every request may raise :class:`HostLost`, when it is made or when its answer is waited for.
    """

    def advance(self, horizon: Instant, inbox: Sequence[Message]) -> Callable[[], Report]:
        """Run ahead to ``horizon``."""
        ...

    def checkpoint(self) -> bytes:
        """The state from which :meth:`restart` can go on."""
        ...

    def restart(self, checkpoint: bytes | None) -> None:
        """Start afresh under a new epoch, from ``checkpoint`` (None: from the beginning)."""
        ...

    def harvest(self) -> Harvest:
        """End the run."""
        ...


class LocalHost:
    """A host in this process."""

    def __init__(self, build: Callable[[], Host]) -> None:
        self._build = build
        self._host = build()

    def advance(self, horizon: Instant, inbox: Sequence[Message]) -> Callable[[], Report]:
        report = self._host.advance(horizon, inbox)
        return lambda: report

    def checkpoint(self) -> bytes:
        return self._host.checkpoint()

    def restart(self, checkpoint: bytes | None) -> None:
        self._host = self._build()
        if checkpoint is not None:
            self._host.restore(checkpoint)

    def harvest(self) -> Harvest:
        return self._host.harvest()


@dataclass
class _Window:
    horizon: Instant
    inbox: list[Message]


@dataclass
class _Seat:
    """What the engine remembers of one host."""

    handle: HostHandle
    inbox: list[Message] = field(default_factory=list)
    report: Report | None = None
    checkpoint: bytes | None = None
    log: list[_Window] = field(default_factory=list)


@dataclass(frozen=True)
class EngineOutcome:
    """What a run leaves: the merged ledger, the records in order of time and node, and how the engine fared."""

    ledger: Ledger
    records: list[tuple[Instant, str, dict[str, Any]]]
    windows: int
    events: int
    recoveries: int


class Engine:
    """Runs the hosts of one world to its end.

    Args:
        handles: the hosts.
        host_of: index of the host that carries each node.
        channels: every direction in which one node may reach another.
        end: the end of the run.
        checkpoint_every_windows: windows between two checkpoints; 0 for none (a lost host replays from the start).
        on_window: called after each window with its number; a seam for progress and for tests that kill hosts.
    """

    MAXIMUM_RESTARTS = 5

    def __init__(
        self,
        handles: Sequence[HostHandle],
        host_of: dict[str, int],
        channels: Sequence[Channel],
        end: Instant,
        *,
        checkpoint_every_windows: int = 0,
        on_window: Callable[[int], None] | None = None,
    ) -> None:
        self._seats = [_Seat(handle) for handle in handles]
        self._host_of = host_of
        self._horizons = Horizons(channels, host_of)
        self._end = end
        self._checkpoint_every = checkpoint_every_windows
        self._on_window = on_window
        self._recoveries = 0

    def run(self) -> EngineOutcome:
        """Run to the end and merge what the hosts leave.

        Raises:
            HostLost: if a host keeps dying.
        """
        windows = 0
        # A first window up to "now" lets every host say what it might send, before anyone runs ahead.
        horizons = [self._end if len(self._seats) == 1 else 0] * len(self._seats)
        while True:
            self._advance(horizons)
            windows += 1
            if self._on_window is not None:
                self._on_window(windows)
            if self._checkpoint_every and windows % self._checkpoint_every == 0:
                self._save()
            if self._finished():
                break
            horizons = self._next_horizons()
            if not any(self._can_move(seat, horizon) for seat, horizon in zip(self._seats, horizons, strict=True)):
                raise CausalityError("every host waits for another: some cycle of channels takes no time")
        harvests = [self._ask(seat, lambda handle: handle.harvest()) for seat in self._seats]
        return _merge(harvests, windows, self._recoveries)

    def _finished(self) -> bool:
        return all(
            seat.report is not None
            and seat.report.next_event >= self._end
            and all(message.at >= self._end for message in seat.inbox)
            for seat in self._seats
        )

    def _next_horizons(self) -> list[Instant]:
        declared: dict[str, Instant] = {}
        for seat in self._seats:
            assert seat.report is not None
            declared.update(seat.report.earliest_sends)
            for message in seat.inbox:
                declared[message.target] = min(declared.get(message.target, FOREVER), message.at)
        return self._horizons.horizons(declared, len(self._seats))

    def _advance(self, horizons: Sequence[Instant]) -> None:
        """One window: advance every host that has something to do, all at once, and deal out what they sent."""
        waiting: list[tuple[_Seat, Callable[[], Report]]] = []
        for seat, horizon in zip(self._seats, horizons, strict=True):
            if not self._can_move(seat, horizon):
                continue
            window = _Window(horizon, seat.inbox)
            seat.inbox = []
            seat.log.append(window)
            waiting.append((seat, self._begin(seat, window)))
        outboxes: list[list[Message]] = []
        for seat, answer in waiting:
            try:
                seat.report = answer()
            except HostLost:
                seat.report = self._recover(seat)
            outboxes.append(seat.report.outbox)
        for outbox in outboxes:
            for message in outbox:
                self._seats[self._host_of[message.target]].inbox.append(message)

    def _can_move(self, seat: _Seat, horizon: Instant) -> bool:
        return seat.report is None or bool(seat.inbox) or seat.report.next_event < min(horizon, self._end)

    def _begin(self, seat: _Seat, window: _Window) -> Callable[[], Report]:
        try:
            return seat.handle.advance(window.horizon, window.inbox)
        except HostLost:
            return lambda: self._recover(seat)

    def _recover(self, seat: _Seat) -> Report:
        """Restart, restore and replay a lost host; the answer to the last window of its log is the one awaited."""
        for _ in range(self.MAXIMUM_RESTARTS):
            self._recoveries += 1
            try:
                seat.handle.restart(seat.checkpoint)
                report = seat.report
                for window in seat.log:
                    report = seat.handle.advance(window.horizon, window.inbox)()
            except HostLost:
                continue
            if report is None:
                raise HostLost("a host was lost before it had begun")
            return report
        raise HostLost(f"a host was lost {self.MAXIMUM_RESTARTS} times in a row")

    def _save(self) -> None:
        for seat in self._seats:
            seat.checkpoint = self._ask(seat, lambda handle: handle.checkpoint())
            seat.log.clear()

    def _ask(self, seat: _Seat, question: Callable[[HostHandle], Any]) -> Any:
        try:
            return question(seat.handle)
        except HostLost:
            self._recover(seat)
            return question(seat.handle)


def _merge(harvests: Sequence[Harvest], windows: int, recoveries: int) -> EngineOutcome:
    ledger = Ledger()
    for harvest in harvests:
        ledger.merge(harvest.ledger)
    rows = sorted((row for harvest in harvests for row in harvest.records), key=lambda row: row[:3])
    records = [(at, table, columns) for at, _, _, table, columns in rows]
    return EngineOutcome(ledger, records, windows, sum(harvest.events for harvest in harvests), recoveries)
