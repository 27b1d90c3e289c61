"""The same rules as the router's, one request at a time, on dictionaries and lists; slow, and meant to be read.

It shares with the router the objects that go in and the functions that decide one thing (a rule's match, the load of
priorities, the balancers), which have tests of their own, but none of the columns.  What a name stands for is found once,
who is in which pool anew after every change, everything else for every request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from math import gcd

from skyedge.layers.mesh.balancing import at_random, least_request, round_robin
from skyedge.layers.mesh.defaults import panic_percent
from skyedge.layers.mesh.hash_tables import hash_ring, maglev_table
from skyedge.layers.mesh.hashing import xxhash64
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Destination, Draws, HttpRoute, answer
from skyedge.layers.mesh.locality import (
    Endpoint,
    EndpointGroup,
    Locality,
    distribute,
    failover_priorities,
    split_by_labels,
    zone_aware_priorities,
)
from skyedge.layers.mesh.locality_settings import Kind, Level, effective_setting
from skyedge.layers.mesh.objects import (
    Balancer,
    Caller,
    DestinationRule,
    LoadBalancing,
    LocalityWish,
    Mesh,
    MeshEndpoint,
    Service,
    TrafficPolicy,
    effective_policy,
)
from skyedge.layers.mesh.priority_load import locality_load, priority_load
from skyedge.layers.mesh.weights import choose


@dataclass(frozen=True)
class Chance:
    """The draws of one request."""

    destination: float
    pool: float
    first: float
    second: float
    abort: float = 0.0
    delay: float = 0.0


@dataclass(frozen=True)
class Way:
    """What became of one request."""

    status: int
    rule: int = -1
    destination: int = -1
    address: str | None = None
    priority: int = -1
    locality: Locality | None = None
    delay_s: float = 0.0


@dataclass
class Pool:
    """Endpoints among which a balancer chooses."""

    share: float
    endpoints: list[MeshEndpoint]
    weights: list[float]
    priority: int
    locality: Locality | None


NOBODY = Way(503)


class Reference:
    """One caller's proxy."""

    def __init__(self, mesh: Mesh, caller: Caller) -> None:
        self.mesh, self.caller = mesh, caller
        self.services = {service.host: service for service in mesh.services}
        self.endpoints: dict[str, list[MeshEndpoint]] = {service.host: [] for service in mesh.services}
        for endpoint in mesh.endpoints:
            self.endpoints[endpoint.service].append(endpoint)
        self.active: dict[tuple[str, str], int] = defaultdict(int)
        self.ejected: set[tuple[str, str]] = set()
        self.turns: dict[object, int] = defaultdict(int)
        self._routes: dict[str, tuple[HttpRoute, ...] | None] = {}
        self._rules: dict[str, DestinationRule | None] = {}
        self._pools: dict[object, list[Pool]] = {}

    def update(self, host: str, endpoints: Iterable[MeshEndpoint]) -> None:
        self.endpoints[host] = list(endpoints)
        there = {endpoint.address for endpoint in self.endpoints[host]}
        self.ejected = {one for one in self.ejected if one[0] != host or one[1] in there}
        self.active = defaultdict(int, {one: n for one, n in self.active.items() if one[0] != host or one[1] in there})
        self._pools.clear()

    def eject(self, host: str, address: str, *, back: bool = False) -> None:
        (self.ejected.discard if back else self.ejected.add)((host, address))
        self._pools.clear()

    def finish(self, host: str, address: str) -> None:
        if (host, address) in self.active:
            self.active[host, address] -= 1

    # Rules.

    def routes(self, authority: str) -> tuple[HttpRoute, ...] | None:
        name, _, port = authority.rpartition(":")
        name = (name if port.isdigit() and name else authority).lower()
        virtual = [one for one in self.mesh.virtual_services if self.caller.gateway in one.gateways]
        for service in self.mesh.services:  # a short name stands for the whole one
            parts = service.host.split(".")
            short = [".".join(parts[:2]), ".".join(parts[:3])] + parts[:1] * (parts[1] == self.caller.namespace)
            if parts[2:3] == ["svc"] and name in short and all(name not in one.hosts for one in virtual):
                name = service.host
        fits = sorted(
            ((_precision(host), -order), order)
            for order, one in enumerate(virtual)
            for host in one.hosts
            if fits_name(host, name)
        )
        if fits:
            return virtual[fits[-1][1]].http
        return (HttpRoute(destinations=(Destination(name),)),) if name in self.services else None

    def rule_of(self, host: str) -> DestinationRule | None:
        fitting = [rule for rule in self.mesh.rules if fits_name(rule.host, host)]
        return max(fitting, key=lambda rule: _precision(rule.host), default=None)

    def route(self, request: HttpRequest, chance: Chance) -> Way:
        caller = self.caller
        request = replace(request, source_labels=caller.labels, source_namespace=caller.namespace, gateway=caller.gateway)
        if request.host not in self._routes:
            self._routes[request.host] = self.routes(request.host)
        routes = self._routes[request.host]
        if routes is None:
            return Way(200 if self.mesh.defaults.allow_any else 502)
        outcome = answer(routes, request, Draws(chance.destination, chance.abort, chance.delay))
        if outcome.route is None:
            return Way(outcome.status)
        way = Way(outcome.status, outcome.route, delay_s=outcome.delay_s)
        if outcome.destination is None:
            return way
        to = routes[outcome.route].destinations[outcome.destination]
        way = replace(way, destination=outcome.destination)
        return self._to_endpoint(way, to, request, chance)

    # Endpoints.

    def _to_endpoint(self, way: Way, to: Destination, request: HttpRequest, chance: Chance) -> Way:
        service = self.services.get(to.host)
        if service is None:
            return replace(way, status=503)
        ports = [one.number for one in service.ports]
        port = to.port if to.port is not None else request.port
        if port not in ports and len(ports) > 1:
            return replace(way, status=503)
        port = ports[0] if port not in ports and len(ports) == 1 else port
        if to.host not in self._rules:
            self._rules[to.host] = self.rule_of(to.host)
        rule = self._rules[to.host]
        if to.subset and (rule is None or rule.subset(to.subset) is None):
            return replace(way, status=503)
        policy = effective_policy(rule, to.subset, port)
        place = (to.host, to.subset, port)
        if place not in self._pools:
            self._pools[place] = self.pools(service, rule, to.subset, policy)
        pools = self._pools[place]
        if not pools:
            return replace(way, status=503)
        hashed = self._hash(policy, request, chance)
        draw = chance.pool if hashed is None else (hashed % 100) / 100.0
        pool = pools[int(choose([one.share for one in pools], draw))]
        endpoint = pool.endpoints[self._balance(pool, policy, hashed, place, chance)]
        self.active[to.host, endpoint.address] += 1
        return replace(way, address=endpoint.address, priority=pool.priority, locality=pool.locality)

    def _hash(self, policy: TrafficPolicy, request: HttpRequest, chance: Chance) -> int | None:
        if policy.balancer not in (Balancer.RING_HASH, Balancer.MAGLEV):
            return None
        said = policy.load_balancing
        text = request.header(said.hash_key.header) if said is not None and said.hash_key is not None else None
        return int(chance.first * 2.0**64) if text is None else xxhash64(text)

    def _balance(self, pool: Pool, policy: TrafficPolicy, hashed: int | None, place: tuple, chance: Chance) -> int:
        said = policy.load_balancing or LoadBalancing()
        names = [endpoint.address for endpoint in pool.endpoints]
        if policy.balancer is Balancer.MAGLEV:
            size = said.hashing.table_size or 65537
            return int(maglev_table(names, pool.weights, size)[hashed % size])
        if policy.balancer is Balancer.RING_HASH:
            return hash_ring(names, pool.weights, said.hashing.ring_size or 1024).host(hashed)
        if policy.balancer is Balancer.RANDOM:
            return int(at_random(len(names), chance.first))
        if policy.balancer is Balancer.ROUND_ROBIN:
            around = sum(map(int, pool.weights)) // reduce(gcd, map(int, pool.weights))
            turn = self.turns[place, pool.priority, pool.locality]
            self.turns[place, pool.priority, pool.locality] += 1
            return int(round_robin(pool.weights, around)[turn % around])
        busy = [self.active[place[0], name] for name in names]
        return least_request(pool.weights, busy, (chance.first, chance.second))

    def pools(self, service: Service, rule: DestinationRule | None, subset: str, policy: TrafficPolicy) -> list[Pool]:
        labels = rule.subset(subset).labels if subset and rule is not None else {}
        there = [
            endpoint
            for endpoint in sorted(self.endpoints[service.host], key=lambda endpoint: endpoint.address)
            if endpoint.weight > 0
            and endpoint.healthy
            and all(endpoint.labels.get(name) == value for name, value in labels.items())
        ]
        priority, weight, kind = self._ranked(there, service, policy)
        there = [endpoint for endpoint in there if weight.get(endpoint.locality, 1) > 0]
        if not there:
            return []
        well = {e.address for e in there if (service.host, e.address) not in self.ejected}
        levels = sorted({priority[endpoint.address] for endpoint in there})
        share_well = [_percent_well([e for e in there if priority[e.address] == level], well) for level in levels]
        hosts = [sum(priority[e.address] == level for e in there) for level in levels]
        load = priority_load(share_well, panic_percent=panic_percent(policy.outlier), hosts=hosts)
        result: list[Pool] = []
        for level, percent, panic in zip(levels, load.load_percent.tolist(), load.in_panic.tolist(), strict=True):
            members = sorted(
                (e for e in there if priority[e.address] == level),
                key=lambda endpoint: (endpoint.locality, endpoint.address),
            )
            healthy = [endpoint for endpoint in members if endpoint.address in well]
            if percent > 0 and panic:
                result.append(_pool(percent / 100.0, members, level))
            elif percent > 0 and healthy:
                parts = self._by_locality(members, well, weight, kind, level)
                if policy.balancer in (Balancer.RING_HASH, Balancer.MAGLEV) and len(parts) > 1:
                    parts = [_together(parts)]
                result += [replace(part, share=part.share * percent / 100.0) for part in parts]
        return result

    def _ranked(
        self, there: list[MeshEndpoint], service: Service, policy: TrafficPolicy
    ) -> tuple[dict[str, int], dict[Locality, int], Kind | None]:
        said = policy.load_balancing.locality if policy.load_balancing is not None else None
        mesh = self.mesh.defaults.locality
        effective = effective_setting(
            mesh.level if mesh is not None else Level(),
            said.level if said is not None else Level(),
            service.traffic_distribution,
        )
        here = self.caller.locality
        order = sorted({endpoint.locality for endpoint in there})
        priority = {endpoint.address: 0 for endpoint in there}
        if effective.kind is None:
            return priority, {}, None
        wish = said or mesh
        if said is None and service.traffic_distribution is not None:
            wish = LocalityWish(failover_priority=effective.setting.failover_priority)
        if effective.kind is Kind.LOCALITY and wish.distribute:
            own = [sum(endpoint.weight for endpoint in there if endpoint.locality == place) for place in order]
            weights = distribute(here, order, wish.distribute, own)
            return priority, dict(zip(order, weights or own, strict=True)), effective.kind
        failing_over = policy.outlier is not None or effective.force_failover
        groups = [
            EndpointGroup(place, tuple(Endpoint(e.address, _placed(e)) for e in there if e.locality == place))
            for place in order
        ]
        if effective.kind is Kind.LOCALITY and failing_over and wish.failover_priority:
            for part in split_by_labels(here, _placed(self.caller), wish.failover_priority, groups, wish.failover):
                priority |= {endpoint.address: part.priority for endpoint in part.endpoints}
        elif failing_over:
            rank = zone_aware_priorities if effective.kind is Kind.ZONE_AWARE else failover_priorities
            of_place = dict(zip(order, rank(here, order, wish.failover), strict=True))
            priority = {endpoint.address: of_place[endpoint.locality] for endpoint in there}
        return priority, {}, effective.kind

    def _by_locality(
        self, members: list[MeshEndpoint], well: set[str], weight: dict[Locality, int], kind: Kind | None, level: int
    ) -> list[Pool]:
        healthy = [endpoint for endpoint in members if endpoint.address in well]
        if kind is Kind.ZONE_AWARE and level == 0 and len(members) >= 6:
            near = [endpoint for endpoint in healthy if endpoint.locality == self.caller.locality]
            return [_pool(1.0, near or healthy, level)]
        if kind is not Kind.LOCALITY:
            return [_pool(1.0, healthy, level)]
        order = sorted({endpoint.locality for endpoint in members})
        parts = {place: [endpoint for endpoint in members if endpoint.locality == place] for place in order}
        weights = [weight.get(place, sum(endpoint.weight for endpoint in parts[place])) for place in order]
        load = locality_load(weights, [_percent_well(parts[place], well) for place in order])
        return [
            _pool(percent / 100.0, [endpoint for endpoint in parts[place] if endpoint.address in well], level)
            for place, percent in zip(order, load.tolist(), strict=True)
            if percent > 0
        ]


def fits_name(pattern: str, name: str) -> bool:
    if pattern.startswith("*"):
        return pattern == "*" or (name.endswith(pattern[1:]) and len(name) > len(pattern) - 1)
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1]) and len(name) > len(pattern) - 1
    return pattern.lower() == name


def _precision(pattern: str) -> tuple[int, int]:
    if pattern == "*":
        return 0, 0
    return (2 if pattern.startswith("*") else 1 if pattern.endswith("*") else 3), len(pattern)


def _placed(who: Caller | MeshEndpoint) -> dict[str, str]:
    named = {"region": who.locality.region, "zone": who.locality.zone}
    placed = {f"topology.kubernetes.io/{name}": value for name, value in named.items()}
    return {**placed, "topology.istio.io/subzone": who.locality.subzone, **who.labels}


def _percent_well(endpoints: list[MeshEndpoint], well: set[str]) -> float:
    return 100.0 * sum(endpoint.address in well for endpoint in endpoints) / len(endpoints)


def _pool(share: float, endpoints: list[MeshEndpoint], priority: int) -> Pool:
    of = {endpoint.locality for endpoint in endpoints}
    weights = [float(endpoint.weight) for endpoint in endpoints]
    return Pool(share, endpoints, weights, priority, of.pop() if len(of) == 1 else None)


def _together(parts: list[Pool]) -> Pool:
    # One hash table for a priority: an endpoint weighs its part of its locality's share.
    endpoints = [endpoint for part in parts for endpoint in part.endpoints]
    weights = [part.share * weight / sum(part.weights) for part in parts for weight in part.weights]
    return Pool(1.0, endpoints, weights, parts[0].priority, None)
