"""An endpoint at work: places to work at, a line in front of them, and the moments at which it fails."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

from skyedge.layers.mesh.objects import MeshEndpoint
from skyedge.layers.mesh.traffic.behaviour import Behaviour, Failing, Failure
from skyedge.layers.mesh.traffic.draws import times_us, uniform
from skyedge.layers.mesh.traffic.qos import ServiceClasses, WaitingLine
from skyedge.layers.mesh.traffic.rate_limits import Limiter
from skyedge.streams import stream

Item = TypeVar("Item")


class Station(Generic[Item]):
    """One endpoint.

    Args:
        endpoint: who it is.
        behaviour: how it works and fails.
        classes: of service, for its line.
        limiters: its own rate limits.
        seed: of its draws, which depend on its name and on nothing else.
        number: by which columns name it.

    Attributes:
        free: places to work at.
        line: those who wait for one.
        reachable: whether the proxy in front of it is there.
    """

    def __init__(
        self,
        endpoint: MeshEndpoint,
        behaviour: Behaviour,
        classes: ServiceClasses,
        limiters: tuple[Limiter, ...],
        seed: int,
        number: int,
    ) -> None:
        self.endpoint = endpoint
        self.behaviour = behaviour
        self.limiters = limiters
        self.number = number
        self.free = behaviour.concurrency
        self.reachable = True
        self.line: WaitingLine[Item] = WaitingLine(classes)
        self.name = endpoint.full_name
        self._seed = seed
        self._refusing = tuple(one for one in behaviour.failing if one.how is Failure.REFUSE)
        self._striking = tuple(one for one in behaviour.failing if one.how is not Failure.REFUSE)

    @cached_property
    def work_us(self) -> Callable[[], int]:
        """Gives the next time of service."""
        return times_us(stream(self._seed, self.name, "service time"), self.behaviour.service_time)

    @cached_property
    def calls_chance(self) -> Callable[[], float]:
        """Gives the chance of the next call to another service."""
        return uniform(stream(self._seed, self.name, "calls"))

    @cached_property
    def _failure_chance(self) -> Callable[[], float]:
        return uniform(stream(self._seed, self.name, "failures"))

    def refuses(self, at_us: int) -> bool:
        """Whether connections are refused and cut off at a time."""
        if not self.reachable:
            return True
        return bool(self._refusing) and any(one.start_us <= at_us < one.end_us for one in self._refusing)

    def failure(self, at_us: int) -> Failing | None:
        """What strikes the request that it begins to work on; a share is drawn for each failing that is on."""
        for one in self._striking:
            if one.start_us <= at_us < one.end_us and (one.share >= 1.0 or self._failure_chance() < one.share):
                return one
        return None
