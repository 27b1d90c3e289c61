"""What an edge node and a cloud pool share: a server that looks at pictures, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.events import Infer, Inferred, Items, Record
from skyedge.nodes.backhaul import first_in_first_out
from skyedge.time import SECOND, Instant


@dataclass(frozen=True)
class ModelService:
    """A model on a device: which picture it sees and what one scene costs."""

    model: str
    view: str
    seconds_per_scene: float
    joules_per_scene: float
    replicas: int = 1


class Server:
    """Serves pictures first in, first out.  Several replicas count as one that is so many times as fast."""

    def __init__(self, node: str, service: ModelService) -> None:
        self._node = node
        self.service = service
        self._free_at: Instant = 0
        self._token = 0
        self._at_work: dict[int, Items] = {}

    def take(self, pictures: Items, now: Instant) -> list[Infer | Record]:
        """Begin on ``pictures``, each no earlier than its ``at``."""
        if not len(pictures):
            return []
        service = self.service
        each = max(1, round(service.seconds_per_scene * SECOND / service.replicas))
        arrivals = np.maximum(pictures.at, now)
        finish, self._free_at = first_in_first_out(arrivals, np.full(len(pictures), each, np.int64), self._free_at)
        self._token += 1
        self._at_work[self._token] = pictures.moved(finish)
        joules = service.joules_per_scene * len(pictures)
        return [
            Infer(service.model, service.view, pictures.scene, int(finish.min()), self._token),
            Record("energy", {"node": self._node, "purpose": "inference", "joules": joules}),
        ]

    def finish(self, answer: Inferred) -> tuple[Items, NDArray[np.float32]]:
        """The pictures that ``answer`` is about, with the time at which each is done, and its logits."""
        return self._at_work.pop(answer.token), answer.logits

    def next_finish(self) -> Instant | None:
        """When the first of the pictures at work is done, or None."""
        return min((int(items.at.min()) for items in self._at_work.values()), default=None)
