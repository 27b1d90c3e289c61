"""A caller's proxy: which way each request takes, and a lane to every cluster that it calls.

What a request matches does not change while traffic runs, so it is looked up once for each request object; chance is drawn
anew every time.  What a proxy knows of a cluster (ejections, connections, retries in hand) is its own: proxies do not talk.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Generic, TypeVar

from skyedge.layers.mesh.hashed_keys import hashed_text
from skyedge.layers.mesh.hashing import xxhash64
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Draws, HttpRoute, Outcome, answer, as_sent, first_match
from skyedge.layers.mesh.objects import Caller, HashKey
from skyedge.layers.mesh.retries import RetryPolicy, RetryWish, retry_policy
from skyedge.layers.mesh.traffic.cluster_view import ClusterView
from skyedge.layers.mesh.traffic.connections import ConnectionPool
from skyedge.layers.mesh.traffic.links import Carrier
from skyedge.layers.mesh.traffic.retry_budget import RetriesInHand
from skyedge.layers.mesh.traffic.station import Station
from skyedge.layers.mesh.weights import shares

Ticket = TypeVar("Ticket")


Chance = tuple[float, float, float, float]
"""As :class:`~skyedge.layers.mesh.http_route.Draws`: destination, abort, delay, mirror."""
NO_CHANCE = (0.0, 0.0, 0.0, 0.0)


class Way:
    """What the route of one request object comes to.

    Args:
        request: as the caller's proxy sees it.
        routes: of its virtual host.
        default_retries: what the mesh says where a route says nothing.
        status: of the answer if there is no virtual host.
    """

    def __init__(
        self, request: HttpRequest, routes: Sequence[HttpRoute], default_retries: RetryWish | None, status: int | None = None
    ) -> None:
        self.request = request
        found = None if status is not None else first_match(routes, request)
        self.number: int | None = None if found is None else found[0]
        self.route: HttpRoute | None = None if found is None else routes[found[0]]
        self._nothing = Outcome(status if status is not None else 404)
        self._default_retries = default_retries
        self._policies: dict[bool, RetryPolicy | None] = {}
        self._outcomes: dict[tuple[int, bool, bool], Outcome] = {}
        self._sent: dict[int, HttpRequest] = {}
        route = self.route
        self._reach = (
            list(accumulate(shares([to.weight for to in route.destinations]).tolist()))
            if (route is not None and route.destinations)
            else [1.0]
        )
        self.chancy = route is not None and (
            len(self._reach) > 1 or route.abort is not None or route.delay is not None or bool(route.mirrors)
        )
        self.timeout_us = round(route.timeout_s * 1e6) if route is not None and route.timeout_s else None
        self.service_class = 0

    @property
    def name(self) -> str:
        """Of the route."""
        return self.route.name if self.route is not None else ""

    def outcome(self, chance: Chance) -> Outcome:
        """What :func:`~skyedge.layers.mesh.http_route.answer` says, remembered for each way that chance can turn."""
        route = self.route
        if route is None:
            return self._nothing
        destination, abort, delay, _ = chance
        key = (
            bisect_right(self._reach, destination),
            route.abort is not None and abort * 100 < route.abort.percent,
            route.delay is not None and delay * 100 < route.delay.percent,
        )
        found = self._outcomes.get(key)
        if found is None:
            # The rule is known, and without mirrors nothing but the key matters.
            found = self._outcomes[key] = answer((route,), self.request, Draws(*chance))
        return found

    def sent(self, destination: int, http: HttpRequest) -> HttpRequest:
        """The request as a destination of the route sees it; ``http``, from which this way was found, if nothing changes."""
        if destination not in self._sent:
            assert self.route is not None
            changed = as_sent(self.route, self.request, self.route.destinations[destination])
            self._sent[destination] = http if changed is self.request else changed
        return self._sent[destination]

    def aborted(self, chance: Chance) -> bool:
        """Whether an error was put in."""
        return self.route is not None and self.route.abort is not None and chance[1] * 100 < self.route.abort.percent

    def retries(self, *, consistent_hash: bool) -> RetryPolicy | None:
        """The policy of the route's retries."""
        if consistent_hash not in self._policies:
            wish = self.route.retries if self.route is not None else None
            wish = self._default_retries if wish is None else wish
            self._policies[consistent_hash] = retry_policy(wish, consistent_hash=consistent_hash)
        return self._policies[consistent_hash]


@dataclass
class Lane(Generic[Ticket]):
    """From one proxy to one cluster.

    Attributes:
        service, subset: numbers by which columns name them.
        port: of the service, which calls are made to.
        stations: of the cluster's endpoints, in its order.
        delays_us: one way, to each.
        links_out, links_back: that messages to and from each have to cross; empty if there are none at all.
        connect_timeout_us: for opening a connection.
        draw: chance of its choices and waits.
        hash_key: what is hashed, if the balancer hashes.
    """

    host: str
    subset_name: str
    service: int
    subset: int
    port: int
    cluster: ClusterView
    stations: tuple[Station[Ticket], ...]
    delays_us: tuple[int, ...]
    links_out: tuple[Carrier | None, ...]
    links_back: tuple[Carrier | None, ...]
    pool: ConnectionPool[Ticket]
    retries: RetriesInHand
    connect_timeout_us: int
    draw: Callable[[], float]
    consistent_hash: bool
    hash_key: HashKey | None

    @cached_property
    def rows_on(self) -> Mapping[str, Sequence[int]]:
        """Numbers of the endpoints that are on each node."""
        rows: dict[str, list[int]] = {}
        for row, station in enumerate(self.stations):
            rows.setdefault(station.endpoint.node, []).append(row)
        return rows


class Proxy(Generic[Ticket]):
    """One caller's proxy.

    Attributes:
        number: by which columns name the caller.
        draw: chance of its routes.
        ways: by the identity of request objects, which are kept with them.
        lanes: by host, subset and port; None where there is no such cluster.
        edition: how many were here before it.
        listens: whether it takes requests; those that come while it does not fail.
        left_us: when another took its place; None if none has.
    """

    def __init__(self, caller: Caller, number: int, draw: Callable[[], float]) -> None:
        self.caller = caller
        self.number = number
        self.draw = draw
        self.ways: dict[int, Way] = {}
        self.lanes: dict[tuple[str, str, int], Lane[Ticket] | None] = {}
        self.edition = 0
        self.listens = True
        self.left_us: int | None = None

    def replaced(self, now_us: int) -> Proxy[Ticket]:
        """The proxy that takes its place: it has the same rules, and knows nothing of endpoints."""
        new: Proxy[Ticket] = Proxy(self.caller, self.number, self.draw)
        new.ways, new.edition = self.ways, self.edition + 1
        self.left_us = now_us
        return new


def hashed(key: HashKey | None, request: HttpRequest, caller: Caller) -> int | None:
    """What consistent hashing goes by; None if the request does not carry it."""
    text = None if key is None else hashed_text(key, request, caller)
    return None if text is None else xxhash64(text)
