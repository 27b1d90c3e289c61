"""Whether a request meets the conditions of a route, by Istio's rules (VirtualService ``http.match``).

All fields of one :class:`HttpMatch` must hold.  The rules that surprise people are here on purpose: a regular expression
must match the whole value, the path is compared without its query, a header that is absent meets no condition but counts
as empty where its absence is asked for (``without_headers``), and a header name has no case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from skyedge.errors import InputError
from skyedge.layers.mesh.path_normalization import normalized
from skyedge.re2 import Expression, NotRe2, compiled


class How(Enum):
    """How a text is compared."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"
    PRESENT = "present"
    """Any value will do, but there must be one: ``{}``, or the regular expression ``*`` of a header."""


@dataclass(frozen=True)
class StringMatch:
    """A condition on a text."""

    how: How
    value: str = ""

    def holds(self, text: str | None, *, ignore_case: bool = False) -> bool:
        """Whether ``text`` (None: absent) meets it.

        Raises:
            InputError: if the regular expression is none.
        """
        if text is None:
            return False
        if self.how is How.PRESENT:
            return True
        if self.how is How.REGEX:
            return whole_match(self.value).fullmatch(text) is not None
        mine, theirs = (self.value.lower(), text.lower()) if ignore_case else (self.value, text)
        return theirs == mine if self.how is How.EXACT else theirs.startswith(mine)


def whole_match(pattern: str) -> Expression:
    """A compiled regular expression of RE2.

    Raises:
        InputError: if it is none.
    """
    try:
        return compiled(pattern)
    except NotRe2 as error:
        raise InputError(f"'{pattern}' {error}") from None


EVERY_PATH = (StringMatch(How.PREFIX, "/"), StringMatch(How.REGEX, ".*"))
"""Conditions that each path meets."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as its sender's proxy sees it.

    Attributes:
        host: the authority, with a port where the sender wrote one.
        path: with its query, normalized; a fragment stays with the sender and is cut off here.
        headers: names without case; kept in lower case.
    """

    host: str
    path: str = "/"
    method: str = "GET"
    port: int = 80
    scheme: str = "http"
    headers: Mapping[str, str] = field(default_factory=dict)
    grpc: bool = False
    source_labels: Mapping[str, str] = field(default_factory=dict)
    source_namespace: str = ""
    gateway: str = "mesh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", normalized(self.path.partition("#")[0]))
        object.__setattr__(self, "headers", {name.lower(): value for name, value in self.headers.items()})

    def header(self, name: str) -> str | None:
        """A header or a pseudo header; None if it is absent."""
        name = name.lower()
        pseudo = {":method": self.method, ":path": self.path, ":scheme": self.scheme}
        if name in (":authority", "host"):
            return self.host
        return pseudo.get(name, self.headers.get(name))

    def query(self) -> dict[str, str]:
        """Query parameters as they were sent, without decoding; of one that is repeated the first counts."""
        values: dict[str, str] = {}
        for pair in self.path.partition("?")[2].split("&"):
            name, _, value = pair.partition("=")
            if name:
                values.setdefault(name, value)
        return values


@dataclass(frozen=True)
class HttpMatch:
    """Conditions that must all hold; what is not given holds for every request."""

    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: Mapping[str, StringMatch] = field(default_factory=dict)
    without_headers: Mapping[str, StringMatch] = field(default_factory=dict)
    query: Mapping[str, StringMatch] = field(default_factory=dict)
    port: int = 0
    source_labels: Mapping[str, str] = field(default_factory=dict)
    source_namespace: str = ""
    gateways: tuple[str, ...] = ()
    ignore_uri_case: bool = False

    def holds(self, request: HttpRequest) -> bool:
        """Whether the request meets all of it."""
        query = request.query() if self.query else {}
        return (
            (self.uri is None or self.uri.holds(request.path.partition("?")[0], ignore_case=self.ignore_uri_case))
            and (self.scheme is None or self.scheme.holds(request.scheme))
            and (self.method is None or self.method.holds(request.method))
            and (self.authority is None or self.authority.holds(request.host))
            and all(match.holds(request.header(name)) for name, match in self.headers.items())
            and not any(_held_by_absence(match, request.header(name)) for name, match in self.without_headers.items())
            and all(match.holds(query.get(name)) for name, match in self.query.items())
            and self.port in (0, request.port)
            and self.holds_from(request.source_labels, request.source_namespace, request.gateway)
        )

    def holds_from(self, labels: Mapping[str, str], namespace: str, gateway: str) -> bool:
        """Whether a caller with these labels, in this namespace, through this gateway meets what is said of callers."""
        return (
            all(labels.get(name) == value for name, value in self.source_labels.items())
            and source_namespace_matches(self.source_namespace, namespace)
            and (not self.gateways or gateway in self.gateways)
        )

    @property
    def is_catch_all(self) -> bool:
        """Whether every request of a caller who meets it does: nothing is asked but who calls."""
        texts = (self.scheme, self.method, self.authority)
        tables = (self.headers, self.without_headers, self.query)
        return self.uri in (None, *EVERY_PATH) and not any(texts) and not any(tables) and not self.port


def source_namespace_matches(wanted: str, actual: str) -> bool:
    """Whether a caller's namespace is the wanted one; an empty wish is met by all."""
    return wanted in ("", actual)


def _held_by_absence(match: StringMatch, value: str | None) -> bool:
    # Asked for its absence, a missing header is an empty text: ".*" covers that too, and then forbids every request.
    return match.holds(value if match.how is How.PRESENT else value or "")
