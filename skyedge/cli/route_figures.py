"""What `skyedge route` prints, as plain data: the way of each request, how traffic was split, and how well it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.cli.route_requests import Asked
from skyedge.cli.route_ways import between_networks, ways_as_mappings
from skyedge.cli.route_why import Explainer, Tried
from skyedge.layers.mesh.access import FORBIDDEN
from skyedge.layers.mesh.explain import place
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN, MeshEndpoint
from skyedge.layers.mesh.reading import MeshReading
from skyedge.layers.mesh.telemetry import Signals, by_class, by_service
from skyedge.layers.mesh.traffic import Calls, Flags, Traffic, flag_text

FAILED = 500


def as_mapping(reading: MeshReading, asked: Sequence[Asked], traffic: Traffic, *, explain: bool) -> dict[str, Any]:
    """All of it by name: what ``-o json`` prints.

    ``summary`` counts the requests that came from outside, ``failed_by_flags`` those of them that failed; ``requests`` are
    these, in the order given; ``split`` counts attempts, with those that endpoints made and mirrored copies; ``ejections``
    are in order of time; ``latency`` is of whole requests, by the service that was asked for; ``classes`` is the same by
    class of service, with the mean wait at an endpoint, and empty where all are of one.  Where networks differ each request
    has ``ways``, of its attempts in order, and ``between_networks`` counts them.
    """
    calls = traffic.calls
    tried, explainer = _tried(reading, calls), Explainer(reading, traffic.ejections)
    between = between_networks(reading, asked, calls)
    printed = _printed(reading, calls)
    return {
        "summary": _summary(explainer, asked, traffic, tried),
        "failed_by_flags": _failed_by_flags(calls, len(asked)),
        "requests": _requests(reading, explainer, asked, calls, tried, printed, explain=explain),
        "split": _split(calls, printed),
        "ejections": [
            {
                "at_s": round(one.at_us / 1e6, 6),
                "caller": printed(one.caller),
                "service": printed(one.service),
                "subset": one.subset,
                "endpoint": one.endpoint,
                "what": "ejected" if one.out else "back",
            }
            for one in traffic.ejections
        ],
        "latency": [{"service": printed(one.name[0]), **_latency(one)} for one in by_service(calls)],
        "classes": [
            {"class": one.name[0], **_latency(one), "wait_ms": _rounded(one.wait_ms)}
            for one in (by_class(calls) if len(calls.classes) > 1 else ())
        ],
        **({} if between is None else {"between_networks": between}),
        "warnings": explainer.unknown_hosts(asked),
    }


def short(host: str) -> str:
    """A host without what every service of the cluster has at its end."""
    return host.replace(f".{CLUSTER_DOMAIN}", "")


def _printed(reading: MeshReading, calls: Calls) -> Callable[[str], str]:
    """How hosts, and callers named by one, are printed: services in short, unless that is another host that was asked."""
    asked_for = set(calls.services)
    shorter = {one.thing.host: short(one.thing.host) for one in reading.services if short(one.thing.host) not in asked_for}

    def printed(name: str) -> str:
        host, slash, rest = name.partition("/")
        return f"{shorter.get(host, host)}{slash}{rest}"

    return printed


def _failed(calls: Calls, count: int) -> NDArray[np.bool_]:
    """Which of the first so many requests failed."""
    status = calls.requests.status[:count]
    return (status == 0) | (status >= FAILED)


def _failed_by_flags(calls: Calls, count: int) -> dict[str, int]:
    """How many of the first so many requests failed, by their flags, the most frequent first."""
    counts = Counter(calls.requests.flags[:count][_failed(calls, count)].tolist())
    return {flag_text(flags): many for flags, many in sorted(counts.items(), key=lambda one: (-one[1], one[0]))}


def _latency(one: Signals) -> dict[str, Any]:
    return {
        "requests": one.count,
        "error_share": _rounded(one.error_share),
        "p50_ms": _rounded(one.p50_ms),
        "p90_ms": _rounded(one.p90_ms),
        "p99_ms": _rounded(one.p99_ms),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def _tried(reading: MeshReading, calls: Calls) -> dict[int, list[Tried]]:
    """The attempts of each request."""
    known = {(one.service, one.address): one for one in reading.endpoints}
    attempts = calls.attempts
    found: dict[int, list[Tried]] = {}
    columns = (
        attempts.request,
        attempts.service,
        attempts.subset,
        attempts.endpoint,
        attempts.status,
        attempts.flags,
        attempts.start_us,
        attempts.sent_us,
        attempts.end_us,
    )
    for request, service, subset, endpoint, status, flags, at_us, sent_us, end_us in zip(
        *(c.tolist() for c in columns), strict=True
    ):
        named = calls.endpoints[endpoint]
        host = calls.services[service]
        where = known.get((named.service, named.address)) or MeshEndpoint(named.address, host)
        one = Tried(
            host, calls.subsets[subset], where, status, flags, at_us, (end_us - at_us) / 1e3, max(sent_us - at_us, 0) / 1e3
        )
        found.setdefault(request, []).append(one)
    return found


def _summary(
    explainer: Explainer, asked: Sequence[Asked], traffic: Traffic, tried: Mapping[int, Sequence[Tried]]
) -> dict[str, int]:
    calls, count = traffic.calls, len(asked)
    status, flags = calls.requests.status[:count], calls.requests.flags[:count]
    routes = calls.requests.route.tolist()
    denied = sum(
        explainer.denied(asked[row], routes[row], tried.get(row, ())) for row in np.flatnonzero(status == FORBIDDEN).tolist()
    )
    return {
        "requests": count,
        "answered": int(((status > 0) & (status < 400)).sum()),
        "failed": int(_failed(calls, count).sum()),
        "denied": denied,
        "rate_limited": int(((flags & Flags.RL.value) > 0).sum()),
        "circuit_breaks": int(((flags & Flags.UO.value) > 0).sum()),
        "faults": int(((flags & (Flags.FI.value | Flags.DI.value)) > 0).sum()),
        "no_route": int(((flags & (Flags.NR.value | Flags.NC.value)) > 0).sum()),
        "retries": int((calls.attempts.retry > 0).sum()),
        "ejections": sum(one.out for one in traffic.ejections),
        "further_requests": len(calls.requests) - count,
    }


def _requests(
    reading: MeshReading,
    explainer: Explainer,
    asked: Sequence[Asked],
    calls: Calls,
    tried: Mapping[int, Sequence[Tried]],
    printed: Callable[[str], str],
    *,
    explain: bool,
) -> list[dict[str, Any]]:
    rows = calls.requests
    columns = (rows.route, rows.status, rows.flags, rows.end_us - rows.start_us, rows.start_us)
    result = []
    for number, (one, (route, status, flags, took_us, at_us)) in enumerate(
        zip(asked, zip(*(column[: len(asked)].tolist() for column in columns), strict=True), strict=True)
    ):
        attempts = tried.get(number, ())
        last = attempts[-1] if attempts else None
        said: dict[str, Any] = {
            "at_s": round(at_us / 1e6, 6),
            "from": printed(one.caller.name),
            "host": printed(one.http.host),
            "path": one.http.path,
            "method": one.http.method,
            "rule": explainer.rule_name(one.caller, one.http, route),
            "service": "" if last is None else printed(last.service),
            "subset": "" if last is None else last.subset,
            "endpoint": "" if last is None else last.endpoint.address,
            "locality": "" if last is None else place(last.endpoint.locality),
            "status": status,
            "flags": flag_text(flags),
            "attempts": len(attempts),
            "ms": round(took_us / 1e3, 3),
        }
        if reading.reach is not None:
            said["ways"] = ways_as_mappings(reading.reach, one.caller, [attempt.endpoint for attempt in attempts])
        if explain:
            said["why"] = explainer.why(one, route, attempts, flags)
        result.append(said)
    return result


def _split(calls: Calls, printed: Callable[[str], str]) -> dict[str, list[dict[str, Any]]]:
    attempts = calls.attempts
    services, subsets, endpoints = attempts.service.tolist(), attempts.subset.tolist(), attempts.endpoint.tolist()
    ways = list(zip(attempts.from_locality.tolist(), attempts.to_locality.tolist(), strict=True))

    def counted(keys: Sequence[tuple[str, ...]], names: Sequence[str]) -> list[dict[str, Any]]:
        """Attempts by key, and the share of each among those of its first name."""
        counts = Counter(keys)
        total = Counter(key[0] for key in keys)
        return [
            {**dict(zip(names, key, strict=True)), "attempts": count, "share": round(count / total[key[0]], 4)}
            for key, count in sorted(counts.items())
        ]

    hosts = [printed(host) for host in calls.services]
    places = [place(locality) for locality in calls.localities]
    named = [(hosts[service], calls.subsets[subset]) for service, subset in zip(services, subsets, strict=True)]
    return {
        "destinations": counted(named, ("service", "subset")),
        "localities": counted(
            [(hosts[service], places[to], places[start]) for service, (start, to) in zip(services, ways, strict=True)],
            ("service", "locality", "from"),
        ),
        "endpoints": counted(
            [
                (hosts[service], calls.endpoints[endpoint].address, places[to])
                for service, endpoint, (_, to) in zip(services, endpoints, ways, strict=True)
            ],
            ("service", "endpoint", "locality"),
        ),
    }
