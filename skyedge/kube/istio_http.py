"""What a rule of a ``VirtualService`` does beside sending on: headers, redirects, answers, rewrites, faults, CORS."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.errors import nearest
from skyedge.kube.istio_names import check_header_names, check_header_value
from skyedge.kube.istio_values import (
    Duration,
    Percent,
    Percentage,
    Port,
    StringMatchShape,
    check_durations,
    check_one_of,
    check_regex,
    check_substitution,
)
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape

HttpStatus = Annotated[int, Meta(ge=200, le=600)]

METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "*")

LONGEST_BODY_BYTES = 1024 * 1024
"""Of an answer that a proxy gives by itself."""


class HeaderChanges(Shape, frozen=True, kw_only=True):
    """What is done to the headers of a message."""

    set: dict[str, str] = field(default_factory=dict)
    add: dict[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    def check(self) -> None:
        check_header_names("remove", self.remove, numbered=True)
        for name, changes in (("set", self.set), ("add", self.add)):
            check_header_names(name, changes)
            for header, value in changes.items():
                try:
                    check_header_value(value)
                except Problem as problem:
                    raise problem.below(name, header) from None


class Headers(Shape, frozen=True, kw_only=True):
    """Changes on the way there and on the way back."""

    request: HeaderChanges = HeaderChanges()
    response: HeaderChanges = HeaderChanges()

    @property
    def authorities(self) -> list[str]:
        """What the host of a request is set to."""
        return [value for name, value in self.request.set.items() if name.lower() in (":authority", "host")]


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
        # Of bytes, four characters are three.
        length = len((self.string or "").encode()) + len((self.bytes or "").rstrip("=")) * 3 // 4
        if length > LONGEST_BODY_BYTES:
            raise Problem((), f"an answer of {length} bytes is too long; {LONGEST_BODY_BYTES} are the most")


class HttpDirectResponse(Shape, frozen=True, kw_only=True):
    """``directResponse`` of a rule."""

    status: HttpStatus
    body: Body = Body()


class RegexRewrite(Shape, frozen=True, kw_only=True):
    """A path by a regular expression and what takes its place."""

    match: str
    rewrite: str = ""

    def check(self) -> None:
        for name, text in (("match", self.match), ("rewrite", self.rewrite)):
            if not text:
                raise Problem((name,), "this should not be empty")
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
        check_durations(self, "max_age", step_ms=1000)
        for number, method in enumerate(self.allow_methods):
            if method not in METHODS:
                close = nearest(method, METHODS)
                raise Problem(("allowMethods", number), f"there is no method '{method}'", close)
        check_header_names("allowHeaders", self.allow_headers, numbered=True)
        check_header_names("exposeHeaders", self.expose_headers, numbered=True)
        for number, origin in enumerate(self.allow_origins):
            if origin.exact == "" or origin.regex == "":
                raise Problem(("allowOrigins", number), "an empty text is no origin")
