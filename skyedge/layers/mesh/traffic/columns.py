"""From what lived in the loop of events to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from skyedge.layers.mesh.objects import MeshEndpoint
from skyedge.layers.mesh.traffic.calls import (
    NEVER,
    NOBODY,
    Attempts,
    CallerName,
    Calls,
    Ejection,
    EndpointName,
    HttpName,
    Numbers,
    Requests,
    Traffic,
)
from skyedge.layers.mesh.traffic.directory import Directory
from skyedge.layers.mesh.traffic.life import Attempt, Request
from skyedge.layers.mesh.traffic.proxy import Proxy
from skyedge.layers.mesh.traffic.station import Station
from skyedge.layers.mesh.virtual_hosts import without_port

APP, VERSION = ("app", "app.kubernetes.io/name"), ("version", "app.kubernetes.io/version")
"""Labels by which telemetry calls who calls and who answers (Istio's canonical service)."""

Change = tuple[int, int, bool]
"""When, which endpoint, and whether it went out."""


def traffic_of(
    directory: Directory[Attempt], requests: Sequence[Request], attempts: Sequence[Attempt], seed: int, end_us: int
) -> Traffic:
    """Everything that a run left behind."""
    service_of = {station.name: station.endpoint.service for station in directory.stations}
    calls = Calls(
        requests=_requests(directory, requests),
        attempts=_attempts(directory, attempts),
        callers=tuple(_caller(proxy, service_of.get(proxy.caller.name, "")) for proxy in directory.proxies),
        services=tuple(directory.services),
        service_namespaces=tuple(
            directory.known[host].namespace if host in directory.known else "" for host in directory.services
        ),
        subsets=tuple(directory.subsets),
        endpoints=tuple(_endpoint(station) for station in directory.stations),
        localities=tuple(directory.localities),
        classes=directory.controls.classes.names,
        http=_http_names(requests),
        seed=seed,
        end_us=end_us,
    )
    return Traffic(calls, _ejections(directory, end_us))


def _column(values: list[int]) -> Numbers:
    return np.array(values, np.int64)


def _http_names(rows: Sequence[Request]) -> tuple[HttpName, ...]:
    names: dict[int, HttpName] = {}
    for row in rows:
        if id(row.http) not in names:
            names[id(row.http)] = HttpName(row.http.method, row.http.path, row.http.host, row.http.grpc)
    return tuple(names[id(row.http)] for row in rows)


def _requests(directory: Directory[Attempt], rows: Sequence[Request]) -> Requests:
    for row in rows:
        if row.service == NOBODY:  # its proxy answered, so what it asked for is all that is known
            row.service = directory.service_number(without_port(row.http.host))
    return Requests(
        parent=_column([NOBODY if row.parent is None else row.parent.number for row in rows]),
        root=_column([row.root for row in rows]),
        mirror=np.array([row.mirror for row in rows], np.bool_),
        caller=_column([row.proxy.number for row in rows]),
        service=_column([row.service for row in rows]),
        route=_column([row.route for row in rows]),
        service_class=_column([row.service_class for row in rows]),
        start_us=_column([row.start_us for row in rows]),
        end_us=_column([row.end_us for row in rows]),
        status=_column([row.status for row in rows]),
        grpc_status=_column([row.grpc_status for row in rows]),
        flags=_column([row.flags for row in rows]),
        attempts=_column([row.attempts for row in rows]),
        request_bytes=_column([_sent_bytes(directory, row) for row in rows]),
        response_bytes=_column([row.response_bytes or 0 if row.attempts else 0 for row in rows]),
    )


def _sent_bytes(directory: Directory[Attempt], row: Request) -> int:
    if row.request_bytes is not None:
        return row.request_bytes
    behaviours = directory.behaviours
    return behaviours.services.get(directory.services[row.service], behaviours.usual).request_bytes


def _attempts(directory: Directory[Attempt], rows: Sequence[Attempt]) -> Attempts:
    here = [directory.locality_number(proxy.caller.locality) for proxy in directory.proxies]
    there = [directory.locality_number(station.endpoint.locality) for station in directory.stations]
    asked = [row.request for row in rows]
    return Attempts(
        request=_column([one.number for one in asked]),
        retry=_column([row.retry for row in rows]),
        caller=_column([one.proxy.number for one in asked]),
        service=_column([row.lane.service for row in rows]),
        subset=_column([row.lane.subset for row in rows]),
        endpoint=_column([row.station.number for row in rows]),
        from_locality=_column([here[one.proxy.number] for one in asked]),
        to_locality=_column([there[row.station.number] for row in rows]),
        start_us=_column([row.start_us for row in rows]),
        sent_us=_column([row.sent_us for row in rows]),
        arrived_us=_column([row.arrived_us for row in rows]),
        work_start_us=_column([row.work_start_us for row in rows]),
        work_end_us=_column([row.work_end_us for row in rows]),
        left_us=_column([row.left_us for row in rows]),
        end_us=_column([row.end_us for row in rows]),
        reply=_column([row.reply for row in rows]),
        status=_column([row.status for row in rows]),
        grpc_status=_column([row.grpc_status for row in rows]),
        flags=_column([row.flags for row in rows]),
        service_class=_column([one.service_class for one in asked]),
        request_bytes=_column([0 if row.sent_us == NEVER else row.request_bytes for row in rows]),
        response_bytes=_column([row.response_bytes for row in rows]),
        panic=np.array([row.panic for row in rows], np.bool_),
    )


def _caller(proxy: Proxy[Attempt], service: str) -> CallerName:
    caller = proxy.caller
    return CallerName(
        name=caller.name,
        namespace=caller.namespace,
        workload=_label(caller.labels, ("workload", *APP)) or caller.name.removeprefix(f"{caller.namespace}/"),
        app=_label(caller.labels, APP),
        version=_label(caller.labels, VERSION),
        service=service,
    )


def _endpoint(station: Station[Attempt]) -> EndpointName:
    one: MeshEndpoint = station.endpoint
    app = _label(one.labels, APP)
    version = _label(one.labels, VERSION)
    workload = _label(one.labels, ("workload",)) or "-".join(part for part in (app, version) if part)
    return EndpointName(one.address, one.service, workload or one.service.partition(".")[0], app, version, one.port)


def _label(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if name in labels), "")


def _ejections(directory: Directory[Attempt], end_us: int) -> tuple[Ejection, ...]:
    found: list[Ejection] = []
    for proxy in (*directory.proxies, *directory.replaced):
        for lane in proxy.lanes.values():
            if lane is None:
                continue
            if proxy.left_us is None:
                lane.cluster.catch_up(end_us)
                changes = lane.cluster.changes
            else:
                changes = _until(proxy.left_us, lane.cluster.changes)
            found += [
                Ejection(at_us, proxy.caller.name, lane.host, lane.subset_name, lane.stations[row].endpoint.address, out)
                for at_us, row, out in changes
            ]
    return tuple(sorted(found, key=lambda one: (one.at_us, one.caller, one.service, one.subset, one.endpoint, one.out)))


def _until(left_us: int, changes: Sequence[Change]) -> list[Change]:
    """Who was out or back until a proxy's place was taken; the new one knows of nobody, so all are back then."""
    before = [one for one in changes if one[0] < left_us]
    last = {row: out for _, row, out in before}
    return [*before, *((left_us, row, False) for row, out in sorted(last.items()) if out)]
