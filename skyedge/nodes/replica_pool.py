"""The replicas of the big model on one cluster: pictures first in, first out, by as many as there are at the moment.

Several replicas count as one that is so many times as fast, as in a plain server.  Unlike that, their number changes, and a
cluster that goes out loses what is not done: answers are asked for when the last picture of a transfer is done, and at once
for those that were done in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.events import Effect, Infer, Inferred, Items, Record, concatenate
from skyedge.nodes.answering import ModelService
from skyedge.nodes.backhaul import first_in_first_out
from skyedge.time import SECOND, Instant


@dataclass(frozen=True)
class Work:
    """Pictures of one transfer with the times at which each is done; -1 for a transfer that nobody waits for any more."""

    sender: str
    number: int
    pictures: Items


class ReplicaPool:
    """A server whose replicas come and go.

    Args:
        node: that it is part of.
        service: the model, and what a picture costs one replica.
    """

    def __init__(self, node: str, service: ModelService) -> None:
        self._node = node
        self._service = service
        self.replicas = 0
        self._free_at: Instant = 0
        self._token = 0
        self._at_work: dict[int, Work] = {}
        self._counted_at: Instant = 0
        self._replica_us = 0

    def pictures_at_work(self) -> int:
        """How many are not answered yet."""
        return sum(len(work.pictures) for work in self._at_work.values())

    def behind_s(self, now: Instant) -> float:
        """How much later what is taken in now is begun."""
        return max(0, self._free_at - now) / SECOND

    def set_replicas(self, replicas: int, now: Instant) -> None:
        """From now on so many; what is at work is done as it was promised."""
        self.replica_s(now)
        self.replicas = replicas

    def replica_s(self, now: Instant) -> float:
        """Seconds that replicas have been there, all together."""
        self._replica_us += self.replicas * (now - self._counted_at)
        self._counted_at = now
        return self._replica_us / SECOND

    def take(self, sender: str, number: int, pictures: Items, now: Instant) -> list[Effect]:
        """Look at pictures, each no earlier than its ``at``; there must be a replica."""
        each = max(1, round(self._service.seconds_per_scene * SECOND / self.replicas))
        arrivals = np.maximum(pictures.at, now)
        finish, self._free_at = first_in_first_out(arrivals, np.full(len(pictures), each, np.int64), self._free_at)
        joules = self._service.joules_per_scene * len(pictures)
        return [
            self._look(Work(sender, number, pictures.moved(finish)), int(finish.max())),
            Record("energy", {"node": self._node, "purpose": "inference", "joules": joules}),
        ]

    def finish(self, answer: Inferred) -> tuple[Work, NDArray[np.float32]] | None:
        """The work that an answer is about, and its logits; None if it was lost."""
        work = self._at_work.pop(answer.token, None)
        return None if work is None else (work, answer.logits)

    def next_finish(self) -> Instant | None:
        """When the first of the transfers at work is done."""
        return min((int(work.pictures.at.max()) for work in self._at_work.values()), default=None)

    def fall(self, now: Instant) -> tuple[list[Effect], Items]:
        """Lose what is not done; effects that ask for the answers of what is, and the pictures that are lost."""
        works, self._at_work = list(self._at_work.values()), {}
        self._free_at = now
        self.set_replicas(0, now)
        effects: list[Effect] = []
        lost = []
        for work in works:
            done = work.pictures.at <= now
            lost.append(work.pictures.take(~done))
            if done.any():
                effects.append(self._look(Work(work.sender, -1, work.pictures.take(done)), now))
        return effects, concatenate(lost)

    def _look(self, work: Work, at: Instant) -> Infer:
        self._token += 1
        self._at_work[self._token] = work
        return Infer(self._service.model, self._service.view, work.pictures.scene, at, self._token)
