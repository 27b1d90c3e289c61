"""A regional cluster: a pool of the big model at a place, which may have no replica, and may go out.

Everything that reaches it comes as a message, is settled with the ledger, and is lost while it is out.  What was taken and
not done is lost with it; answers that it has given are kept, for its discs outlive its power.  An answer counts when the
cluster has it: its user is there, as with the one cloud.  Other users ask for the newest answer over a zone; what another
cluster holds is fetched from there and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skyedge.events import After, Effect, Ended, Event, Inferred, Items, Record, Started, Woken
from skyedge.inference.scores import confidence
from skyedge.nodes.answer_store import AnswerStore
from skyedge.nodes.answering import ModelService
from skyedge.nodes.backhaul import split_scenes
from skyedge.nodes.cloud_pool import hand_over
from skyedge.nodes.messages import (
    Accepted,
    Alive,
    Answered,
    Asked,
    Completed,
    Fetch,
    Fetched,
    Holds,
    Message,
    Probe,
    Run,
    Serving,
    Submitted,
    Told,
    Train,
    TrainingData,
    settle,
)
from skyedge.nodes.replica_pool import ReplicaPool
from skyedge.nodes.terrestrial_line import CONTROL_BYTES, LineProfile, TerrestrialLine
from skyedge.nodes.training_desk import TrainingDesk, TrainingKind
from skyedge.time import FOREVER, Instant

ENTRY_BYTES = 16
"""What an answer takes in an announcement: a zone and a time."""


@dataclass(frozen=True, eq=False)
class ClusterProfile:
    """What a cluster is made of.

    Attributes:
        replicas: of the big model at the start of the run, ready.
        outages: spans of time in which it is out, in order.
        start_us: from the order to a replica that serves, once the image is there.
        control_plane: who gives orders.
        peers: the other clusters.
        tiers: the tier, ``on-board`` or ``edge``, whose answers each sender passes on.
        zone: of each scene.
        captured_at: of each scene.
        announces: whether peers are told what it holds, for users to find.
        answer_bytes: what a user is sent.
        trainings: that gather pictures here.
        prices: ``cores_per_replica`` and what else is known, for the bill.
    """

    name: str
    service: ModelService
    replicas: int
    outages: tuple[tuple[Instant, Instant], ...]
    start_us: int
    control_plane: str
    peers: tuple[str, ...]
    line: LineProfile
    tiers: Mapping[str, str]
    zone: NDArray[np.int64]
    captured_at: NDArray[np.int64]
    announces: bool = False
    answer_bytes: int = 0
    trainings: tuple[TrainingKind, ...] = ()
    prices: Mapping[str, float] = field(default_factory=dict)


class RegionalCluster:
    """The state machine of one cluster."""

    def __init__(self, profile: ClusterProfile) -> None:
        self.name = profile.name
        self._profile = profile
        self._line = TerrestrialLine(profile.name, profile.line)
        self._pool = ReplicaPool(profile.name, profile.service)
        self._store = AnswerStore(profile.name)
        self._desk = TrainingDesk(profile.name, profile.control_plane, profile.trainings, self._line)
        self._wanted = profile.replicas
        self._has_image = profile.replicas > 0
        self._down = False
        self._order = 0
        self._ready_at: Instant = FOREVER
        self._peers_out: frozenset[str] = frozenset()
        self._fetching: dict[int, Asked] = {}
        self._count = 0
        self._figures = dict.fromkeys(("answered", "lost_at_work", "lost_on_arrival", "refused", "fetched"), 0)

    def earliest_send(self) -> Instant:
        """When pictures are done, replicas are ready, or a training has its next step."""
        finish = self._pool.next_finish()
        return min(FOREVER if finish is None else finish, self._ready_at, self._desk.earliest_send())

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """React to an event; messages are lost while the cluster is out."""
        if isinstance(event, Message):
            if self._down:
                if isinstance(event, Submitted):
                    self._figures["lost_on_arrival"] += len(event.items)
                return settle(event, self.name, "lost")
            react = self._REACTIONS.get(type(event))
            return [*settle(event, self.name), *(react(self, event, now) if react else [])]
        match event:
            case Started():
                return self._begin(now)
            case Woken():
                return self._wake(event, now)
            case Inferred():
                return self._finish(event, now)
            case Ended():
                return self._end(now)
            case _:
                return []

    # ---------------------------------------------------------------------------------- its own moments

    def _begin(self, now: Instant) -> list[Effect]:
        self._pool.set_replicas(self._wanted, now)
        effects: list[Effect] = self._desk.begin(now)
        for falls_at, returns_at in self._profile.outages:
            effects += [After(falls_at, "falls"), After(returns_at, "returns")]
        return effects

    def _wake(self, event: Woken, now: Instant) -> list[Effect]:
        match event.reason:
            case "falls":
                self._down, self._ready_at = True, FOREVER
                self._order += 1
                self._fetching.clear()
                self._desk.fall()
                effects, lost = self._pool.fall(now)
                self._figures["lost_at_work"] += len(lost)
                return effects
            case "returns":
                self._down = False
                return self._start(now)
            case "ready" if event.key == self._order:
                self._ready_at = FOREVER
                return self._serve(now)
            case "trained":
                return self._desk.trained(event.key, now)
            case "training" if not self._down:
                return self._desk.wake(event.key, now)
            case "training":
                return self._desk.sleep_on(event.key, now)
            case _:
                return []

    def _start(self, now: Instant) -> list[Effect]:
        """Replicas that are wanted and not there take their time."""
        if self._wanted <= self._pool.replicas:
            return self._serve(now)
        self._order += 1
        self._ready_at = now + max(1, self._profile.start_us)
        return [After(self._ready_at, "ready", self._order)]

    def _serve(self, now: Instant) -> list[Effect]:
        self._pool.set_replicas(self._wanted, now)
        return self._line.send(self._profile.control_plane, Serving, now, replicas=self._wanted)

    def _finish(self, event: Inferred, now: Instant) -> list[Effect]:
        done = self._pool.finish(event)
        if done is None:
            return []
        work, logits = done
        pictures = work.pictures
        answers = Items(
            pictures.scene,
            pictures.kind,
            pictures.size_bytes,
            pictures.at,
            logits.argmax(axis=1).astype(np.int16),
            confidence(logits).astype(np.float32),
        )
        # The last picture of the transfer is done now, and the others were done before: at their own times.
        effects = [*hand_over(answers, "ground", 0), *self._keep(answers, now)]
        self._figures["answered"] += len(pictures)
        self._desk.put_by(int(pictures.size_bytes.sum()))
        if work.number >= 0 and not self._down:
            effects += self._line.send(work.sender, Completed, now, number=work.number)
        return effects

    def _end(self, now: Instant) -> list[Effect]:
        figures = {
            "cluster": self.name,
            "replicas": self._pool.replicas,
            "replica_s": self._pool.replica_s(now),
            "unfinished": self._pool.pictures_at_work(),
            **self._figures,
            **self._profile.prices,
        }
        return [*self._line.end(now), Record("clusters", figures)]

    # ---------------------------------------------------------------------------------- messages

    def _take(self, event: Submitted, now: Instant) -> list[Effect]:
        pictures, rest = split_scenes(event.items)
        if len(pictures) and not self._pool.replicas:
            self._figures["refused"] += len(event.items)
            return self._line.send(event.sender, Accepted, now, number=event.number, pictures=0, behind_s=0.0, refused=True)
        answers = rest.take(rest.scene >= 0)
        tier = self._profile.tiers.get(event.sender, "on-board")
        effects = [*hand_over(answers, tier, now), *self._keep(answers, now)]
        if len(pictures):
            effects += self._pool.take(event.sender, event.number, pictures, now)
        behind_s = self._pool.behind_s(now)
        accepted = self._line.send(
            event.sender, Accepted, now, number=event.number, pictures=len(pictures), behind_s=behind_s
        )
        return [*effects, *accepted]

    def _probed(self, event: Probe, now: Instant) -> list[Effect]:
        return self._line.send(event.sender, Alive, now, number=event.number)

    def _keep(self, answers: Items, now: Instant) -> list[Effect]:
        """Keep answers, and tell peers of those that are news."""
        if not self._profile.announces or not len(answers):
            return []
        zone, captured_at = self._profile.zone[answers.scene], self._profile.captured_at[answers.scene]
        news = self._store.put(self.name, zone, captured_at)
        if self._down or not news.any():
            return []
        size_bytes = CONTROL_BYTES + ENTRY_BYTES * int(news.sum())
        return [
            effect
            for peer in self._profile.peers
            for effect in self._line.send(
                peer, Holds, now, size_bytes=size_bytes, zone=zone[news], captured_at=captured_at[news]
            )
        ]

    def _note(self, event: Holds, now: Instant) -> list[Effect]:
        self._store.put(event.sender, event.zone, event.captured_at)
        return []

    def _told(self, event: Told, now: Instant) -> list[Effect]:
        self._peers_out = frozenset(name for name, replicas in event.replicas if replicas < 0)
        return []

    def _ordered(self, event: Run, now: Instant) -> list[Effect]:
        self._wanted = event.replicas
        self._order += 1
        return self._start(now)

    def _asked(self, event: Asked, now: Instant) -> list[Effect]:
        holder, captured_at = self._store.holder(event.zone, self._peers_out)
        if holder == self.name:
            return self._answer(event.sender, event.number, captured_at, event.at, now)
        self._count += 1
        self._fetching[self._count] = event
        return self._line.send(holder, Fetch, now, sent_at=event.at, number=self._count, zone=event.zone)

    def _fetch(self, event: Fetch, now: Instant) -> list[Effect]:
        _, captured_at = self._store.holder(event.zone, self._profile.peers)
        size_bytes = self._profile.answer_bytes
        content = {"number": event.number, "captured_at": captured_at}
        return self._line.send(
            event.sender, Fetched, now, size_bytes=size_bytes, traffic="result", sent_at=event.at, **content
        )

    def _fetched(self, event: Fetched, now: Instant) -> list[Effect]:
        asked = self._fetching.pop(event.number, None)
        if asked is None:
            return []
        self._figures["fetched"] += 1
        self._store.put(self.name, np.array([asked.zone]), np.array([event.captured_at]))
        return self._answer(asked.sender, asked.number, event.captured_at, event.at, now, fetched=True)

    def _answer(
        self, user: str, number: int, captured_at: Instant, at: Instant, now: Instant, *, fetched: bool = False
    ) -> list[Effect]:
        size_bytes = self._profile.answer_bytes if captured_at >= 0 else CONTROL_BYTES
        content: dict[str, Any] = {"number": number, "captured_at": captured_at, "fetched": fetched}
        return self._line.send(user, Answered, now, size_bytes=size_bytes, traffic="result", sent_at=at, **content)

    def _train(self, event: Train, now: Instant) -> list[Effect]:
        return self._desk.train(event, now)

    def _training_data(self, event: TrainingData, now: Instant) -> list[Effect]:
        return self._desk.arrived(event, now)

    _REACTIONS: ClassVar[dict[type[Message], Callable[[RegionalCluster, Any, Instant], list[Effect]]]] = {
        Submitted: _take,
        Probe: _probed,
        Holds: _note,
        Told: _told,
        Run: _ordered,
        Asked: _asked,
        Fetch: _fetch,
        Fetched: _fetched,
        Train: _train,
        TrainingData: _training_data,
    }
