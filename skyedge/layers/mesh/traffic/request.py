"""What goes in: requests with their times, and the rules that a mesh's objects have no place for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Caller, Mesh, MeshEndpoint
from skyedge.layers.mesh.traffic.qos import ServiceClasses
from skyedge.layers.mesh.traffic.rate_limits import RateLimit
from skyedge.layers.mesh.traffic.retry_budget import RetryBudget


@dataclass(frozen=True, slots=True)
class TimedRequest:
    """A request from outside.

    Attributes:
        at_us: virtual time, µs.
        caller: whose proxy it goes through; callers are told apart by name.
        http: requests that are alike should share one object: what it matches is looked up once.
        request_bytes: None is what the service's behaviour says.
    """

    at_us: int
    caller: Caller
    http: HttpRequest
    request_bytes: int | None = None
    response_bytes: int | None = None


ONE_CLASS = ServiceClasses()
"""Everybody alike."""


def anybody(caller: Caller, endpoint: MeshEndpoint, request: HttpRequest) -> bool:
    """Everybody may call everybody."""
    return True


@dataclass(frozen=True)
class Controls:
    """Rules of traffic beside those of routes and destination rules.

    Attributes:
        retry_budgets: by service, in place of its ``max_retries``.
        rate_limits: by service; all of them must admit.
        classes: of service.
        allowed: whether a caller may send a request to an endpoint, whose own proxy decides; 403 if not.  It is asked of
            the request as it arrives, by its service's port that it is sent to, and once for each three of them.
        view: whose routes and destination rules a caller follows, where not all see the same; None: the mesh's.
    """

    retry_budgets: Mapping[str, RetryBudget] = field(default_factory=dict)
    rate_limits: Mapping[str, tuple[RateLimit, ...]] = field(default_factory=dict)
    classes: ServiceClasses = ONE_CLASS
    allowed: Callable[[Caller, MeshEndpoint, HttpRequest], bool] = anybody
    view: Callable[[Caller], Mesh] | None = None
