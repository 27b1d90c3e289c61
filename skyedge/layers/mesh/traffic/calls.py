"""What traffic leaves behind: one row for each request and one for each attempt, in columns.

A request is what a caller wants; an attempt is one endpoint asked for it, so a request that was repeated has several, and
one that its own proxy answered has none.  Calls that an endpoint makes on the way are requests too and name the attempt that
made them.  Names are kept once, columns hold their numbers.  Everything that telemetry shows is read from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.locality import Locality

NOBODY = -1
"""In place of a number: no attempt, no endpoint, no route."""
NEVER = -1
"""In place of a time: it did not happen."""

Numbers = NDArray[np.int64]


class Flags(Flag):
    """Why a proxy answered as it did (Envoy's response flags)."""

    NONE = 0
    UO = 1
    """A circuit breaker was open, for the request or for its retry."""
    UT = 2
    """A timeout."""
    UF = 4
    """No connection to the endpoint."""
    UC = 8
    """The endpoint cut the connection off."""
    UH = 16
    """No healthy endpoint."""
    URX = 32
    """It was repeated as often as allowed."""
    NR = 64
    """No route."""
    NC = 128
    """A route to what is not there."""
    RL = 256
    """A rate limit."""
    DI = 512
    """A delay was put in."""
    FI = 1024
    """An error was put in."""
    DC = 2048
    """Nobody waits any longer: the time ended first."""


@cache
def flag_text(flags: int) -> str:
    """Envoy's way to write flags: names with commas between, ``-`` for none."""
    return ",".join(name for name, one in Flags.__members__.items() if one.value & flags) or "-"


@dataclass(frozen=True)
class Requests:
    """Requests, one a row.

    Attributes:
        parent: the attempt that made the request, ``NOBODY`` for those that came from outside.
        root: the request from outside that all began with.
        mirror: whether it is a copy, whose answer nobody sees.
        caller: of ``Calls.callers``.
        service: that was asked for, of ``Calls.services``.
        route: the number of the rule that matched, ``NOBODY`` for none.
        service_class: of ``Calls.classes``.
        start_us, end_us: at the caller's proxy.
        status: of HTTP; 0 if it never ended by itself.
        grpc_status: ``NOBODY`` if it was no call of gRPC.
        flags: of :class:`Flags`.
        attempts: how many.
        request_bytes, response_bytes: of the body; none of a response that the proxy made.
    """

    parent: Numbers
    root: Numbers
    mirror: NDArray[np.bool_]
    caller: Numbers
    service: Numbers
    route: Numbers
    service_class: Numbers
    start_us: Numbers
    end_us: Numbers
    status: Numbers
    grpc_status: Numbers
    flags: Numbers
    attempts: Numbers
    request_bytes: Numbers
    response_bytes: Numbers

    def __len__(self) -> int:
        return self.status.size


@dataclass(frozen=True)
class Attempts:
    """Attempts, one a row, in the order in which they began.

    Attributes:
        request: its row.
        retry: 0 for the first.
        caller: of ``Calls.callers``.
        service, subset, endpoint: numbers; ``service`` is the one it was routed to.
        from_locality, to_locality: of ``Calls.localities``.
        start_us: when the endpoint was chosen.
        sent_us: when a connection was there, ``NEVER`` if none was.
        arrived_us: at the endpoint.
        work_start_us, work_end_us: at the endpoint; between ``arrived_us`` and the first it waited.
        left_us: when the endpoint's answer left it, whether anybody waited for it or not.
        end_us: when the caller's proxy had done with it.
        reply: the endpoint's own status of HTTP, 0 if it sent none; that of gRPC's errors too.
        status, grpc_status, flags, service_class: as of requests.
        request_bytes, response_bytes: that crossed the network.
        panic: whether its priority sent to unhealthy endpoints too when it was chosen.
    """

    request: Numbers
    retry: Numbers
    caller: Numbers
    service: Numbers
    subset: Numbers
    endpoint: Numbers
    from_locality: Numbers
    to_locality: Numbers
    start_us: Numbers
    sent_us: Numbers
    arrived_us: Numbers
    work_start_us: Numbers
    work_end_us: Numbers
    left_us: Numbers
    end_us: Numbers
    reply: Numbers
    status: Numbers
    grpc_status: Numbers
    flags: Numbers
    service_class: Numbers
    request_bytes: Numbers
    response_bytes: Numbers
    panic: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.status.size


@dataclass(frozen=True)
class CallerName:
    """Who called, as telemetry names it.

    Attributes:
        service: of the caller, if it is an endpoint; empty if not.
    """

    name: str
    namespace: str = ""
    workload: str = ""
    app: str = ""
    version: str = ""
    service: str = ""


@dataclass(frozen=True)
class EndpointName:
    """Who answered, as telemetry names it."""

    address: str
    service: str
    workload: str = ""
    app: str = ""
    version: str = ""
    port: int = 0


@dataclass(frozen=True)
class HttpName:
    """The request as it was written, as far as telemetry shows it."""

    method: str
    path: str
    host: str
    grpc: bool


@dataclass(frozen=True)
class Calls:
    """All requests and attempts, and the names behind their numbers.

    Attributes:
        http: of each request.
        service_namespaces: of each service.
        seed: of the simulation; identities of traces come from it.
        end_us: when the last thing happened.
    """

    requests: Requests
    attempts: Attempts
    callers: Sequence[CallerName]
    services: Sequence[str]
    service_namespaces: Sequence[str]
    subsets: Sequence[str]
    endpoints: Sequence[EndpointName]
    localities: Sequence[Locality]
    classes: Sequence[str]
    http: Sequence[HttpName]
    seed: int
    end_us: int


@dataclass(frozen=True)
class Ejection:
    """An endpoint that one caller's outlier detection left out, or that came back."""

    at_us: int
    caller: str
    service: str
    subset: str
    endpoint: str
    out: bool


@dataclass(frozen=True)
class Traffic:
    """What :func:`~skyedge.layers.mesh.traffic.simulation.simulate` gives.

    Attributes:
        ejections: endpoints that outlier detection left out and let back in, in order of time.
    """

    calls: Calls
    ejections: tuple[Ejection, ...]
