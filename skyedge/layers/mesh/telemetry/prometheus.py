"""Istio's standard metrics in Prometheus' text format (version 0.0.4), as a scrape of all proxies would give them.

Each request is reported by its caller's proxy (``reporter="source"``, with all its retries), each attempt that came to an
endpoint by that one's (``reporter="destination"``).  Proxies that answer themselves report a destination that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.traffic.calls import NEVER, NOBODY, Calls, Flags, Numbers, flag_text
from skyedge.layers.mesh.traffic.rate_limits import TOO_MANY_REQUESTS

BUCKETS_MS = (
    *(0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0, 60_000.0),
    *(300_000.0, 600_000.0, 1_800_000.0, 3_600_000.0),
)
"""Envoy's usual buckets, which Istio keeps for durations and sizes."""
UNKNOWN = "unknown"

LABELS = (
    *("reporter", "source_workload", "source_workload_namespace", "source_app", "source_version"),
    *("source_canonical_service", "source_canonical_revision"),
    *("destination_workload", "destination_workload_namespace", "destination_app", "destination_version"),
    *("destination_canonical_service", "destination_canonical_revision"),
    *("destination_service", "destination_service_name", "destination_service_namespace"),
    *("request_protocol", "response_code", "grpc_response_status", "response_flags", "connection_security_policy"),
)
"""Of every series, in this order: Istio's standard labels, but for principals, which nobody has here."""
LATEST = "latest"
"""The canonical revision of what names no version (Istio)."""


@dataclass(frozen=True)
class _Reports:
    """Reports of one kind of proxy: codes that make up labels, and what is measured."""

    reporter: str
    codes: NDArray[np.int64]
    """(reports, 7): caller, service, endpoint, gRPC, status, gRPC status, flags."""
    duration_us: Numbers
    request_bytes: Numbers
    response_bytes: Numbers


def exposition(calls: Calls, *, mutual_tls: bool = True) -> str:
    """The text of a scrape at the end of the traffic.

    Args:
        mutual_tls: what ``connection_security_policy`` says; the caller's proxy cannot know (Istio).
    """
    reports = (_of_callers(calls), _of_endpoints(calls))
    lines: list[str] = []
    series = [(labels, one, rows) for one in reports for labels, rows in _series(calls, one, mutual_tls=mutual_tls)]
    lines += _head("istio_requests_total", "counter", "requests that were answered, by proxy")
    lines += [f"istio_requests_total{{{labels}}} {rows.size}" for labels, _, rows in series]
    lines += _head("istio_request_duration_milliseconds", "histogram", "time from request to answer")
    for labels, one, rows in series:
        lines += _histogram("istio_request_duration_milliseconds", labels, one.duration_us[rows] / 1000.0)
    for name, what in (("request", "sizes of requests"), ("response", "sizes of answers")):
        lines += _head(f"istio_{name}_bytes", "histogram", what)
        for labels, one, rows in series:
            sizes = one.request_bytes if name == "request" else one.response_bytes
            lines += _histogram(f"istio_{name}_bytes", labels, sizes[rows].astype(np.float64))
    return "\n".join(lines) + "\n"


def escaped(value: str) -> str:
    """A label's value as it stands between quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number_text(value: float) -> str:
    """A number as short as it can be said."""
    return str(int(value)) if value.is_integer() else repr(value)


def _of_callers(calls: Calls) -> _Reports:
    requests, attempts = calls.requests, calls.attempts
    endpoint = np.full(len(requests), NOBODY, np.int64)
    endpoint[attempts.request] = attempts.endpoint  # of several attempts the last one stays
    seen = np.flatnonzero(~requests.mirror)
    grpc = np.array([one.grpc for one in calls.http], np.int64)
    columns = (requests.caller, requests.service, endpoint, grpc, requests.status, requests.grpc_status, requests.flags)
    return _Reports(
        "source",
        np.stack(columns, axis=1)[seen],
        (requests.end_us - requests.start_us)[seen],
        requests.request_bytes[seen],
        requests.response_bytes[seen],
    )


def _of_endpoints(calls: Calls) -> _Reports:
    attempts = calls.attempts
    came = np.flatnonzero(attempts.arrived_us != NEVER)
    grpc = np.array([one.grpc for one in calls.http], np.int64)[attempts.request]
    status = np.where((grpc > 0) & (attempts.grpc_status != NOBODY), attempts.status, attempts.reply)
    limited = (attempts.reply == TOO_MANY_REQUESTS) * (attempts.flags & Flags.RL.value)
    flags = np.where(attempts.reply == 0, Flags.DC.value, limited)
    columns = (attempts.caller, attempts.service, attempts.endpoint, grpc, status, attempts.grpc_status, flags)
    left = np.where(attempts.left_us == NEVER, attempts.end_us, attempts.left_us)
    return _Reports(
        "destination",
        np.stack(columns, axis=1)[came],
        (left - attempts.arrived_us)[came],
        attempts.request_bytes[came],
        attempts.response_bytes[came],
    )


def _series(calls: Calls, reports: _Reports, *, mutual_tls: bool) -> Iterator[tuple[str, NDArray[np.intp]]]:
    if reports.codes.shape[0] == 0:
        return
    distinct, group = np.unique(reports.codes, axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(group.reshape(-1), minlength=len(distinct)))
    merged: dict[str, list[NDArray[np.intp]]] = {}
    security = UNKNOWN if reports.reporter == "source" else "mutual_tls" if mutual_tls else "none"
    for codes, rows in zip(distinct.tolist(), np.split(order, ends[:-1]), strict=True):
        values = (reports.reporter, *_names(calls, codes), security)
        labels = ",".join(f'{label}="{escaped(value)}"' for label, value in zip(LABELS, values, strict=True))
        merged.setdefault(labels, []).append(rows)
    # Endpoints of one workload are one series.
    for labels in sorted(merged):
        yield labels, np.concatenate(merged[labels])


def _names(calls: Calls, codes: Sequence[int]) -> tuple[str, ...]:
    caller, service, endpoint, grpc, status, grpc_status, flags = codes
    source, host = calls.callers[caller], calls.services[service]
    namespace = calls.service_namespaces[service] or UNKNOWN
    calling = (source.workload or UNKNOWN, source.namespace or UNKNOWN, source.app or UNKNOWN, source.version or UNKNOWN)
    canonical = (source.app or source.workload or UNKNOWN, source.version or LATEST)
    called = (UNKNOWN,) * 6
    if endpoint != NOBODY:
        one = calls.endpoints[endpoint]
        called = (
            one.workload,
            namespace,
            one.app or UNKNOWN,
            one.version or UNKNOWN,
            one.app or one.workload,
            one.version or LATEST,
        )
    return (
        *(*calling, *canonical, *called, host, host.partition(".")[0], namespace),
        *("grpc" if grpc else "http", str(status), str(grpc_status) if grpc_status != NOBODY else "", flag_text(flags)),
    )


def _head(name: str, kind: str, what: str) -> list[str]:
    return [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]


def _histogram(name: str, labels: str, values: NDArray[np.float64]) -> list[str]:
    counts = np.searchsorted(np.sort(values), BUCKETS_MS, side="right").tolist()
    lines = [
        f'{name}_bucket{{{labels},le="{number_text(bound)}"}} {count}'
        for bound, count in zip(BUCKETS_MS, counts, strict=True)
    ]
    return [
        *lines,
        f'{name}_bucket{{{labels},le="+Inf"}} {values.size}',
        f"{name}_sum{{{labels}}} {number_text(float(values.sum()))}",
        f"{name}_count{{{labels}}} {values.size}",
    ]
