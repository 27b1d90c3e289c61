"""Traces of sampled calls as OpenTelemetry's OTLP in JSON, as a collector's ``/v1/traces`` takes it.

A request is a span (``INTERNAL``: what the caller's proxy did), each of its attempts one below it (``CLIENT``), and below
that one for the endpoint that it reached (``SERVER``), from which further requests begin.  Names and attributes are those of
OpenTelemetry's semantic conventions for HTTP and RPC; ``mesh.*`` are this project's.

A trace is sampled whole or not at all, by its identity: the last 56 bits reach a threshold (OpenTelemetry's consistent
probability sampling).  Identities come from the seed and the request, so a larger share samples what a smaller one did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.mesh.traffic.calls import NEVER, NOBODY, Calls, flag_text

INTERNAL, SERVER, CLIENT = 1, 2, 3
"""``SpanKind`` of OTLP."""
ERROR = 2
"""``StatusCode`` of OTLP; what is not an error stays unset."""
SCOPE = "skyedge.mesh"
RANDOM_BITS = 56

Json = dict[str, Any]


def traces(calls: Calls, share: float = 1.0, start_unix_ns: int = 0) -> Json:
    """Traces of a share of the requests from outside.

    Args:
        share: from 0 to 1.
        start_unix_ns: what virtual time 0 is called, ns since 1970.

    Returns:
        An ``ExportTraceServiceRequest``; one resource for each service or caller, by name.

    Raises:
        InputError: if the share is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise InputError(f"the share of traces must be from 0 to 1, not {share}")
    return _Writer(calls, share, start_unix_ns).export()


def trace_id(seed: int, root: int) -> str:
    """The identity of a trace, 32 hexadecimal digits."""
    return _identity(16, seed, "trace", root)


def sampled(identity: str, share: float) -> bool:
    """Whether a trace is among a share of them."""
    return int(identity, 16) % 2**RANDOM_BITS >= round((1 - share) * 2**RANDOM_BITS)


class _Writer:
    def __init__(self, calls: Calls, share: float, start_unix_ns: int) -> None:
        self._calls = calls
        self._start_ns = start_unix_ns
        self._namespaces = dict(zip(calls.services, calls.service_namespaces, strict=True))
        self._by_resource: dict[tuple[str, str], list[Json]] = {}
        roots = np.unique(calls.requests.root).tolist()
        self._traces = {root: one for root in roots if sampled(one := trace_id(calls.seed, root), share)}

    def export(self) -> Json:
        calls = self._calls
        wanted = np.isin(calls.requests.root, np.array(sorted(self._traces), np.int64))
        for request in np.flatnonzero(wanted).tolist():
            self._request(request)
        for attempt in np.flatnonzero(wanted[calls.attempts.request]).tolist():
            self._attempt(attempt)
        return {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes({"service.name": name, "service.namespace": namespace or None})},
                    "scopeSpans": [{"scope": {"name": SCOPE}, "spans": spans}],
                }
                for (name, namespace), spans in sorted(self._by_resource.items())
            ]
        }

    def _request(self, row: int) -> None:
        requests, http = self._calls.requests, self._calls.http[row]
        parent = int(requests.parent[row])
        status, grpc = int(requests.status[row]), int(requests.grpc_status[row])
        self._add(
            self._source(int(requests.caller[row])),
            row,
            self._span("request", row),
            self._span("server", parent) if parent != NOBODY else "",
            f"{http.method} {self._calls.services[int(requests.service[row])]}",
            INTERNAL,
            (int(requests.start_us[row]), int(requests.end_us[row])),
            {
                **self._http(row, status, grpc),
                "mesh.response_flags": flag_text(int(requests.flags[row])),
                "mesh.attempts": int(requests.attempts[row]),
                "mesh.service_class": self._calls.classes[int(requests.service_class[row])],
                "mesh.mirror": True if requests.mirror[row] else None,
            },
            failed=status >= 400 or status == 0 or grpc > 0,
        )

    def _attempt(self, row: int) -> None:
        calls, attempts = self._calls, self._calls.attempts
        request = int(attempts.request[row])
        endpoint = calls.endpoints[int(attempts.endpoint[row])]
        status, grpc, retry = int(attempts.status[row]), int(attempts.grpc_status[row]), int(attempts.retry[row])
        service, subset = calls.services[int(attempts.service[row])], calls.subsets[int(attempts.subset[row])]
        start_us, end_us = int(attempts.start_us[row]), int(attempts.end_us[row])
        method = calls.http[request].method
        self._add(
            self._source(int(attempts.caller[row])),
            request,
            self._span("client", row),
            self._span("request", request),
            method,
            CLIENT,
            (start_us, end_us),
            {
                **self._http(request, status, grpc),
                "server.address": service,
                "server.port": endpoint.port or None,
                "network.peer.address": endpoint.address,
                "http.request.resend_count": retry or None,
                "mesh.upstream_cluster": f"outbound|{endpoint.port or 80}|{subset}|{service}",
                "mesh.response_flags": flag_text(int(attempts.flags[row])),
            },
            failed=status >= 400 or status == 0 or grpc > 0,
        )
        arrived_us, left_us = int(attempts.arrived_us[row]), int(attempts.left_us[row])
        if arrived_us == NEVER:
            return
        reply, work_us = int(attempts.reply[row]), int(attempts.work_start_us[row])
        self._add(
            (endpoint.service, self._namespace(endpoint.service)),
            request,
            self._span("server", row),
            self._span("client", row),
            method,
            SERVER,
            (arrived_us, left_us if left_us != NEVER else end_us),
            {
                **self._http(request, reply, NOBODY),
                "service.version": endpoint.version or None,
                "client.address": calls.callers[int(attempts.caller[row])].name,
                "mesh.queue_us": work_us - arrived_us if work_us != NEVER else None,
            },
            failed=reply >= 500 or reply == 0,
        )

    def _http(self, request: int, status: int, grpc: int) -> Json:
        http = self._calls.http[request]
        path, _, query = http.path.partition("?")
        failed = status >= 400 or status == 0 or grpc > 0
        return {
            "http.request.method": http.method,
            "http.response.status_code": status or None,
            "url.path": path,
            "url.query": query or None,
            "url.scheme": "http",
            "rpc.system": "grpc" if http.grpc else None,
            "rpc.grpc.status_code": grpc if grpc != NOBODY else None,
            "error.type": (str(grpc if grpc > 0 else status) if status else "no_answer") if failed else None,
        }

    def _source(self, caller: int) -> tuple[str, str]:
        one = self._calls.callers[caller]
        return one.service or one.name or "unknown", one.namespace

    def _namespace(self, service: str) -> str:
        return self._namespaces.get(service, "")

    def _span(self, kind: str, row: int) -> str:
        return _identity(8, self._calls.seed, kind, row)

    def _add(
        self,
        resource: tuple[str, str],
        request: int,
        identity: str,
        parent: str,
        name: str,
        kind: int,
        times_us: tuple[int, int],
        attributes: Mapping[str, Any],
        *,
        failed: bool,
    ) -> None:
        start_us, end_us = times_us
        span: Json = {
            "traceId": self._traces[int(self._calls.requests.root[request])],
            "spanId": identity,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(self._start_ns + start_us * 1000),
            "endTimeUnixNano": str(self._start_ns + end_us * 1000),
            "attributes": _attributes(attributes),
            "status": {"code": ERROR} if failed else {},
        }
        if parent:
            span["parentSpanId"] = parent
        self._by_resource.setdefault(resource, []).append(span)


def _identity(size: int, seed: int, kind: str, number: int) -> str:
    return hashlib.blake2b(f"{seed}\x1f{kind}\x1f{number}".encode(), digest_size=size).hexdigest()


def _attributes(values: Mapping[str, Any]) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: str | int | bool) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    # 64-bit numbers are text in protobuf's JSON.
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
