"""``VirtualService``: which requests go where, as networking.istio.io writes it.

What routes over HTTP is modelled; of TCP and TLS routes only where they lead, so that a destination that is none is found.
"""

from __future__ import annotations

from http import HTTPStatus

from msgspec import field

from skyedge.errors import nearest
from skyedge.kube.istio_http import (
    Cors,
    FaultInjection,
    Headers,
    HttpDirectResponse,
    HttpRedirect,
    HttpRewrite,
)
from skyedge.kube.istio_names import (
    CLAIM,
    check_export_to,
    check_gateways,
    check_header_names,
    check_host,
    check_hosts,
    overlap,
    without_sni,
)
from skyedge.kube.istio_values import (
    Duration,
    Percent,
    Port,
    PortSelector,
    Share,
    StringMatchShape,
    check_durations,
    check_one_of,
)
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape

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
        check_gateways(self.gateways)
        check_header_names("headers", self.headers)
        check_header_names("withoutHeaders", self.without_headers)
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
        try:
            check_host(self.host)
        except Problem as problem:
            raise problem.below("host") from None
        if self.host == "*":
            raise Problem(("host",), "'*' is no service that could be called")


class WeightedDestination(Shape, frozen=True, kw_only=True):
    """A destination and its share."""

    destination: Destination
    weight: Count = 0
    headers: Headers = Headers()


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
        said = self.per_try_timeout is not None or self.retry_on or self.retry_remote_localities is not None
        if self.attempts == 0 and said:
            raise Problem(("attempts",), "0 attempts are no retries, and nothing else can be said of them")
        for word in filter(None, (part.strip() for part in self.retry_on.split(","))):
            if word not in RETRY_CONDITIONS and not _is_http_status(word):
                close = nearest(word, RETRY_CONDITIONS)
                raise Problem(("retryOn",), f"'{word}' is no condition of Envoy and no HTTP status", close)


class MirrorDestination(Shape, frozen=True, kw_only=True):
    """One of several that get a copy."""

    destination: Destination
    percentage: Percent | None = None


def check_weights(route: tuple[WeightedDestination, ...]) -> None:
    """Raise a :class:`Problem` if there are several destinations and nothing would be sent to any of them."""
    if len(route) > 1 and not any(one.weight for one in route):
        raise Problem(("route",), "the weights are all zero, so nothing could be sent")


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
        check_weights(self.route)
        authority = "" if self.rewrite is None else self.rewrite.authority
        for headers in (self.headers, *(one.headers for one in self.route)):
            if len([*headers.authorities, *filter(None, (authority,))]) > 1:
                raise Problem((), "the host of a request is set twice, by headers and by a rewrite or another header")


class L4Match(Shape, frozen=True, kw_only=True):
    """Conditions on a connection."""

    unmodelled = "destinationSubnets sourceSubnet sourceLabels gateways sourceNamespace sniHosts"

    port: Port | None = None


class L4Route(Shape, frozen=True, kw_only=True):
    """A rule of ``tcp`` or ``tls``: read for where it leads."""

    match: tuple[L4Match, ...] = ()
    route: tuple[WeightedDestination, ...] = ()

    def check(self) -> None:
        if not self.route:
            raise Problem((), "'route' is missing")
        check_weights(self.route)


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
        if not self.hosts:
            self._check_delegate()
        check_gateways(self.gateways)
        inside = "mesh" in (self.gateways or ("mesh",))
        at_doors = any(gateway != "mesh" for gateway in self.gateways)
        check_hosts([without_sni(host) if at_doors else host for host in self.hosts])
        for number, host in enumerate(self.hosts):
            same = next((other for other in self.hosts[:number] if overlap(host, other)), None)
            if same is not None:
                said = "is there already" if same == host else f"and '{same}' stand for the same hosts"
                raise Problem(("hosts", number), f"the host '{host}' {said}")
            if host == "*" and inside:
                raise Problem(("hosts", number), "inside the mesh '*' is no host; name services, or a gateway in 'gateways'")
        for number, rule in enumerate(self.http):
            for at, match in enumerate(rule.match):
                claims = [name for name in (*match.headers, *match.without_headers) if name.startswith(CLAIM)]
                if claims and not at_doors:
                    message = "claims of tokens are known at a gateway only, and 'gateways' names none"
                    raise Problem(("http", number, "match", at, "headers", claims[0]), message)

    def _check_delegate(self) -> None:
        for name, rules in (("tcp", self.tcp), ("tls", self.tls)):
            if rules:
                raise Problem((name,), "without hosts this is for others to delegate to, and they hand on HTTP only")
        for number, rule in enumerate(self.http):
            if rule.delegate is not None:
                raise Problem(("http", number, "delegate"), "a delegate cannot delegate further")


class VirtualService(Shape, frozen=True, kw_only=True):
    """How requests for a host are routed."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: VirtualServiceSpec

    def check(self) -> None:
        check_export_to(self.spec.export_to, self.metadata.namespace or "default")
