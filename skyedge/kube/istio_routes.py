"""``VirtualService``: which requests go where, as networking.istio.io writes it.

What routes over HTTP is modelled; of TCP and TLS routes only where they lead, so that a destination that is none is found.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.errors import nearest
from skyedge.kube.istio_values import (
    Duration,
    Percent,
    Percentage,
    Port,
    PortSelector,
    Share,
    StringMatchShape,
    check_durations,
    check_hosts,
    check_one_of,
    check_regex,
    check_substitution,
)
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape

HttpStatus = Annotated[int, Meta(ge=200, le=599)]

RETRY_CONDITIONS = (
    *("5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "envoy-ratelimited", "retriable-4xx"),
    *("refused-stream", "retriable-status-codes", "retriable-headers", "http3-post-connect-failure"),
    *("cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"),
)
"""Envoy's words for when a request is repeated, those of HTTP and those of gRPC."""


class HttpMatchRequest(Shape, frozen=True, kw_only=True):
    """Conditions that must all hold."""

    unmodelled = "statPrefix"

    name: str = ""
    uri: StringMatchShape | None = None
    scheme: StringMatchShape | None = None
    method: StringMatchShape | None = None
    authority: StringMatchShape | None = None
    headers: dict[str, StringMatchShape] = field(default_factory=dict)
    without_headers: dict[str, StringMatchShape] = field(default_factory=dict)
    query_params: dict[str, StringMatchShape] = field(default_factory=dict)
    port: Port | None = None
    source_labels: dict[str, str] = field(default_factory=dict)
    source_namespace: str = ""
    gateways: tuple[str, ...] = ()
    ignore_uri_case: bool = False

    def check(self) -> None:
        if self.uri is not None and self.uri.exact is None and self.uri.prefix is None and self.uri.regex is None:
            raise Problem(("uri",), "one of exact, prefix, regex is needed")
        texts = {"uri": self.uri, "scheme": self.scheme, "method": self.method, "authority": self.authority}
        for name, text in texts.items():
            if text is not None and text.regex == "*":
                raise Problem((name, "regex"), "'*' is not a regular expression", ".*")


def _is_http_status(word: str) -> bool:
    return word.isascii() and word.isdigit() and int(word) in {int(status) for status in HTTPStatus}


class Destination(Shape, frozen=True, kw_only=True):
    """A service, or a subset of it."""

    host: str
    subset: str = ""
    port: PortSelector | None = None

    def check(self) -> None:
        if not self.host:
            raise Problem(("host",), "this should not be empty")


class HeaderChanges(Shape, frozen=True, kw_only=True):
    """What is done to the headers of a message."""

    set: dict[str, str] = field(default_factory=dict)
    add: dict[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()


class Headers(Shape, frozen=True, kw_only=True):
    """Changes on the way there and on the way back."""

    request: HeaderChanges = HeaderChanges()
    response: HeaderChanges = HeaderChanges()


class WeightedDestination(Shape, frozen=True, kw_only=True):
    """A destination and its share."""

    destination: Destination
    weight: Count = 0
    headers: Headers = Headers()


class HttpRedirect(Shape, frozen=True, kw_only=True):
    """``redirect`` of a rule."""

    uri: str = ""
    authority: str = ""
    scheme: str = ""
    port: Port | None = None
    derive_port: Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None = None
    redirect_code: int = 0

    def check(self) -> None:
        check_one_of(self, ("port", "derive_port"))
        if self.redirect_code not in (0, 301, 302, 303, 307, 308):
            message = f"{self.redirect_code} is no status of a redirect; 301, 302, 303, 307 and 308 are"
            raise Problem(("redirectCode",), message)
        if not (self.uri or self.authority or self.scheme or self.port or self.derive_port):
            raise Problem((), "a redirect names an address: one of uri, authority, scheme, port is needed")


class Body(Shape, frozen=True, kw_only=True):
    """What an answer says."""

    string: str | None = None
    bytes: str | None = None

    def check(self) -> None:
        check_one_of(self, ("string", "bytes"))


class HttpDirectResponse(Shape, frozen=True, kw_only=True):
    """``directResponse`` of a rule."""

    status: HttpStatus
    body: Body = Body()


class RegexRewrite(Shape, frozen=True, kw_only=True):
    """A path by a regular expression and what takes its place."""

    match: str
    rewrite: str = ""

    def check(self) -> None:
        try:
            check_regex(self.match)
        except Problem as problem:
            raise problem.below("match") from None
        try:
            check_substitution(self.match, self.rewrite)
        except Problem as problem:
            raise problem.below("rewrite") from None


class HttpRewrite(Shape, frozen=True, kw_only=True):
    """``rewrite`` of a rule."""

    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None

    def check(self) -> None:
        if self.uri and self.uri_regex_rewrite is not None:
            raise Problem(("uriRegexRewrite",), "only one of uri and uriRegexRewrite can be given")
        if not self.uri and not self.authority and self.uri_regex_rewrite is None:
            raise Problem((), "one of uri, uriRegexRewrite, authority is needed")


class HttpRetry(Shape, frozen=True, kw_only=True):
    """``retries`` of a rule."""

    attempts: Count = 0
    per_try_timeout: Duration | None = None
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: Duration | None = None

    def check(self) -> None:
        check_durations(self, "per_try_timeout", "backoff", least_s=1e-3)
        if self.attempts == 0 and (self.per_try_timeout is not None or self.retry_on):
            raise Problem(("attempts",), "0 attempts are no retries, and nothing else can be said of them")
        for word in filter(None, (part.strip() for part in self.retry_on.split(","))):
            if word not in RETRY_CONDITIONS and not _is_http_status(word):
                close = nearest(word, RETRY_CONDITIONS)
                raise Problem(("retryOn",), f"'{word}' is no condition of Envoy and no HTTP status", close)


class FaultDelay(Shape, frozen=True, kw_only=True):
    """A share of requests waits."""

    unmodelled = "exponentialDelay"

    fixed_delay: Duration | None = None
    percent: Percentage | None = None
    percentage: Percent | None = None

    def check(self) -> None:
        if self.fixed_delay is None:
            raise Problem((), "'fixedDelay' is missing")
        check_durations(self, "fixed_delay", least_s=1e-3)


class FaultAbort(Shape, frozen=True, kw_only=True):
    """A share of requests is answered with an error."""

    unmodelled = "http2Error"

    http_status: HttpStatus | None = None
    grpc_status: str | None = None
    percentage: Percent | None = None

    def check(self) -> None:
        check_one_of(self, ("http_status", "grpc_status"), needed=True)


class FaultInjection(Shape, frozen=True, kw_only=True):
    """``fault`` of a rule."""

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None

    def check(self) -> None:
        if self.delay is None and self.abort is None:
            raise Problem((), "one of delay, abort is needed")


class MirrorDestination(Shape, frozen=True, kw_only=True):
    """One of several that get a copy."""

    destination: Destination
    percentage: Percent | None = None


class Cors(Shape, frozen=True, kw_only=True):
    """``corsPolicy`` of a rule."""

    unmodelled = "unmatchedPreflights"

    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[StringMatchShape, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Duration | None = None
    allow_credentials: bool | None = None

    def check(self) -> None:
        check_durations(self, "max_age")


class Delegate(Shape, frozen=True, kw_only=True):
    """Another VirtualService that says where requests go."""

    name: str
    namespace: str = ""


class HttpRoute(Shape, frozen=True, kw_only=True):
    """One rule of ``http``."""

    name: str = ""
    match: tuple[HttpMatchRequest, ...] = ()
    route: tuple[WeightedDestination, ...] = ()
    redirect: HttpRedirect | None = None
    direct_response: HttpDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HttpRewrite | None = None
    timeout: Duration | None = None
    retries: HttpRetry | None = None
    fault: FaultInjection | None = None
    mirror: Destination | None = None
    mirrors: tuple[MirrorDestination, ...] = ()
    mirror_percent: Share | None = None
    mirror_percentage: Percent | None = None
    cors_policy: Cors | None = None
    headers: Headers = Headers()

    def check(self) -> None:
        check_durations(self, "timeout", least_s=1e-3)
        check_one_of(self, ("route", "redirect", "direct_response", "delegate"), needed=True)
        check_one_of(self, ("mirror", "mirrors"))
        for ending, does in ((self.redirect, "redirects"), (self.direct_response, "answers")):
            if ending is not None and self.fault is not None:
                raise Problem(("fault",), f"a rule that {does} sends nothing that a fault could strike")
            if ending is not None and self.rewrite is not None:
                raise Problem(("rewrite",), f"a rule that {does} sends nothing that could be rewritten")
        if len(self.route) > 1 and not any(one.weight for one in self.route):
            raise Problem(("route",), "the weights are all zero, so nothing could be sent")


class L4Match(Shape, frozen=True, kw_only=True):
    """Conditions on a connection."""

    unmodelled = "destinationSubnets sourceSubnet sourceLabels gateways sourceNamespace sniHosts"

    port: Port | None = None


class L4Route(Shape, frozen=True, kw_only=True):
    """A rule of ``tcp`` or ``tls``: read for where it leads."""

    match: tuple[L4Match, ...] = ()
    route: tuple[WeightedDestination, ...] = ()


class VirtualServiceSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a virtual service; one without hosts is there to be delegated to."""

    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HttpRoute, ...] = ()
    tcp: tuple[L4Route, ...] = ()
    tls: tuple[L4Route, ...] = ()
    export_to: tuple[str, ...] = ()

    def check(self) -> None:
        if not (self.http or self.tcp or self.tls):
            raise Problem((), "one of http, tcp, tls is needed: a virtual service has rules")
        if not self.hosts and self.gateways:
            raise Problem(("gateways",), "without hosts this is for others to delegate to, and their gateways count")
        check_hosts(self.hosts)
        for number, host in enumerate(self.hosts):
            if host in self.hosts[:number]:
                raise Problem(("hosts", number), f"the host '{host}' is there already")
            if host == "*" and "mesh" in (self.gateways or ("mesh",)):
                raise Problem(("hosts", number), "inside the mesh '*' is no host; name services, or a gateway in 'gateways'")


class VirtualService(Shape, frozen=True, kw_only=True):
    """How requests for a host are routed."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: VirtualServiceSpec = VirtualServiceSpec()
