"""Hosts that live in Ray actors: a thin actor around :class:`~skyedge.runtime.host.Host`.

``grouped`` hosting deals the nodes over a few actors, ``per-node`` gives each node an actor of its own name; both
are the same actor.  What it costs: about 60 MB and half a second each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from skyedge.errors import SkyedgeError
from skyedge.runtime.engine import HostLost
from skyedge.runtime.host import Harvest, Host, Message, Report
from skyedge.runtime.ray_cluster import machines, reason_of
from skyedge.time import Instant


class Fenced(SkyedgeError):
    """A request of another epoch: its sender has been replaced, or this host has."""


class HostActor:
    """What runs in the actor.  Every request carries the epoch in which it was made."""

    def __init__(self, epoch: int, build: Callable[[], Host], checkpoint: bytes | None) -> None:
        self._epoch = epoch
        self._host = build()
        if checkpoint is not None:
            self._host.restore(checkpoint)

    def _check(self, epoch: int) -> None:
        if epoch != self._epoch:
            raise Fenced(f"epoch {epoch} asked a host of epoch {self._epoch}")

    def advance(self, epoch: int, horizon: Instant, inbox: Sequence[Message]) -> Report:
        """See :meth:`Host.advance`."""
        self._check(epoch)
        return self._host.advance(horizon, inbox)

    def checkpoint(self, epoch: int) -> bytes:
        """See :meth:`Host.checkpoint`."""
        self._check(epoch)
        return self._host.checkpoint()

    def harvest(self, epoch: int) -> Harvest:
        """See :meth:`Host.harvest`."""
        self._check(epoch)
        return self._host.harvest()

    def process(self) -> tuple[int, str]:
        """(process id, Ray node id) of the actor, for tests that end it and for the overhead report."""
        import os

        import ray

        return os.getpid(), str(ray.get_runtime_context().get_node_id())


class RayHost:
    """The engine's handle on a host in an actor.

    Args:
        ray: the module, so that it is imported where it is needed and nowhere else.
        name: name of the actor, unique in the cluster.
        build: makes the host, in the actor's process; large arrays in it should sit behind a Ray object.
        place: which machine it runs on, counted round; after a loss it moves to the next, since the old one may be
            dead without the cluster's knowing.
        labels: labels of the machine it must run on; they come before ``place``.
        patience_s: how long an answer may take before the host counts as lost.
    """

    def __init__(
        self,
        ray: Any,
        name: str,
        build: Callable[[], Host],
        *,
        place: int | None = None,
        labels: dict[str, str] | None = None,
        patience_s: float = 600.0,
    ) -> None:
        self._ray = ray
        self._name = name
        self._build = ray.put(build)
        self._place = place
        self._labels = labels
        self._patience_s = patience_s
        self._epoch = 0
        self._actor = self._start(None)

    def _start(self, checkpoint: bytes | None) -> Any:
        # num_cpus=0: a host waits most of the time, and the cluster's cores are shared out by run, not by host.
        options: dict[str, Any] = {"num_cpus": 0, "max_restarts": 0, "name": f"{self._name}#{self._epoch}"}
        if self._labels:
            options["label_selector"] = self._labels
        elif self._place is not None:
            from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

            alive = machines(self._ray)
            home = alive[(self._place + self._epoch) % len(alive)]
            # Not soft: Ray takes a soft wish lightly while a machine has no idle process.
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(home, soft=False)
        actor_class = self._ray.remote(HostActor)
        return actor_class.options(**options).remote(self._epoch, self._build, checkpoint)

    def _get(self, reference: Any) -> Any:
        exceptions = self._ray.exceptions
        try:
            return self._ray.get(reference, timeout=self._patience_s)
        except exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, SkyedgeError) else error) from None
        except exceptions.RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise SkyedgeError(f"host {self._name} does not start: {reason_of(error)}") from None
            raise HostLost(f"host {self._name} was lost: {reason_of(error)}") from None

    def advance(self, horizon: Instant, inbox: Sequence[Message]) -> Callable[[], Report]:
        reference = self._actor.advance.remote(self._epoch, horizon, list(inbox))
        return lambda: self._get(reference)

    def checkpoint(self) -> bytes:
        result: bytes = self._get(self._actor.checkpoint.remote(self._epoch))
        return result

    def restart(self, checkpoint: bytes | None) -> None:
        self.stop()
        self._epoch += 1
        self._actor = self._start(checkpoint)

    def harvest(self) -> Harvest:
        result: Harvest = self._get(self._actor.harvest.remote(self._epoch))
        return result

    def process(self) -> tuple[int, str]:
        """(process id, Ray node id) of the actor."""
        result: tuple[int, str] = self._get(self._actor.process.remote())
        return result

    def stop(self) -> None:
        """End the actor; harmless if it is dead."""
        self._ray.kill(self._actor, no_restart=True)
