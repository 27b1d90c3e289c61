"""What an edge node and a cloud pool share: a server that looks at pictures.

The plain :class:`Server` looks at them one after the other.  An elastic pool
(:mod:`skyedge.nodes.elastic_server`) or a scheduled one (:mod:`skyedge.nodes.scheduled_server`) can stand in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skyedge.events import Effect, Infer, Inferred, Items, Record
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

    @property
    def watts(self) -> float:
        """What the device draws while it works."""
        return self.joules_per_scene / self.seconds_per_scene


class PictureServer(Protocol):
    """What looks at pictures within a node.  The node hands its own events on."""

    def begin(self, now: Instant) -> Sequence[Effect]:
        """The run begins."""
        ...

    def take(self, pictures: Items, now: Instant) -> Sequence[Effect]:
        """Look at ``pictures``, each no earlier than its ``at``."""
        ...

    def wake(self, now: Instant) -> Sequence[Effect]:
        """A moment has come that the server asked for."""
        ...

    def finish(self, answer: Inferred) -> tuple[Items, NDArray[np.float32]]:
        """The pictures that ``answer`` is about, with the time at which each is done, and its logits."""
        ...

    def next_finish(self) -> Instant | None:
        """No picture is done before, if none arrives; None if there is none."""
        ...

    def end(self, now: Instant) -> Sequence[Effect]:
        """The run is over: write down what was done."""
        ...


class AtWork:
    """Pictures whose answers have been asked for, by token."""

    def __init__(self, service: ModelService) -> None:
        self._service = service
        self._token = 0
        self._items: dict[int, Items] = {}

    def look(self, pictures: Items) -> Infer:
        """Ask for the answers of ``pictures``, each of which is done at its ``at``."""
        self._token += 1
        self._items[self._token] = pictures
        return Infer(self._service.model, self._service.view, pictures.scene, int(pictures.at.min()), self._token)

    def finish(self, answer: Inferred) -> tuple[Items, NDArray[np.float32]]:
        """See :class:`PictureServer`."""
        return self._items.pop(answer.token), answer.logits

    def next_finish(self) -> Instant | None:
        """See :class:`PictureServer`."""
        return min((int(items.at.min()) for items in self._items.values()), default=None)


class Server:
    """Serves pictures first in, first out.  Several replicas count as one that is so many times as fast."""

    def __init__(self, node: str, service: ModelService) -> None:
        self._node = node
        self.service = service
        self._free_at: Instant = 0
        self._at_work = AtWork(service)

    def begin(self, now: Instant) -> Sequence[Effect]:
        """It is always there."""
        return []

    def take(self, pictures: Items, now: Instant) -> Sequence[Effect]:
        """Begin on ``pictures``, each no earlier than its ``at``."""
        if not len(pictures):
            return []
        service = self.service
        each = max(1, round(service.seconds_per_scene * SECOND / service.replicas))
        arrivals = np.maximum(pictures.at, now)
        finish, self._free_at = first_in_first_out(arrivals, np.full(len(pictures), each, np.int64), self._free_at)
        joules = service.joules_per_scene * len(pictures)
        return [
            self._at_work.look(pictures.moved(finish)),
            Record("energy", {"node": self._node, "purpose": "inference", "joules": joules}),
        ]

    def wake(self, now: Instant) -> Sequence[Effect]:
        """It asks for no moment."""
        return []

    def finish(self, answer: Inferred) -> tuple[Items, NDArray[np.float32]]:
        """See :class:`PictureServer`."""
        return self._at_work.finish(answer)

    def next_finish(self) -> Instant | None:
        """When the first of the pictures at work is done."""
        return self._at_work.next_finish()

    def end(self, now: Instant) -> Sequence[Effect]:
        """Nothing is left to write."""
        return []
