"""Rules of virtual services, and what becomes of a request by them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skyedge.layers.mesh import defaults, weights
from skyedge.layers.mesh.headers import CorsPolicy, HeaderOperations
from skyedge.layers.mesh.http_match import How, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import (
    Abort,
    Delay,
    Destination,
    DirectResponse,
    Draws,
    HttpRoute,
    Mirror,
    Redirect,
    Rewrite,
    answer,
    follow,
    grpc_status_number,
)
from skyedge.streams import stream

from .conditions import match_from, text_from
from .fields import Answer, Given, only, percent_from, seconds_from

REQUESTS = 100_000
"""How many requests a split is measured with: three standard errors are under half a percent."""


def operations_from(given: Given | None, side: str) -> HeaderOperations:
    given = given or {}
    only(given, ("request", "response"), "headers")
    mine = given.get(side) or {}
    only(mine, ("set", "add", "remove"), "header operations")
    return HeaderOperations(mine.get("set") or {}, mine.get("add") or {}, tuple(mine.get("remove") or ()))


def destination_from(given: Given, weight: float = 0, headers: Given | None = None) -> Destination:
    only(given, ("host", "subset", "port"), "a destination")
    port = given.get("port")
    return Destination(
        given["host"],
        given.get("subset") or "",
        port["number"] if isinstance(port, Mapping) else port,
        weight,
        operations_from(headers, "request"),
        operations_from(headers, "response"),
    )


def redirect_from(given: Given) -> Redirect:
    known = ("uri", "prefixRewrite", "authority", "scheme", "port", "derivePort", "redirectCode")
    only(given, known, "a redirect")
    return Redirect(
        uri=given.get("uri") or "",
        prefix_rewrite=given.get("prefixRewrite") or "",
        authority=given.get("authority") or "",
        scheme=given.get("scheme") or "",
        port=given.get("port"),
        port_of_request=given.get("derivePort") == "FROM_REQUEST_PORT",
        code=given.get("redirectCode") or 301,
    )


def rewrite_from(given: Given) -> Rewrite:
    only(given, ("uri", "authority", "uriRegexRewrite"), "a rewrite")
    by_pattern = given.get("uriRegexRewrite") or {}
    return Rewrite(
        given.get("uri") or "", given.get("authority") or "", by_pattern.get("match", ""), by_pattern.get("rewrite", "")
    )


def fault_from(given: Given) -> tuple[Abort | None, Delay | None]:
    only(given, ("abort", "delay"), "a fault")
    abort, delay = given.get("abort"), given.get("delay")
    for part in (abort, delay):
        only(part or {}, ("percentage", "percent", "httpStatus", "grpcStatus", "fixedDelay", "fixedDelay_s"), "a fault")
    share = [percent_from((part or {}).get("percentage", (part or {}).get("percent"))) for part in (abort, delay)]
    wait = None if delay is None else delay.get("fixedDelay_s", delay.get("fixedDelay"))
    code = (abort or {}).get("grpcStatus")
    return (
        None
        if abort is None
        else Abort(share[0], abort.get("httpStatus"), None if code is None else grpc_status_number(str(code))),
        None if delay is None else Delay(seconds_from(wait), share[1]),
    )


def cors_from(given: Given) -> CorsPolicy:
    known = ("allowOrigins", "allowOrigin", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials")
    only(given, known, "a CORS policy")
    origins = [text_from(origin) for origin in given.get("allowOrigins") or ()]
    origins += [StringMatch(How.EXACT, origin) for origin in given.get("allowOrigin") or ()]
    return CorsPolicy(
        tuple(origin for origin in origins if origin is not None),
        tuple(given.get("allowMethods") or ()),
        tuple(given.get("allowHeaders") or ()),
        tuple(given.get("exposeHeaders") or ()),
        round(seconds_from(given["maxAge"])) if given.get("maxAge") is not None else None,
        bool(given.get("allowCredentials")),
    )


def mirrors_from(given: Given) -> tuple[Mirror, ...]:
    mirrors = [
        Mirror(destination_from(one["destination"]), percent_from(one.get("percentage")))
        for one in given.get("mirrors") or ()
    ]
    if given.get("mirror"):
        percentage = given.get("mirrorPercentage")
        share = defaults.mirror_percent(None if percentage is None else percent_from(percentage), given.get("mirrorPercent"))
        mirrors += [Mirror(destination_from(given["mirror"]), share)] if share is not None else []
    return tuple(mirrors)


def route_from(given: Given) -> HttpRoute:
    """One rule."""
    known = ("name", "match", "route", "redirect", "rewrite", "directResponse", "headers", "fault", "corsPolicy")
    only(given, (*known, "mirror", "mirrors", "mirrorPercent", "mirrorPercentage", "timeout", "retries"), "a route")
    abort, delay = fault_from(given.get("fault") or {})
    direct = given.get("directResponse")
    for part in given.get("route") or ():
        only(part, ("destination", "weight", "headers"), "a destination of a route")
    return HttpRoute(
        matches=tuple(match_from(match) for match in given.get("match") or ()),
        destinations=tuple(
            destination_from(part["destination"], part.get("weight") or 0, part.get("headers"))
            for part in given.get("route") or ()
        ),
        redirect=redirect_from(given["redirect"]) if given.get("redirect") is not None else None,
        rewrite=rewrite_from(given.get("rewrite") or {}),
        direct_response=None
        if direct is None
        else DirectResponse(direct["status"], (direct.get("body") or {}).get("string", "")),
        request_headers=operations_from(given.get("headers"), "request"),
        response_headers=operations_from(given.get("headers"), "response"),
        abort=abort,
        delay=delay,
        mirrors=mirrors_from(given),
        cors=None if given.get("corsPolicy") is None else cors_from(given["corsPolicy"]),
        name=given.get("name") or "",
        timeout_s=seconds_from(given["timeout"]) if given.get("timeout") is not None else None,
    )


def http_route(given: Given) -> Answer:
    asked = given["request"]
    of_caller = ("source_namespace", "source_labels")
    only(asked, ("host", "port", "method", "path", "headers", "follow_redirects", "protocol", *of_caller), "a request")
    protocol = (asked.get("protocol") or "http").lower()
    request = HttpRequest(
        host=asked["host"],
        path=asked.get("path") or "/",
        method=asked.get("method") or "GET",
        port=asked.get("port") or 80,
        scheme="https" if protocol == "https" else "http",
        headers=asked.get("headers") or {},
        grpc=protocol == "grpc",
        source_labels=asked.get("source_labels") or {},
        source_namespace=asked.get("source_namespace") or "",
    )
    routes = [route_from(route) for route in given["http"]]
    draws = Draws(destination=given.get("draw", 0.0))
    got = (follow if asked.get("follow_redirects") else answer)(routes, request, draws)
    rule = None if got.route is None else routes[got.route]
    to = None if rule is None or got.destination is None else rule.destinations[got.destination]
    return {
        "status": got.status,
        "rule": rule and rule.name,
        "timeout_s": rule and rule.timeout_s,
        "destination": to and {"host": to.host, "subset": to.subset},
        "body": got.body,
        "location": got.location,
        "upstream_path": got.upstream_path,
        "upstream_host": got.upstream_host,
        "upstream_headers": Spoken(got.upstream_headers),
        "response_headers": Spoken(got.response_headers),
        "grpc_status": got.grpc_status,
    }


class Spoken(dict[str, str]):
    """Headers that are asked for by any spelling of their names; an absent one is empty."""

    def get(self, name: str, default: Any = None) -> str:
        """The value."""
        return super().get(name.lower(), "")


def weighted_split(given: Given) -> Answer:
    route = route_from({"route": given["route"]})
    draws = stream(0, "weighted_split", "destination").random(REQUESTS)
    picks = weights.choose([destination.weight for destination in route.destinations], draws)
    for draw, pick in zip(draws[:100].tolist(), picks.tolist(), strict=False):
        one = answer([route], HttpRequest("any"), Draws(destination=draw)).destination
        if one != pick:
            raise AssertionError(f"a batch sends a request to {pick} that goes to {one} alone")
    counts = np.bincount(picks, minlength=len(route.destinations)) / REQUESTS
    fraction: dict[str, float] = {}
    for destination, share in zip(route.destinations, counts.tolist(), strict=True):
        fraction[destination.host] = fraction.get(destination.host, 0.0) + share
    return {"fraction": fraction, "upstream_check": True}


def weighted_pick(given: Given) -> Answer:
    """Where a request goes: Envoy takes a random number modulo the sum of the weights, here it is a share of that."""
    only(given, ("weights", "random"), "a pick")
    shares = given["weights"]
    draw = given["random"] % sum(shares) / sum(shares)
    (alone,) = weights.choose(shares, np.array([draw])).tolist()
    route = route_from({"route": [{"destination": {"host": str(n)}, "weight": share} for n, share in enumerate(shares)]})
    one = answer([route], HttpRequest("any"), Draws(destination=draw)).destination
    if one != alone:
        raise AssertionError(f"a batch sends a request to {alone} that goes to {one} alone")
    return {"destination": one}


def fault_injection(given: Given) -> Answer:
    abort, delay = fault_from(given["fault"])
    return {
        "abort": None if abort is None else {"grpc_status": abort.grpc_status, "percent": abort.percent},
        "delay": None if delay is None else {"fixed_delay_s": delay.fixed_s, "percent": delay.percent},
    }


ADAPTERS = {
    "fault_injection": fault_injection,
    "http_route": http_route,
    "weighted_pick": weighted_pick,
    "weighted_split": weighted_split,
}
