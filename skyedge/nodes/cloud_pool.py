"""A cloud pool: the big model looks at every picture that reaches it, and every answer reaches the user here."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from skyedge.events import Arrived, Effect, Ended, Event, Inferred, Items, Record, Started, Woken
from skyedge.inference.scores import confidence
from skyedge.nodes.answering import PictureServer
from skyedge.nodes.backhaul import split_scenes
from skyedge.time import FOREVER, Instant


class CloudPool:
    """The state machine of one pool.

    Args:
        name: unique in the world.
        server: runs the big model.
        tiers: the tier, ``on-board`` or ``edge``, whose answers each sender passes on.
    """

    def __init__(self, name: str, server: PictureServer, tiers: Mapping[str, str]) -> None:
        self.name = name
        self._server = server
        self._tiers = dict(tiers)

    def earliest_send(self) -> Instant:
        """A pool answers its users and sends nothing to other nodes."""
        return FOREVER

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Hand answers to the user; look at pictures."""
        match event:
            case Arrived():
                pictures, rest = split_scenes(event.items)
                answers = rest.take(rest.scene >= 0)
                tier = self._tiers.get(event.sender, "on-board")
                return [*hand_over(answers, tier, now), *self._server.take(pictures, now)]
            case Inferred():
                return hand_over(self._answers(event), "ground", now)
            case Started():
                return list(self._server.begin(now))
            case Woken():
                return list(self._server.wake(now))
            case Ended():
                return list(self._server.end(now))
            case _:
                return []

    def _answers(self, event: Inferred) -> Items:
        pictures, logits = self._server.finish(event)
        return Items(
            pictures.scene,
            pictures.kind,
            pictures.size_bytes,
            pictures.at,
            logits.argmax(axis=1).astype(np.int16),
            confidence(logits).astype(np.float32),
        )


def hand_over(answers: Items, tier: str, now: Instant) -> list[Effect]:
    """Answers of a tier reach the user, each no earlier than its ``at``."""
    if not len(answers):
        return []
    columns = {
        "scene": answers.scene,
        "tier": tier,
        "predicted": answers.predicted,
        "confidence": answers.confidence,
        "answered_at": np.maximum(answers.at, now),
    }
    return [Record("answers", columns)]
