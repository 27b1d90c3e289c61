"""What becomes of a request: the first route whose conditions it meets, and that route's actions (Istio).

``answer(routes, request)`` is pure: chance (which destination, whether a fault strikes) comes in as :class:`Draws`, uniform
in [0, 1), so the same draws give the same outcome.  In a proxy cross-origin questions come first, then faults, then
redirects and direct answers, then the way to a destination; so it is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from skyedge.errors import InputError
from skyedge.layers.mesh.headers import UNCHANGED, CorsPolicy, HeaderOperations, applied_together
from skyedge.layers.mesh.http_match import HttpMatch, HttpRequest
from skyedge.layers.mesh.path_rewrite import replaced_path, rewritten_path
from skyedge.layers.mesh.retries import RetryWish
from skyedge.layers.mesh.weights import choose, shares

OK, MOVED, NOT_FOUND = 200, 301, 404
REDIRECTS = (301, 302, 303, 307, 308)
USUAL_PORTS = {"http": 80, "https": 443}

GRPC_CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""Names of gRPC's status codes, by their number."""

HTTP_OF_GRPC = {
    0: 200,
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    14: 503,
    16: 401,
}
"""The HTTP status for a gRPC status, 500 for others (google.rpc.Code)."""

GRPC_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
"""The gRPC status for an HTTP status, 2 (UNKNOWN) for others (gRPC's http-grpc-status-mapping)."""


@dataclass(frozen=True)
class Destination:
    """Where a route leads."""

    host: str
    subset: str = ""
    port: int | None = None
    weight: float = 0
    request_headers: HeaderOperations = UNCHANGED
    response_headers: HeaderOperations = UNCHANGED


@dataclass(frozen=True)
class Redirect:
    """An answer that names another address; what is empty stays as in the request.

    Attributes:
        prefix_rewrite: replaces only what the condition on the path matched.
        port_of_request: name the port that the request came in by.
    """

    uri: str = ""
    prefix_rewrite: str = ""
    authority: str = ""
    scheme: str = ""
    port: int | None = None
    port_of_request: bool = False
    code: int = MOVED

    def __post_init__(self) -> None:
        if self.code not in REDIRECTS:
            raise InputError(f"{self.code} is no status of a redirect; {', '.join(map(str, REDIRECTS))} are")


@dataclass(frozen=True)
class Rewrite:
    """A new path or authority on the way to the destination; ``pattern`` and ``substitution`` work on the path."""

    uri: str = ""
    authority: str = ""
    pattern: str = ""
    substitution: str = ""


@dataclass(frozen=True)
class DirectResponse:
    """An answer by the proxy itself."""

    status: int
    body: str = ""


@dataclass(frozen=True)
class Abort:
    """A fault: a share of requests is answered with an error.

    Attributes:
        grpc_status: the number of a gRPC status, in place of an HTTP one.
    """

    percent: float = 100.0
    http_status: int | None = None
    grpc_status: int | None = None


@dataclass(frozen=True)
class Delay:
    """A fault: a share of requests waits."""

    fixed_s: float
    percent: float = 100.0


@dataclass(frozen=True)
class Mirror:
    """Where a share of requests is sent as well, without waiting for an answer."""

    destination: Destination
    percent: float = 100.0


@dataclass(frozen=True)
class HttpRoute:
    """One rule: without ``matches`` it takes every request.

    Attributes:
        timeout_s: for a request with all its retries; None is no limit.
        retries: None is the mesh's word.
    """

    matches: tuple[HttpMatch, ...] = ()
    destinations: tuple[Destination, ...] = ()
    redirect: Redirect | None = None
    rewrite: Rewrite = Rewrite()
    direct_response: DirectResponse | None = None
    request_headers: HeaderOperations = UNCHANGED
    response_headers: HeaderOperations = UNCHANGED
    abort: Abort | None = None
    delay: Delay | None = None
    mirrors: tuple[Mirror, ...] = ()
    cors: CorsPolicy | None = None
    name: str = ""
    timeout_s: float | None = None
    retries: RetryWish | None = None

    def __post_init__(self) -> None:
        ends = (bool(self.destinations), self.redirect is not None, self.direct_response is not None)
        if sum(ends) != 1:
            raise InputError("a route leads to destinations, or it redirects, or it answers: exactly one of the three")
        if self.destinations:
            shares([destination.weight for destination in self.destinations])

    def met(self, request: HttpRequest) -> HttpMatch | None:
        """The first of its conditions that the request meets, an empty one for a rule without any; None: it meets none."""
        if not self.matches:
            return HttpMatch()
        return next((match for match in self.matches if match.holds(request)), None)


@dataclass(frozen=True)
class Draws:
    """The chance in the outcome of one request, each uniform in [0, 1)."""

    destination: float = 0.0
    abort: float = 0.0
    delay: float = 0.0
    mirror: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What became of a request.

    Attributes:
        status: of HTTP; 200 where a destination would answer, 404 where no rule matched.
        route: the number of the rule that matched, None for none.
        destination: the number of the rule's destination, None if the proxy answered.
        upstream_path: with its query, as the destination sees it.
        upstream_headers: names in lower case.
        response_headers: what the proxy puts in the answer, names in lower case.
        mirrors: hosts that get a copy.
    """

    status: int
    route: int | None = None
    destination: int | None = None
    location: str | None = None
    upstream_path: str | None = None
    upstream_host: str | None = None
    upstream_headers: Mapping[str, str] = field(default_factory=dict)
    response_headers: Mapping[str, str] = field(default_factory=dict)
    grpc_status: int | None = None
    body: str = ""
    delay_s: float = 0.0
    mirrors: tuple[str, ...] = ()


def first_match(routes: Sequence[HttpRoute], request: HttpRequest) -> tuple[int, HttpMatch] | None:
    """The number of the first rule that the request meets, and by which condition; None if there is none."""
    for number, route in enumerate(routes):
        met = route.met(request)
        if met is not None:
            return number, met
    return None


def answer(routes: Sequence[HttpRoute], request: HttpRequest, draws: Draws | None = None) -> Outcome:
    """What becomes of a request; ``draws`` all zero if not given."""
    draws = draws or Draws()
    found = first_match(routes, request)
    if found is None:
        return Outcome(NOT_FOUND)
    number, met = found
    route = routes[number]
    cross_origin = {} if route.cors is None else route.cors.answer_headers(request)
    if route.cors is not None and route.cors.is_preflight(request):
        return Outcome(OK, number, response_headers=cross_origin)
    delayed = route.delay is not None and draws.delay * 100 < route.delay.percent
    delay_s = route.delay.fixed_s if route.delay is not None and delayed else 0.0
    if route.abort is not None and draws.abort * 100 < route.abort.percent:
        return _aborted(route.abort, request, number, delay_s)
    told = {**route.response_headers.applied({}), **cross_origin}
    common = Outcome(OK, number, response_headers=told, delay_s=delay_s)
    if route.redirect is not None:
        return replace(common, status=route.redirect.code, location=location(route.redirect, met, request))
    if route.direct_response is not None:
        return replace(common, status=route.direct_response.status, body=route.direct_response.body)
    return _sent_on(route, met, request, draws, common, cross_origin)


def as_sent(route: HttpRoute, request: HttpRequest, to: Destination) -> HttpRequest:
    """A request that a rule takes, as one of the rule's destinations sees it; the same object if it sees no difference."""
    met = route.met(request)
    changed = request if met is None else _changed(route, met, request, to)
    return request if changed == request else changed


def follow(routes: Sequence[HttpRoute], request: HttpRequest, draws: Draws | None = None, at_most: int = 10) -> Outcome:
    """As :func:`answer`, asking again at the address of each redirect, ``at_most`` times; then the redirect it is."""
    outcome = answer(routes, request, draws)
    for _ in range(at_most):
        if outcome.location is None:
            break
        to = urlsplit(outcome.location)
        path = to.path + (f"?{to.query}" if to.query else "")
        port = to.port or (443 if to.scheme == "https" else 80)
        request = replace(request, host=to.netloc, path=path or "/", scheme=to.scheme, port=port)
        outcome = answer(routes, request, draws)
    return outcome


def location(redirect: Redirect, met: HttpMatch, request: HttpRequest) -> str:
    """The address that a redirect names: scheme, host, port and path, and the query of the request.

    A port in the request's host gives way to a port that is named; and, where the scheme changes, to the usual port of
    the old scheme, which would be wrong in the new one (Envoy).  The usual port of the new scheme is not named (Istio).
    """
    scheme = redirect.scheme or request.scheme
    port = request.port if redirect.port_of_request else redirect.port
    if port is not None and port == USUAL_PORTS.get(scheme):
        port = None
    host = redirect.authority or request.host
    name, colon, old_port = host.rpartition(":")
    if not redirect.authority and colon and old_port.isdecimal():
        was_usual = int(old_port) == USUAL_PORTS.get(request.scheme)
        host = name if port is not None or (scheme != request.scheme and was_usual) else host
    path = request.path
    if redirect.uri:
        path = redirect.uri if "?" in redirect.uri else redirect.uri + _query(request)
    elif redirect.prefix_rewrite:
        path = rewritten_path(met.uri, redirect.prefix_rewrite, request.path)
    return f"{scheme}://{host}{'' if port is None else f':{port}'}{path}"


def grpc_status_number(name: str) -> int:
    """The number of a gRPC status by its name or number.

    Raises:
        InputError: if there is none.
    """
    if name.isdigit() and int(name) < len(GRPC_CODES):
        return int(name)
    if name.upper() in GRPC_CODES:
        return GRPC_CODES.index(name.upper())
    raise InputError(f"gRPC has no status '{name}'")


def _query(request: HttpRequest) -> str:
    _, mark, query = request.path.partition("?")
    return mark + query


def _aborted(abort: Abort, request: HttpRequest, number: int, delay_s: float) -> Outcome:
    if request.grpc:  # a gRPC caller gets HTTP's 200 and the error in a header
        code = abort.grpc_status
        if code is None:
            code = GRPC_OF_HTTP.get(abort.http_status or OK, 2)
        return Outcome(OK, number, grpc_status=code, delay_s=delay_s)
    if abort.grpc_status is not None:
        return Outcome(HTTP_OF_GRPC.get(abort.grpc_status, 500), number, grpc_status=abort.grpc_status, delay_s=delay_s)
    return Outcome(abort.http_status or OK, number, delay_s=delay_s)


def _sent_on(
    route: HttpRoute, met: HttpMatch, request: HttpRequest, draws: Draws, common: Outcome, cross_origin: Mapping[str, str]
) -> Outcome:
    chosen = int(choose([destination.weight for destination in route.destinations], draws.destination))
    to = route.destinations[chosen]
    upstream = _changed(route, met, request, to)
    on_way_back = _both_changed(route, route.response_headers, to.response_headers, {})
    return replace(
        common,
        destination=chosen,
        upstream_path=upstream.path,
        upstream_host=upstream.host,
        upstream_headers=upstream.headers,
        response_headers={**on_way_back, **cross_origin},
        mirrors=tuple(m.destination.host for m in route.mirrors if draws.mirror * 100 < m.percent),
    )


def _changed(route: HttpRoute, met: HttpMatch, request: HttpRequest, to: Destination) -> HttpRequest:
    """A request as a destination sees it: rewritten, and after the operations on its headers."""
    path = request.path
    if route.rewrite.pattern:
        path = replaced_path(route.rewrite.pattern, route.rewrite.substitution, path)
    elif route.rewrite.uri:
        path = rewritten_path(met.uri, route.rewrite.uri, path)
    # The rule's own word on the authority counts before the destination's, be there one destination or several (Istio).
    authorities = (route.rewrite.authority or None, route.request_headers.authority, to.request_headers.authority)
    host = next((name for name in authorities if name is not None), request.host)
    headers = _both_changed(route, route.request_headers, to.request_headers, request.headers)
    return replace(request, host=host, path=path, headers=headers)


def _both_changed(
    route: HttpRoute, of_rule: HeaderOperations, of_destination: HeaderOperations, headers: Mapping[str, str]
) -> dict[str, str]:
    """Headers after the operations of a rule and of the destination that was chosen.

    A single destination's operations stand behind the rule's in one list (Istio); those of one of several destinations
    are a list of their own, which comes first, so that the rule has the last word (Envoy).
    """
    if len(route.destinations) == 1:
        return applied_together((of_rule, of_destination), headers)
    return of_rule.applied(of_destination.applied(headers))
