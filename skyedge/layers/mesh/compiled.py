"""Requests as numbers: what the rules say of a request is found once, and remembered for all that are like it.

A *request key* stands for all requests with the same host, path, method, headers and so on.  Of the millions of requests
that a proxy sees few differ in that, so the rules of :mod:`~skyedge.layers.mesh.http_route` are asked once for each key,
and a batch is a gather from columns.  Chance stays outside: a key knows the shares of its destinations and of its faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import NOT_FOUND, OK, Destination, Draws, HttpRoute, Outcome, answer, first_match
from skyedge.layers.mesh.objects import Caller
from skyedge.layers.mesh.rows import Indices, Rows, chosen, grown, reaches
from skyedge.layers.mesh.virtual_hosts import VirtualHost, VirtualHosts

BAD_GATEWAY = 502
"""The answer to a host that nobody knows, where such are refused (Istio's REGISTRY_ONLY)."""

NO_ROW, NO_RULE = -1, -1
Key = tuple[object, ...]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KeyRoute:
    """What is known of a key.

    Attributes:
        request: one of those that it stands for, as the caller sends it.
        virtual_host: whose routes it follows; None: no name fits.
        rule: the number of the rule that it meets; ``NO_RULE`` for none.
    """

    request: HttpRequest
    virtual_host: VirtualHost | None
    rule: int

    @property
    def route(self) -> HttpRoute | None:
        """The rule that it meets."""
        return None if self.virtual_host is None or self.rule == NO_RULE else self.virtual_host.routes[self.rule]


class RequestKeys:
    """The keys of one caller's requests, and what the rules say of each.

    Args:
        virtual_hosts: as the caller sees them.
        caller: its labels, namespace and gateway stand in for those of every request.
        cluster: gives the number of what a destination leads to, for a request by some port; -1 if there is no such thing.
        allow_any: whether a host that nobody knows is called all the same.

    Attributes:
        known: by key.
        status: (keys,), of the answer of the proxy itself; 200 where a destination answers.
        rule: (keys,).
        row: (keys,), of the shares of its destinations; ``NO_ROW`` where there are none.
        abort_percent, abort_status, delay_percent, delay_s: (keys,), faults.
        has_faults: whether any key has one.
        splits: rows of shares (``reach``) and of clusters (``cluster``), one for each rule that has destinations.
    """

    def __init__(
        self, virtual_hosts: VirtualHosts, caller: Caller, cluster: Callable[[Destination, int], int], *, allow_any: bool
    ) -> None:
        self._virtual_hosts, self._caller, self._cluster, self._allow_any = virtual_hosts, caller, cluster, allow_any
        self.known: list[KeyRoute] = []
        self.status: NDArray[np.int32] = np.zeros(0, np.int32)
        self.rule: Indices = np.zeros(0, np.intp)
        self.row: Indices = np.zeros(0, np.intp)
        self.abort_percent: NDArray[np.float64] = np.zeros(0)
        self.abort_status: NDArray[np.int32] = np.zeros(0, np.int32)
        self.delay_percent: NDArray[np.float64] = np.zeros(0)
        self.delay_s: NDArray[np.float64] = np.zeros(0)
        self.has_faults = False
        self.splits = Rows(reach=np.float64, cluster=np.intp)
        self._numbers: dict[Key, int] = {}
        self._by_columns: dict[Key, int] = {}
        self._split_rows: dict[tuple[int, int, int], int] = {}

    def number(self, request: HttpRequest) -> int:
        """The key of a request."""
        texts = (request.host, request.path, request.method, request.port, request.scheme, request.grpc)
        key = (*texts, *sorted(request.headers.items()))
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._add(request)
        return number

    def numbers(self, requests: Iterable[HttpRequest]) -> Indices:
        """The key of each request, (n,)."""
        return np.array([self.number(request) for request in requests], np.intp)

    def of_columns(
        self, hosts: Sequence[str], paths: Sequence[str], methods: Sequence[str], headers: Sequence[Headers]
    ) -> Indices:
        """The key of each of many plain requests (HTTP, port 80), (n,); every column has n entries.

        Texts that were seen before cost one look into a table.
        """
        count = len(hosts)
        try:
            return np.fromiter(
                map(self._by_columns.__getitem__, zip(hosts, paths, methods, headers, strict=True)), np.intp, count
            )
        except KeyError:
            for key in set(zip(hosts, paths, methods, headers, strict=True)):
                if key not in self._by_columns:
                    host, path, method, said = key
                    self._by_columns[key] = self.number(HttpRequest(host, path, method, headers=dict(said)))
        return self.of_columns(hosts, paths, methods, headers)

    def clusters(self, rows: Indices, draws: NDArray[np.float64]) -> tuple[Indices, Indices]:
        """For rows of shares and draws: the number of the destination in its rule, and its cluster, both (n,)."""
        starts = self.splits.start[rows]
        at = chosen(starts, self.splits.columns["reach"], draws)
        return at - starts, self.splits.columns["cluster"][at]

    def outcome(self, key: int, draws: Draws | None = None) -> Outcome:
        """All that becomes of a request of a key: rewritten path, headers, mirrors, redirects."""
        known = self.known[key]
        return (
            Outcome(int(self.status[key]))
            if known.virtual_host is None
            else answer(known.virtual_host.routes, known.request, draws)
        )

    def _add(self, request: HttpRequest) -> int:
        caller = self._caller
        request = replace(request, source_labels=caller.labels, source_namespace=caller.namespace, gateway=caller.gateway)
        virtual_host = self._virtual_hosts.find(request.host)
        met = None if virtual_host is None else first_match(virtual_host.routes, request)
        key = len(self.known)
        self.known.append(KeyRoute(request, virtual_host, NO_RULE if met is None else met[0]))
        if key == self.row.size:
            for name in ("status", "rule", "row", "abort_percent", "abort_status", "delay_percent", "delay_s"):
                setattr(self, name, grown(getattr(self, name), key + 1))
        self.rule[key], self.row[key] = NO_RULE, NO_ROW
        if virtual_host is None:
            self.status[key] = OK if self._allow_any else BAD_GATEWAY
        elif met is None:
            self.status[key] = NOT_FOUND
        else:
            self._take(key, request, virtual_host, met[0])
        return key

    def _take(self, key: int, request: HttpRequest, virtual_host: VirtualHost, rule: int) -> None:
        route = virtual_host.routes[rule]
        self.rule[key] = rule
        answers_itself = not route.destinations or (route.cors is not None and route.cors.is_preflight(request))
        # Without its fault the rule tells what else becomes of the request; with draws of 0 the fault always strikes.
        self.status[key] = answer([replace(route, abort=None, delay=None)], request).status if answers_itself else OK
        if not answers_itself:
            self.row[key] = self._split_row(virtual_host, rule, request.port)
        if route.cors is not None and route.cors.is_preflight(request):
            return
        if route.abort is not None:
            struck = answer([replace(route, delay=None, abort=replace(route.abort, percent=100.0))], request)
            self.abort_percent[key], self.abort_status[key] = route.abort.percent, struck.status
            self.has_faults = True
        if route.delay is not None:
            self.delay_percent[key], self.delay_s[key] = route.delay.percent, route.delay.fixed_s
            self.has_faults = True

    def _split_row(self, virtual_host: VirtualHost, rule: int, port: int) -> int:
        place = (id(virtual_host), rule, port)
        row = self._split_rows.get(place)
        if row is None:
            to = virtual_host.routes[rule].destinations
            clusters = [self._cluster(destination, port) for destination in to]
            row = self.splits.append(reach=reaches([destination.weight for destination in to]), cluster=clusters)
            self._split_rows[place] = row
        return row
