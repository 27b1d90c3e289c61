"""A cluster's part in trainings: it puts by pictures, says how much it has, sends it to where a training runs, and trains.

A training comes round in a fixed period.  At each turn every cluster says how many bytes it has put by since it last gave
any away; the control plane decides where this turn runs; the others send what they have, and when all of it is there the
training begins.  What a training learns is not part of this: bytes, hops and times are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from skyedge.events import After, Effect, Record
from skyedge.nodes.messages import Gathered, Train, TrainingData
from skyedge.nodes.terrestrial_line import CONTROL_BYTES, TerrestrialLine
from skyedge.time import FOREVER, Instant


@dataclass(frozen=True)
class TrainingKind:
    """A training that comes round: first at ``first_at``, then every ``period_us``; each turn takes ``duration_us``."""

    name: str
    first_at: Instant
    period_us: int
    duration_us: int


@dataclass
class _Turn:
    order: Train
    missing: set[str]
    asked_at: Instant
    moved_bytes: int = 0
    data_bytes: int = 0


@dataclass
class _Kind:
    kind: TrainingKind
    next_at: Instant
    put_by: int = 0
    turn: _Turn | None = None
    running: dict[str, Any] | None = None


class TrainingDesk:
    """The state of all trainings at one cluster.

    Args:
        cluster: its name.
        control_plane: who decides where a training runs.
        trainings: that there are.
        line: the cluster's line.
    """

    def __init__(self, cluster: str, control_plane: str, trainings: Sequence[TrainingKind], line: TerrestrialLine) -> None:
        self._cluster = cluster
        self._control_plane = control_plane
        self._line = line
        self._kinds = [_Kind(kind, kind.first_at) for kind in trainings]

    def put_by(self, size_bytes: int) -> None:
        """Pictures have been answered and are kept for every training."""
        for kind in self._kinds:
            kind.put_by += size_bytes

    def earliest_send(self) -> Instant:
        """The next turn."""
        return min((kind.next_at for kind in self._kinds), default=FOREVER)

    def begin(self, now: Instant) -> list[Effect]:
        """Look out for the first turns."""
        return [After(kind.next_at, "training", number) for number, kind in enumerate(self._kinds)]

    def wake(self, key: int, now: Instant) -> list[Effect]:
        """A turn comes round: say what is there."""
        kind = self._kinds[key]
        said = self._line.send(self._control_plane, Gathered, now, training=kind.kind.name, data_bytes=kind.put_by)
        return [*said, *self.sleep_on(key, now)]

    def sleep_on(self, key: int, now: Instant) -> list[Effect]:
        """Wait for the next turn."""
        kind = self._kinds[key]
        kind.next_at = now + kind.kind.period_us
        return [After(kind.next_at, "training", key)]

    def fall(self) -> None:
        """What was being trained, or waited for, is lost."""
        for kind in self._kinds:
            kind.turn = kind.running = None

    def trained(self, key: int, now: Instant) -> list[Effect]:
        """A turn's time is up: it is done, unless it was lost."""
        kind = self._kinds[key]
        row, kind.running = kind.running, None
        return [Record("trainings", row)] if row is not None and row["done_at"] == now else []

    def train(self, order: Train, now: Instant) -> list[Effect]:
        """A turn has its home: begin it here, or send there what was put by."""
        kind = self._of(order.training)
        if order.home == self._cluster:
            kind.turn = _Turn(order, set(order.senders) - {self._cluster}, now, data_bytes=kind.put_by)
            kind.put_by = 0
            return self._begin_if_all_there(kind, now)
        size_bytes, kind.put_by = max(CONTROL_BYTES, kind.put_by), 0
        content: dict[str, Any] = {"training": order.training, "number": order.number}
        return self._line.send(order.home, TrainingData, now, size_bytes=size_bytes, traffic="scene", **content)

    def arrived(self, event: TrainingData, now: Instant) -> list[Effect]:
        """Data of another cluster are here."""
        kind = self._of(event.training)
        turn = kind.turn
        size_bytes = sum(stamp.size_bytes for stamp in event.stamps)
        if turn is None or turn.order.number != event.number:
            kind.put_by += size_bytes  # too late for its turn: it waits for the next
            return []
        turn.missing.discard(event.sender)
        turn.moved_bytes += size_bytes
        turn.data_bytes += size_bytes
        return self._begin_if_all_there(kind, now)

    def _of(self, name: str) -> _Kind:
        return next(kind for kind in self._kinds if kind.kind.name == name)

    def _begin_if_all_there(self, kind: _Kind, now: Instant) -> list[Effect]:
        turn = kind.turn
        if turn is None or turn.missing:
            return []
        kind.turn = None
        kind.running = {
            "training": turn.order.training,
            "number": turn.order.number,
            "cluster": self._cluster,
            "asked_at": turn.asked_at,
            "begun_at": now,
            "done_at": now + kind.kind.duration_us,
            "data_bytes": turn.data_bytes,
            "moved_bytes": turn.moved_bytes,
        }
        return [After(now + kind.kind.duration_us, "trained", self._kinds.index(kind))]
