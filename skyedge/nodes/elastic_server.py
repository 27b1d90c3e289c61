"""Pictures looked at by an elastic pool: instances come when they are wanted, and are paid for while they are there.

The pool itself decides in :mod:`skyedge.layers.elastic`; here its wakes become the node's, its work the node's pictures,
and its bill a row of the run's records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from skyedge.events import After, Effect, Infer, Inferred, Items, Record, concatenate, no_items
from skyedge.layers.elastic import Autoscaler, ElasticPool, PoolProfile
from skyedge.nodes.answering import AtWork, ModelService
from skyedge.time import FOREVER, Instant


class ElasticServer:
    """Serves pictures first in, first out, each by one instance, which takes the service's seconds for it.

    Args:
        node: the node that it is part of.
        service: the model, and what a picture costs *one instance*; replicas do not count.
        profile: what an instance is and costs.
        autoscaler: a fresh one.
        seed: of the run.
        start: of the run.
    """

    def __init__(
        self, node: str, service: ModelService, profile: PoolProfile, autoscaler: Autoscaler, *, seed: int, start: Instant
    ) -> None:
        self._node = node
        self._service = service
        self._pool = ElasticPool(profile, autoscaler, name=node, seed=seed, start=start)
        self._at_work = AtWork(service)
        self._held = no_items()
        self._numbers = np.empty(0, np.int64)  # of the pictures held, ascending
        self._taken = 0
        self._woken_at: Instant = FOREVER
        self._served: list[NDArray[np.int64]] = []

    def begin(self, now: Instant) -> Sequence[Effect]:
        """Let the autoscaler look."""
        return self._go_on(now)

    def take(self, pictures: Items, now: Instant) -> Sequence[Effect]:
        """Offer ``pictures`` to the pool."""
        if not len(pictures):
            return []
        numbers = np.arange(self._taken, self._taken + len(pictures))
        self._taken += len(pictures)
        self._held = concatenate([self._held, pictures])
        self._numbers = np.concatenate([self._numbers, numbers])
        self._pool.offer(numbers, pictures.at, np.full(len(pictures), self._service.seconds_per_scene), now)
        return self._wake_up(now)

    def wake(self, now: Instant) -> Sequence[Effect]:
        """Let happen what was to happen."""
        if now >= self._woken_at:
            self._woken_at = FOREVER
        return self._go_on(now)

    def finish(self, answer: Inferred) -> tuple[Items, NDArray[np.float32]]:
        """See :class:`~skyedge.nodes.answering.PictureServer`."""
        return self._at_work.finish(answer)

    def next_finish(self) -> Instant | None:
        """When something may happen to a picture."""
        times = [self._at_work.next_finish(), self._pool.next_wake() if len(self._held) else None]
        return min((at for at in times if at is not None), default=None)

    def end(self, now: Instant) -> Sequence[Effect]:
        """The bill, and how long each picture was here."""
        self._go_on(now)
        bill = asdict(self._pool.bill())
        _, size = self._pool.size_log()
        joules = bill["worked_s"] * self._service.watts
        about = {
            "price_per_hour": self._pool.profile.instance.price(self._pool.profile.purchase),
            "most_instances": int(size.max()),
            "unfinished": len(self._held),
        }
        effects: list[Effect] = [
            Record("energy", {"node": self._node, "purpose": "inference", "joules": joules}),
            Record("pools", {"pool": self._node, **bill, **about}),
        ]
        if self._served:
            arrived, finished = np.concatenate(self._served, axis=1)
            effects.append(Record("served", {"pool": self._node, "arrived_us": arrived, "finished_us": finished}))
        return effects

    def _go_on(self, now: Instant) -> list[Effect]:
        return [*self._advance(now), *self._wake_up(now)]

    def _advance(self, now: Instant) -> list[Infer]:
        done = self._pool.advance(now)
        if not len(done):
            return []
        rows = np.searchsorted(self._numbers, done.item)
        finished = self._held.take(rows).moved(done.finished_us)
        left = np.ones(len(self._numbers), bool)
        left[rows] = False
        self._held, self._numbers = self._held.take(left), self._numbers[left]
        self._served.append(np.stack([done.arrived_us, done.finished_us]))
        return [self._at_work.look(finished)]

    def _wake_up(self, now: Instant) -> list[After]:
        """Ask for the pool's next moment, if it has not been asked for."""
        at = max(self._pool.next_wake(), now)
        if at >= self._woken_at:
            return []
        self._woken_at = at
        return [After(at, "pool")]
