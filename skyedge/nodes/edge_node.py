"""An edge node at a ground station: a middle-sized model answers what it is sure of, so that less goes on.

What it is sure of leaves the site as an answer of some tens of bytes; the rest goes on as pictures.
"""

from __future__ import annotations

import numpy as np

from skyedge.events import KIND_RESULT, Arrived, Effect, Ended, Event, Inferred, Started, Woken, concatenate
from skyedge.inference.scores import confidence
from skyedge.nodes.answering import PictureServer
from skyedge.nodes.backhaul import split_scenes
from skyedge.nodes.onward import Onward
from skyedge.time import Instant


class EdgeNode:
    """The state machine of one edge node.

    Args:
        name: unique in the world.
        server: runs its model.
        onward: the way that answers and doubtful pictures take.
        accept_confidence: an answer at least this sure is final.
        temperature: calibrates the model's confidence.
        result_bytes: size of an answer.
    """

    def __init__(
        self,
        name: str,
        server: PictureServer,
        onward: Onward,
        *,
        accept_confidence: float,
        temperature: float,
        result_bytes: int,
    ) -> None:
        self.name = name
        self._server = server
        self._onward = onward
        self._accept_confidence = accept_confidence
        self._temperature = temperature
        self._result_bytes = result_bytes

    def earliest_send(self) -> Instant:
        """When the first of the pictures that are here may be done, or something is sent again."""
        finish = self._server.next_finish()
        again = self._onward.earliest_send()
        return again if finish is None else min(finish, again)

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Look at what arrives; send on what is not a picture."""
        effects = self._onward.handle(event, now)
        if effects is not None:
            return effects
        match event:
            case Arrived():
                pictures, rest = split_scenes(event.items)
                return [*self._server.take(pictures, now), *self._onward.carry(rest, now)]
            case Inferred():
                return self._decide(event, now)
            case Started():
                return list(self._server.begin(now))
            case Woken():
                return list(self._server.wake(now))
            case Ended():
                return [*self._server.end(now), *self._onward.end(now)]
            case _:
                return []

    def _decide(self, event: Inferred, now: Instant) -> list[Effect]:
        pictures, logits = self._server.finish(event)
        sureness = confidence(logits / np.float32(self._temperature))
        sure = sureness >= self._accept_confidence
        answers = pictures.take(sure)
        answers = type(answers)(
            scene=answers.scene,
            kind=np.full(len(answers), KIND_RESULT, np.uint8),
            size_bytes=np.full(len(answers), self._result_bytes, np.int64),
            at=answers.at,
            predicted=logits[sure].argmax(axis=1).astype(np.int16),
            confidence=sureness[sure].astype(np.float32),
        )
        return self._onward.carry(concatenate([answers, pictures.take(~sure)]), now)
