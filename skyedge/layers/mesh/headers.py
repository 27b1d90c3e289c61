"""Header operations, and cross-origin answers: what a proxy changes in a message besides where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skyedge.layers.mesh.http_match import HttpRequest, StringMatch

AUTHORITY = (":authority", "host")
"""Names under which a header operation changes where a request says that it goes."""


@dataclass(frozen=True)
class HeaderOperations:
    """What is done to headers: remove, then set, then add; names have no case."""

    set: Mapping[str, str] = field(default_factory=dict)
    add: Mapping[str, str] = field(default_factory=dict)
    remove: tuple[str, ...] = ()

    @property
    def authority(self) -> str | None:
        """The authority that it sets, or else the one that it adds; None: it does not touch it."""
        for said in (self.set, self.add):
            found = [value for name, value in said.items() if name.lower() in AUTHORITY]
            if found and found[0]:
                return found[0]
        return None

    def applied(self, headers: Mapping[str, str]) -> dict[str, str]:
        """``headers``, names in lower case, after the operations; an added value joins what is there by a comma."""
        return applied_together((self,), headers)


def applied_together(operations: Sequence[HeaderOperations], headers: Mapping[str, str]) -> dict[str, str]:
    """``headers`` after several operations as one: all of them remove, then each in turn sets and adds."""
    removed = {name.lower() for one in operations for name in one.remove if not _is_internal(name)}
    result = {name: value for name, value in headers.items() if name not in removed}
    for one in operations:
        result |= {name.lower(): value for name, value in one.set.items() if not _is_internal(name)}
        for name, value in one.add.items():
            if not _is_internal(name):
                before = result.get(name.lower())
                result[name.lower()] = value if before is None else f"{before},{value}"
    return result


def _is_internal(name: str) -> bool:
    """Whether a name is no header of its own but a part of the request (:path), which these operations leave alone."""
    return name.startswith(":") or name.lower() == "host"


UNCHANGED = HeaderOperations()
"""No operation."""


@dataclass(frozen=True)
class CorsPolicy:
    """Which pages of other origins may read the answers."""

    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age_s: int | None = None
    allow_credentials: bool = False

    def admits(self, request: HttpRequest) -> bool:
        """Whether the request comes from an origin that is allowed."""
        origin = request.header("origin")
        return any(match.value == "*" or match.holds(origin) for match in self.allow_origins) and origin is not None

    def is_preflight(self, request: HttpRequest) -> bool:
        """Whether a browser of an allowed origin asks what it may do, which the proxy answers itself."""
        asks = request.method == "OPTIONS" and request.header("access-control-request-method") is not None
        return asks and self.admits(request)

    def answer_headers(self, request: HttpRequest) -> dict[str, str]:
        """What an answer to the request carries; nothing for an origin that is not allowed."""
        if not self.admits(request):
            return {}
        told = {"access-control-allow-origin": request.header("origin") or ""}
        if self.allow_credentials:
            told["access-control-allow-credentials"] = "true"
        if self.is_preflight(request):
            if self.allow_methods:
                told["access-control-allow-methods"] = ",".join(self.allow_methods)
            if self.allow_headers:
                told["access-control-allow-headers"] = ",".join(self.allow_headers)
            if self.max_age_s is not None:
                told["access-control-max-age"] = str(self.max_age_s)
        elif self.expose_headers:
            told["access-control-expose-headers"] = ",".join(self.expose_headers)
        return told
