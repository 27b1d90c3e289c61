"""Where a simulation finds things: the proxy of a caller, the station of an endpoint, the lane to a cluster.

All of it is made when it is first asked for, so that a large mesh costs what its traffic touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from skyedge.errors import InputError, nearest
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Destination, HttpRoute
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    HASHING,
    MESH_GATEWAY,
    Caller,
    ConnectionLimits,
    DestinationRule,
    Mesh,
    MeshEndpoint,
    Service,
    effective_policy,
)
from skyedge.layers.mesh.pools import cluster_of
from skyedge.layers.mesh.router import destination_rules
from skyedge.layers.mesh.traffic.behaviour import Behaviours, Call, Narrow
from skyedge.layers.mesh.traffic.cluster_view import ClusterView
from skyedge.layers.mesh.traffic.connections import ConnectionPool
from skyedge.layers.mesh.traffic.draws import uniform
from skyedge.layers.mesh.traffic.events import Events
from skyedge.layers.mesh.traffic.links import Carrier, Links
from skyedge.layers.mesh.traffic.proxy import Lane, Proxy, Way
from skyedge.layers.mesh.traffic.rate_limits import Limiter
from skyedge.layers.mesh.traffic.request import Controls
from skyedge.layers.mesh.traffic.retry_budget import RetriesInHand
from skyedge.layers.mesh.traffic.station import Station
from skyedge.layers.mesh.virtual_hosts import Domains, VirtualHosts, without_port
from skyedge.streams import stream

Ticket = TypeVar("Ticket")

BAD_GATEWAY = 502
HTTP2_PROTOCOLS = ("HTTP2", "GRPC")
"""Protocols of a port whose connections carry many requests at once."""
NO_LIMITS = ConnectionLimits()


class Directory(Generic[Ticket]):
    """Everything that traffic meets.

    Args:
        mesh: services, endpoints and rules.
        behaviours: of endpoints and network.
        seed: of all chance.
        controls: rules beside those of the mesh.
        events: where links put arrivals.

    Attributes:
        proxies, stations: by number.
        replaced: proxies in whose place others are.
        services, subsets, localities: names by number.

    Raises:
        InputError: if a behaviour or a control names what is not there, calls go round in a circle, or as
            :class:`~skyedge.layers.mesh.endpoint_table.EndpointTable`.
    """

    def __init__(self, mesh: Mesh, behaviours: Behaviours, seed: int, controls: Controls, events: Events) -> None:
        self.mesh, self.behaviours, self.seed, self.controls = mesh, behaviours, seed, controls
        self.proxies: list[Proxy[Ticket]] = []
        self.stations: list[Station[Ticket]] = []
        self.replaced: list[Proxy[Ticket]] = []
        self.services: list[str] = []
        self.subsets: list[str] = []
        self.localities: list[Locality] = []
        self.known = {service.host: service for service in mesh.services}
        self.limiters = {
            host: tuple(Limiter(limit) for limit in limits if not limit.every_proxy)
            for host, limits in controls.rate_limits.items()
        }
        self._events = events
        self._members: dict[str, list[MeshEndpoint]] = {}
        for endpoint in mesh.endpoints:
            self._members.setdefault(endpoint.service, []).append(endpoint)
        self._views: dict[str, Mesh] = {}
        self._rules: dict[tuple[int, str], Domains[DestinationRule]] = {}
        self._outside: set[str] = set()
        self._tables: dict[tuple[str, frozenset[str], frozenset[str]], EndpointTable] = {}
        self._hosts: dict[tuple[int, str, str], VirtualHosts] = {}
        self._proxies: dict[str, Proxy[Ticket]] = {}
        self._stations: dict[tuple[str, str], Station[Ticket]] = {}
        self._crossed = Links(controls.classes, events)
        self._endpoint_proxies: dict[int, int] = {}
        self._silent: set[str] = set()
        self._gone: dict[tuple[str, str], frozenset[str]] = {}
        # A parent is kept with what came of it, so that no other object takes its identity.
        self._further: dict[tuple[int, int, int], tuple[HttpRequest, HttpRequest]] = {}
        self._numbers: dict[tuple[str, object], int] = {}
        self._check()

    def proxy(self, caller: Caller) -> Proxy[Ticket]:
        """The proxy of a caller.

        Raises:
            InputError: if another caller has its name.
        """
        found = self._proxies.get(caller.name)
        if found is None:
            found = Proxy(caller, len(self.proxies), uniform(stream(self.seed, caller.name, "routes")))
            found.listens = caller.node not in self._silent
            self._proxies[caller.name] = found
            self.proxies.append(found)
        elif found.caller is not caller and found.caller != caller:
            raise InputError(f"two different callers are called '{caller.name}'")
        return found

    def way(self, proxy: Proxy[Ticket], request: HttpRequest) -> Way:
        """What the routes make of a request."""
        way = proxy.ways.get(id(request))
        if way is None:
            caller, defaults = proxy.caller, self.mesh.defaults
            seen = self.seen_by(caller)
            key = (id(seen), caller.gateway, caller.namespace)
            hosts = self._hosts.get(key)
            if hosts is None:
                hosts = self._hosts[key] = VirtualHosts(seen, caller)
            found = hosts.find(request.host)
            # The proxy knows who its caller is, whatever the request says.
            mine = replace(request, source_labels=caller.labels, source_namespace=caller.namespace, gateway=caller.gateway)
            if found is not None:
                way = Way(mine, found.routes, defaults.retries)
            elif caller.gateway != MESH_GATEWAY:
                way = Way(mine, (), defaults.retries)
            elif defaults.allow_any:
                host = without_port(request.host)
                self._outside.add(host)
                straight = HttpRoute(destinations=(Destination(host),))
                way = Way(mine, (straight,), defaults.retries)
            else:
                way = Way(mine, (), defaults.retries, BAD_GATEWAY)
            way.service_class = self.controls.classes.number(mine, caller.labels, way.name)
            proxy.ways[id(request)] = way
        return way

    def seen_by(self, caller: Caller) -> Mesh:
        """The mesh as a caller sees it; kept, since rules are remembered by the identity of the mesh that says them."""
        if self.controls.view is None:
            return self.mesh
        if caller.name not in self._views:
            self._views[caller.name] = self.controls.view(caller)
        return self._views[caller.name]

    def reroute(self, view: Callable[[Caller], Mesh]) -> None:
        """Forget what came of the routes until now; lanes that have been made stay."""
        self.controls = replace(self.controls, view=view)
        self._views.clear()
        self._hosts.clear()
        self._rules.clear()
        for proxy in self.proxies:
            proxy.ways.clear()
            proxy.lanes = {key: lane for key, lane in proxy.lanes.items() if lane is not None}

    def replace_proxies(self, node: str, now_us: int) -> None:
        """Put new proxies in the place of those of a node's callers; the old ones keep what they have."""
        old = [proxy for proxy in self.proxies if proxy.caller.node == node]
        for proxy in old:
            self.proxies[proxy.number] = self._proxies[proxy.caller.name] = proxy.replaced(now_us)
        self.replaced += old

    def listen(self, node: str, *, listens: bool) -> None:
        """From now on a node's proxy takes requests, of its callers and for its endpoints, or does not."""
        (self._silent.discard if listens else self._silent.add)(node)
        for proxy in self.proxies:
            if proxy.caller.node == node:
                proxy.listens = listens
        for station in self.stations:
            if station.endpoint.node == node:
                station.reachable = listens

    def forget(self, name: str, gone: MeshEndpoint, now_us: int) -> None:
        """The proxy of a caller, by its name, has been told that an endpoint is gone, and leaves it."""
        known_gone = self._gone.get((name, gone.service), frozenset())
        self._gone[name, gone.service] = known_gone | {gone.address}
        proxy = self._proxies.get(name)
        for lane in proxy.lanes.values() if proxy is not None else ():
            if lane is not None and lane.host == gone.service:
                for row in [row for row, one in enumerate(lane.stations) if one.endpoint.address == gone.address]:
                    lane.cluster.forget(row, now_us)
                    lane.pool.drain(row)

    def lane(self, proxy: Proxy[Ticket], to: Destination, port: int) -> Lane[Ticket] | None:
        """The lane to a destination, for a request to a port; None if the mesh has no such service or subset."""
        asked = to.port if to.port is not None else port
        key = (to.host, to.subset, asked)
        if key not in proxy.lanes:
            proxy.lanes[key] = self._lane(proxy, to, asked)
        return proxy.lanes[key]

    def station(self, endpoint: MeshEndpoint) -> Station[Ticket]:
        """An endpoint at work."""
        key = (endpoint.service, endpoint.address)
        found = self._stations.get(key)
        if found is None:
            limits = self.controls.rate_limits.get(endpoint.service, ())
            own = tuple(Limiter(limit) for limit in limits if limit.every_proxy)
            behaviour = self.behaviours.of(*key)
            found = Station(endpoint, behaviour, self.controls.classes, own, self.seed, len(self.stations))
            found.reachable = endpoint.node not in self._silent
            self._stations[key] = found
            self.stations.append(found)
        return found

    def further(self, station: Station[Ticket], parent: HttpRequest) -> Iterator[tuple[Proxy[Ticket], HttpRequest]]:
        """The requests that an endpoint makes for one that it works on, and the proxy by which they go."""
        at = self._endpoint_proxies.get(station.number)
        if at is None:
            at = self._endpoint_proxies[station.number] = self.proxy(self.caller_at(station.endpoint)).number
        proxy = self.proxies[at]
        for number, call in enumerate(station.behaviour.calls):
            count = int(call.count)
            count += call.count > count and station.calls_chance() < call.count - count
            key = (station.number, number, id(parent) if call.headers_kept else 0)
            if count and key not in self._further:
                self._further[key] = (self._further_request(call, parent), parent)
            for _ in range(count):
                yield proxy, self._further[key][0]

    def caller_at(self, one: MeshEndpoint) -> Caller:
        """An endpoint as somebody who calls others."""
        known = self.known.get(one.service)
        namespace = known.namespace if known is not None else ""
        return Caller(one.full_name, one.locality, one.labels, namespace, one.network, one.node)

    def _further_request(self, call: Call, parent: HttpRequest) -> HttpRequest:
        known = self.known[call.service]
        return HttpRequest(
            call.service,
            call.path,
            call.method,
            known.ports[0].number if known.ports else 80,
            headers={name: value for name in call.headers_kept if (value := parent.header(name)) is not None},
        )

    def number(self, kind: str, names: list[str] | list[Locality], name: object) -> int:
        """The number of a name, which is put at the end of ``names`` if it is new."""
        number = self._numbers.setdefault((kind, name), len(names))
        if number == len(names):
            names.append(name)  # type: ignore[arg-type]
        return number

    def service_number(self, host: str) -> int:
        """The number of a service."""
        return self.number("service", self.services, host)

    def locality_number(self, locality: Locality) -> int:
        """The number of a locality."""
        return self.number("locality", self.localities, locality)

    def _lane(self, proxy: Proxy[Ticket], to: Destination, asked: int) -> Lane[Ticket] | None:
        if to.host not in self.known and to.host not in self._outside:
            return None
        seen = self.seen_by(proxy.caller)
        spoken_by = (id(seen), proxy.caller.namespace)
        if spoken_by not in self._rules:
            self._rules[spoken_by] = destination_rules(seen, proxy.caller)
        rule = self._rules[spoken_by].find(to.host.lower())
        subset = rule.subset(to.subset) if rule is not None and to.subset else None
        if to.subset and subset is None:
            return None
        service = self.known.get(to.host) or Service(to.host)
        port = service.reached_by(asked)
        if port is None:
            return None
        policy = effective_policy(rule, to.subset, port)
        cluster = cluster_of(service, to.subset, port, subset.labels if subset else {}, policy, self.mesh.defaults)
        table = self._table(to.host, proxy.caller)
        endpoints = [one for one in table.endpoints if one is not None]
        stations = tuple(self.station(one) for one in endpoints)
        legs = [self.behaviours.network.leg(proxy.caller, one) for one in endpoints]
        limits = policy.connections or NO_LIMITS
        spoken = next((one.protocol.upper() for one in service.ports if one.number == port), "")
        timeout_s = self.mesh.defaults.connect_timeout_s if limits.connect_timeout_s is None else limits.connect_timeout_s
        edition = f"#{proxy.edition}" if proxy.edition else ""
        name = f"{proxy.caller.name}{edition}>{to.host}|{to.subset}|{port}"
        return Lane(
            host=to.host,
            subset_name=to.subset,
            service=self.service_number(to.host),
            subset=self.number("subset", self.subsets, to.subset),
            port=port,
            cluster=ClusterView(cluster, table, proxy.caller, [station.behaviour.started_us for station in stations]),
            stations=stations,
            delays_us=tuple(leg.delay_us for leg in legs),
            links_out=self._links([leg.out for leg in legs]),
            links_back=self._links([leg.back for leg in legs]),
            pool=ConnectionPool(limits, http2=spoken in HTTP2_PROTOCOLS),
            retries=RetriesInHand(self.controls.retry_budgets.get(to.host, limits.max_retries)),
            connect_timeout_us=round(timeout_s * 1e6),
            draw=uniform(stream(self.seed, name, "endpoints")),
            consistent_hash=policy.balancer in HASHING,
            hash_key=policy.load_balancing.hash_key if policy.load_balancing and policy.balancer in HASHING else None,
        )

    def _links(self, ways: Sequence[tuple[Narrow, ...]]) -> tuple[Carrier | None, ...]:
        return tuple(self._crossed.over(places) for places in ways) if any(ways) else ()

    def _table(self, host: str, caller: Caller) -> EndpointTable:
        """The endpoints of a service that a caller can reach; it is not told of others, as of those that are not ready."""
        # Outside of the mesh there is one endpoint, in no known place.
        members = self._members.get(host, []) if host in self.known else [MeshEndpoint(host, host)]
        network = self.behaviours.network
        away = frozenset(one.network for one in members if not network.reaches(caller, one))
        gone = self._gone.get((caller.name, host), frozenset())
        key = (host, away, gone)
        if key not in self._tables:
            there = [one for one in members if one.network not in away and one.address not in gone]
            self._tables[key] = EndpointTable([host], there)
        return self._tables[key]

    def _check(self) -> None:
        asked: list[tuple[str, str]] = [(host, "an endpoint") for host in self._members]
        asked += [(host, "a behaviour") for host in self.behaviours.services]
        asked += [(host, "a behaviour") for host, _ in self.behaviours.endpoints]
        asked += [(host, "a retry budget") for host in self.controls.retry_budgets]
        asked += [(host, "a rate limit") for host in self.controls.rate_limits]
        by_service = {**dict.fromkeys(self.known, self.behaviours.usual), **self.behaviours.services}
        every = list(by_service.items())
        every += [(host, one) for (host, _), one in self.behaviours.endpoints.items()]
        asked += [(call.service, f"a call of '{host}'") for host, one in every for call in one.calls]
        for host, what in asked:
            if host not in self.known:
                raise InputError(f"{what} names '{host}', which is no service", nearest=nearest(host, self.known))
        always: dict[str, set[str]] = {host: set() for host in self.known}
        for host, one in every:
            always[host].update(call.service for call in one.calls if call.count >= 1)
        for host in sorted(always):
            seen: set[str] = set()
            ahead = sorted(always[host])
            while ahead:
                other = ahead.pop()
                if other == host:
                    raise InputError(f"calls of '{host}' lead back to it each time, so a request would never end")
                if other not in seen:
                    seen.add(other)
                    ahead += sorted(always[other])
