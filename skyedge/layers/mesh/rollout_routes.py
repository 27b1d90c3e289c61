"""What proxies are told during a rollout: routes to the old and the new version, and whom an A/B test means.

Old and new are subsets of one service.  While a version is on trial the old subset is the stable one; promotion makes the
new version's pods the stable subset's, which is not the mesh's work, and moves requests there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from skyedge.errors import InputError
from skyedge.layers.mesh.headers import HeaderOperations
from skyedge.layers.mesh.http_match import How, HttpMatch, StringMatch
from skyedge.layers.mesh.http_route import Destination, HttpRoute, Mirror
from skyedge.layers.mesh.rollout import WHOLE, Analysis, Status, Strategy

FORWARDED_FOR = "x-forwarded-for"
"""Where a gateway writes the address that a request came from, before those of proxies that it has passed."""

COOKIE_LIFE_S = 86_400


def routes_of(
    analysis: Analysis, status: Status, host: str, *, stable: str = "stable", canary: str = "canary"
) -> tuple[HttpRoute, ...]:
    """Routes of a service while a rollout is where ``status`` says, in order.

    Args:
        analysis: how the version is tried.
        status: where it stands.
        host: of the service.
        stable, canary: its subsets.
    """
    old, new = Destination(host, stable), Destination(host, canary)
    if analysis.strategy is Strategy.AB:
        rest = HttpRoute(destinations=(old,), name="rest")
        if not status.weight:
            return (rest,)
        return (HttpRoute(analysis.match, _split(old, new, status.weight), name="meant"), rest)
    mirrors = (Mirror(new, analysis.mirror_percent),) if status.mirrored else ()
    if not analysis.session_cookie or not status.weight:
        return (HttpRoute(destinations=_split(old, new, status.weight), mirrors=mirrors, name="all"),)
    cookie = f"{analysis.session_cookie}={canary}"
    marked = HeaderOperations(add={"set-cookie": f"{cookie}; Max-Age={COOKIE_LIFE_S}"})
    keep = HttpRoute((by_cookie(analysis.session_cookie, canary),), (new,), name="keeps")
    first = Destination(host, canary, response_headers=marked)
    return (keep, HttpRoute(destinations=_split(old, first, status.weight), mirrors=mirrors, name="all"))


def _split(old: Destination, new: Destination, weight: float) -> tuple[Destination, ...]:
    if not weight:
        return (old,)
    if weight >= WHOLE:
        return (new,)
    return (
        Destination(old.host, old.subset, weight=WHOLE - weight),
        Destination(new.host, new.subset, weight=weight, response_headers=new.response_headers),
    )


def by_header(name: str, value: str) -> HttpMatch:
    """Requests whose header has that value."""
    return HttpMatch(headers={name: StringMatch(How.EXACT, value)})


def by_cookie(name: str, value: str) -> HttpMatch:
    """Requests that bring that cookie, among others or alone."""
    pattern = rf"(.*;\s*)?{re.escape(name)}={re.escape(value)}(\s*;.*)?"
    return HttpMatch(headers={"cookie": StringMatch(How.REGEX, pattern)})


def by_source_labels(labels: Mapping[str, str]) -> HttpMatch:
    """Requests of callers within the mesh that carry labels."""
    return HttpMatch(source_labels=labels)


def by_source_address(network: str) -> HttpMatch:
    """Requests that came to the gateway from a network such as ``10.0.0.0/20``, or an address (IPv4).

    Raises:
        InputError: if it is none.
    """
    try:
        block = ipaddress.IPv4Network(network, strict=False)
    except ValueError:
        raise InputError(f"'{network}' is neither an IPv4 address nor a network such as 10.0.0.0/20") from None
    parts = []
    for first, last in zip(block.network_address.packed, block.broadcast_address.packed, strict=True):
        values = "|".join(map(str, range(first, last + 1)))
        parts.append(r"\d{1,3}" if (first, last) == (0, 255) else f"(?:{values})")
    return HttpMatch(headers={FORWARDED_FOR: StringMatch(How.REGEX, rf"\s*{'[.]'.join(parts)}\s*(?:,.*)?")})
