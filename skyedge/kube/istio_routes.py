"""``VirtualService``: which requests go where, as networking.istio.io writes it.

What routes over HTTP is modelled; of TCP and TLS routes only where they lead, so that a destination that is none is found.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.istio_values import (
    Percent,
    Percentage,
    Port,
    PortSelector,
    Share,
    StringMatchShape,
    check_durations,
    check_one_of,
    check_regex,
)
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape

HttpStatus = Annotated[int, Meta(ge=200, le=599)]


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


class HttpRewrite(Shape, frozen=True, kw_only=True):
    """``rewrite`` of a rule."""

    uri: str = ""
    authority: str = ""
    uri_regex_rewrite: RegexRewrite | None = None

    def check(self) -> None:
        if self.uri and self.uri_regex_rewrite is not None:
            raise Problem(("uriRegexRewrite",), "only one of uri and uriRegexRewrite can be given")


class HttpRetry(Shape, frozen=True, kw_only=True):
    """``retries`` of a rule."""

    attempts: Count = 0
    per_try_timeout: str | None = None
    retry_on: str = ""
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: str | None = None

    def check(self) -> None:
        check_durations(self, "per_try_timeout", "backoff", least_s=1e-3)


class FaultDelay(Shape, frozen=True, kw_only=True):
    """A share of requests waits."""

    unmodelled = "exponentialDelay"

    fixed_delay: str | None = None
    percent: Percentage | None = None
    percentage: Percent | None = None

    def check(self) -> None:
        check_durations(self, "fixed_delay", least_s=1e-3)


class FaultAbort(Shape, frozen=True, kw_only=True):
    """A share of requests is answered with an error."""

    unmodelled = "http2Error"

    http_status: HttpStatus | None = None
    grpc_status: str | None = None
    percentage: Percent | None = None

    def check(self) -> None:
        check_one_of(self, ("http_status", "grpc_status"))


class FaultInjection(Shape, frozen=True, kw_only=True):
    """``fault`` of a rule."""

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None


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
    max_age: str | None = None
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
    timeout: str | None = None
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
        if self.redirect is not None and self.fault is not None:
            raise Problem(("fault",), "a rule that redirects sends nothing that a fault could strike")
        if self.redirect is not None and self.rewrite is not None:
            raise Problem(("rewrite",), "a rule that redirects sends nothing that could be rewritten")
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


class VirtualService(Shape, frozen=True, kw_only=True):
    """How requests for a host are routed."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: VirtualServiceSpec = VirtualServiceSpec()
