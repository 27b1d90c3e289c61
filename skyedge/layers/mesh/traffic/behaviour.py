"""How endpoints behave: how long they work, how many requests at once, when they fail, whom they call, how far they are.

These are the facts of the world that a mesh's rules meet.  None of them is measured here: the defaults are assumed, and
whoever simulates says what holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.mesh.locality import ELSEWHERE, Locality, distance
from skyedge.layers.mesh.reach import Crossing, Kind, Reach

ALWAYS = 2**62


class Place(Protocol):
    """Where a caller or an endpoint is."""

    @property
    def locality(self) -> Locality:
        """Region, zone and subzone."""

    @property
    def node(self) -> str:
        """Empty is not known."""

    @property
    def network(self) -> str:
        """Empty has no name."""


class Shape(Enum):
    """How times of service are distributed."""

    CONSTANT = "constant"
    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"
    GAMMA = "gamma"


@dataclass(frozen=True)
class ServiceTime:
    """A distribution of times of service.

    Attributes:
        variation: standard deviation over mean, for ``LOGNORMAL`` and ``GAMMA``.

    Raises:
        InputError: if the mean is negative, or the variation not above zero.
    """

    mean_ms: float
    shape: Shape = Shape.EXPONENTIAL
    variation: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.mean_ms < math.inf:
            raise InputError(f"a time of service must not be negative or without end, and {self.mean_ms} ms is")
        if not self.variation > 0:
            raise InputError(f"the variation of times of service must be above zero, not {self.variation}")

    def sample_us(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draws, (count,), µs."""
        mean_us = self.mean_ms * 1000.0
        if self.shape is Shape.CONSTANT or mean_us == 0:
            drawn = np.full(count, mean_us)
        elif self.shape is Shape.EXPONENTIAL:
            drawn = generator.exponential(mean_us, count)
        elif self.shape is Shape.GAMMA:
            drawn = generator.gamma(self.variation**-2, mean_us * self.variation**2, count)
        else:
            spread = math.log1p(self.variation**2)
            drawn = generator.lognormal(math.log(mean_us) - spread / 2, math.sqrt(spread), count)
        return np.rint(drawn).astype(np.int64)


class Failure(Enum):
    """How a service fails."""

    STATUS = "status"
    """It answers with an error."""
    REFUSE = "refuse"
    """No connection to it can be opened, and what is on one is cut off."""
    SILENT = "silent"
    """It takes requests and never answers."""


@dataclass(frozen=True)
class Failing:
    """A time in which a share of the requests fails.

    Attributes:
        share: of requests; one that refuses, refuses all.
        status: for ``STATUS``.
    """

    start_us: int = 0
    end_us: int = ALWAYS
    share: float = 1.0
    how: Failure = Failure.STATUS
    status: int = 503

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or self.end_us < self.start_us:
            raise InputError("a time of failing ends after it starts, and its share is from 0 to 1")
        if self.how is Failure.REFUSE and self.share != 1:
            raise InputError("an endpoint that refuses connections refuses all of them: its share must be 1")


@dataclass(frozen=True)
class Call:
    """A further service that a request needs.

    Attributes:
        count: calls for each request; of a broken number the rest is a probability.
        headers_kept: headers of the request that go on with the call.
    """

    service: str
    count: float = 1.0
    path: str = "/"
    method: str = "GET"
    headers_kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Behaviour:
    """How an endpoint behaves.  Work comes first, then calls to others, all at once; the answer when all are back.

    Attributes:
        concurrency: requests that it works on at once; one that waits for others keeps no place (assumed: asynchronous).
        queue_limit: requests that may wait; those beyond get 503.
        failing: the first that strikes counts.
        request_bytes: of a request that says nothing else.
        started_us: when it came up, for a balancer that warms up; negative is before the start.
    """

    service_time: ServiceTime = ServiceTime(10.0)
    concurrency: int = 8
    queue_limit: int = 2**32 - 1
    failing: tuple[Failing, ...] = ()
    calls: tuple[Call, ...] = ()
    request_bytes: int = 1_000
    response_bytes: int = 10_000
    started_us: int = -ALWAYS

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.queue_limit < 0:
            raise InputError("an endpoint works on one request at least, and its queue is not negative")


class Narrow(NamedTuple):
    """A place on a way that messages cross one after another.

    Attributes:
        key: of the link; whoever has the same key crosses the same link.
        mbps: Mbit/s.
        delay_us: from its end to the next narrow place.
    """

    key: tuple[str, ...]
    mbps: float
    delay_us: int


@dataclass(frozen=True)
class Leg:
    """What lies between a caller and an endpoint.

    Attributes:
        delay_us: one way, all of it.
        out, back: narrow places for a request and for its answer, in the order in which each comes by.
    """

    delay_us: int
    out: tuple[Narrow, ...] = ()
    back: tuple[Narrow, ...] = ()


@dataclass(frozen=True)
class Network:
    """What is between callers and endpoints; delays are one way and by distance, assumed.

    Attributes:
        same_node_us: to an endpoint of the caller's own node.
        distance_us: same subzone, same zone, same region, another region.
        between_us: from a region to a region, in place of the last; the other way round too where that is not given.
        handshake_round_trips: to open a connection: one of TCP, one of TLS 1.3 (RFC 8446).
        links_mbps: from a region to a region, Mbit/s; messages between others are sent in no time.
        reach: which networks can call which, and through what; None: there is one, and everybody reaches everybody.
    """

    same_node_us: int = 50
    distance_us: tuple[int, int, int, int] = (250, 500, 1_000, 20_000)
    between_us: Mapping[tuple[str, str], int] = field(default_factory=dict)
    handshake_round_trips: int = 2
    links_mbps: Mapping[tuple[str, str], float] = field(default_factory=dict)
    reach: Reach | None = None

    def __post_init__(self) -> None:
        if any(not rate > 0 for rate in self.links_mbps.values()):
            raise InputError("the rate of a link must be above zero")

    def reaches(self, caller: Place, other: Place) -> bool:
        """Whether a call can get to an endpoint at all.

        Raises:
            InputError: if one of the two is in a network that there is not.
        """
        return self.reach is None or self.reach.way(caller.network, other.network).kind is not Kind.NONE

    def leg(self, caller: Place, other: Place) -> Leg:
        """From a caller to an endpoint: here what :mod:`~skyedge.layers.mesh.reach` says becomes µs, Mbit/s and links.

        Gateways and channels come on top of the delay by distance.  That says how far apart two places are, and a channel
        only what the last mile of a site adds: so an edge is further from another continent than from its own region.
        The answer goes back as the request came; the two directions of a link are apart, as on a line in full duplex.

        Raises:
            InputError: if there is no way, or one of the two is in a network that there is not.
        """
        delay_us = one_way_us(self, caller, other)
        regions = (caller.locality.region, other.locality.region)
        crossings: tuple[Crossing, ...] = ()
        if self.reach is not None and caller.network != other.network:
            way = self.reach.way(caller.network, other.network)
            if way.kind is Kind.NONE:
                raise InputError(f"there is no way from '{caller.network}' to '{other.network}': {way.why}")
            crossings = way.crossings
            delay_us += round(way.delay_ms * 1000)
        if not crossings and not self.links_mbps:
            return Leg(delay_us)
        out = self._narrow(regions, crossings)
        back = self._narrow((regions[1], regions[0]), [one.turned for one in crossings])
        return Leg(delay_us, out, back)

    def _narrow(self, regions: tuple[str, str], crossings: Iterable[Crossing]) -> tuple[Narrow, ...]:
        """The line of the site that is left, the link between the regions, the line of the site that is entered."""
        rate = self.links_mbps.get(regions)
        between = () if rate is None else (Narrow(regions, rate, 0),)
        left = [_line(one) for one in crossings if one.outwards]
        entered = [_line(one) for one in crossings if not one.outwards]
        return (*left, *between, *entered)


@dataclass(frozen=True)
class Behaviours:
    """How every endpoint behaves: its own word, then its service's, then ``usual``.

    Attributes:
        endpoints: by service and address.
        services: by host.
    """

    usual: Behaviour = Behaviour()
    services: Mapping[str, Behaviour] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, str], Behaviour] = field(default_factory=dict)
    network: Network = Network()

    def of(self, service: str, address: str) -> Behaviour:
        """How one endpoint behaves."""
        return self.endpoints.get((service, address)) or self.services.get(service) or self.usual


def _line(crossing: Crossing) -> Narrow:
    key = ("line of", crossing.site, "out" if crossing.outwards else "in")
    return Narrow(key, crossing.bytes_per_s * 8 / 1e6, round(crossing.delay_ms * 1000))


def one_way_us(network: Network, caller: Place, other: Place) -> int:
    """The delay of the network from one place to another, µs."""
    if caller.node and caller.node == other.node:
        return network.same_node_us
    away = distance(caller.locality, other.locality)
    if away == ELSEWHERE:
        here, there = caller.locality.region, other.locality.region
        given = network.between_us.get((here, there), network.between_us.get((there, here)))
        if given is not None:
            return given
    return network.distance_us[away]
