"""The sentences of `skyedge route --explain`: which rule and why not an earlier one, which endpoints and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from skyedge.cli.route_requests import Asked
from skyedge.cli.route_ways import out_of_reach, way_in_words, within_reach
from skyedge.layers.mesh.explain import place, reasons
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import GRPC_CODES, Abort, Delay, HttpRoute, as_sent
from skyedge.layers.mesh.objects import MESH_GATEWAY, Caller, Mesh, MeshEndpoint
from skyedge.layers.mesh.pools import grouped
from skyedge.layers.mesh.reading import Gatekeeper, MeshReading
from skyedge.layers.mesh.reading.names import right_host, whole_name
from skyedge.layers.mesh.router import Router
from skyedge.layers.mesh.traffic import Ejection, Flags
from skyedge.layers.mesh.virtual_hosts import VirtualHost, VirtualHosts
from skyedge.layers.mesh.weights import shares

FLAG_WORDS = {
    Flags.UO: "a circuit breaker was open",
    Flags.UT: "the time was up",
    Flags.UF: "no connection could be opened",
    Flags.UC: "the endpoint cut the connection off",
    Flags.UH: "no endpoint is well",
    Flags.URX: "it was repeated as often as allowed",
    Flags.NR: "no rule takes it",
    Flags.NC: "the rule leads to what is not there",
    Flags.RL: "a rate limit",
    Flags.DI: "a fault delayed it",
    Flags.FI: "a fault answered it",
    Flags.DC: "nobody waited any longer",
}


LEAST_SHOWN_MS = 0.05
"""Of a shorter wait the figure would be 0.0."""


@dataclass(frozen=True)
class Tried:
    """One attempt; ``waited_ms`` of its ``ms`` it waited for a connection."""

    service: str
    subset: str
    endpoint: MeshEndpoint
    status: int
    flags: int
    at_us: int
    ms: float
    waited_ms: float = 0.0


class Ranked(NamedTuple):
    """What a caller sees of a cluster: the balancer, and the priority of each address."""

    balancer: str
    priorities: dict[str, int]


class Explainer:
    """Explains requests of one reading; what callers have in common is looked up once."""

    def __init__(self, reading: MeshReading, ejections: Sequence[Ejection] = ()) -> None:
        self._reading = reading
        self._ejections = ejections
        self._services = {one.thing.host: one.thing for one in reading.services}
        self._keeper = Gatekeeper(reading)
        self._hosts: dict[tuple[int, str, str], VirtualHosts] = {}
        self._hosts_of: dict[str, VirtualHosts] = {}
        self._routers: dict[str, Router] = {}
        self._ranked: dict[tuple[str, str, str, int | None], Ranked] = {}
        self._of_rules: dict[tuple[str, int], list[str]] = {}

    def virtual_host(self, caller: Caller, request: HttpRequest) -> VirtualHost | None:
        """Whose routes a request follows."""
        if caller.name not in self._hosts_of:  # callers are told apart by name
            mesh = self._reading.mesh_for(caller)
            key = (id(mesh), caller.gateway, caller.namespace)
            if key not in self._hosts:
                self._hosts[key] = VirtualHosts(mesh, caller)
            self._hosts_of[caller.name] = self._hosts[key]
        return self._hosts_of[caller.name].find(request.host)

    def unknown_hosts(self, asked: Iterable[Asked]) -> list[str]:
        """A sentence for each host that a request names and that neither a rule nor a service has."""
        told: dict[tuple[str, str, str], str] = {}
        for one in asked:
            key = (one.http.host, one.caller.namespace, one.caller.gateway)
            if key in told or self.virtual_host(one.caller, one.http) is not None:
                continue
            inside = one.caller.gateway == MESH_GATEWAY
            known = sorted(self._services) if inside else self._hosts_at_gateway(one.caller)
            close = right_host(one.http.host, one.caller.namespace, known)
            if close and not inside:  # where no short name is completed
                close = whole_name(close, one.caller.namespace)
            hint = f" (did you mean '{close}'?)" if close else ""
            who, then = "no rule and no service", "it counts as one outside of the mesh"
            if not inside:
                who, then = f"no rule at the gateway '{one.caller.gateway}'", "it answers 404"
            told[key] = f"{who} has the host '{one.http.host}'{hint}: {then}"
        return list(told.values())

    def _hosts_at_gateway(self, caller: Caller) -> list[str]:
        routes = self._reading.mesh_for(caller).virtual_services
        return sorted({host for one in routes if caller.gateway in one.gateways for host in one.hosts if "*" not in host})

    def rule_name(self, caller: Caller, request: HttpRequest, number: int) -> str:
        """The rule that a request met: ``VIRTUAL-SERVICE/NAME``, or its number where it has no name; empty for none."""
        host = self.virtual_host(caller, request)
        found = host.origin(number) if host is not None and number >= 0 else None
        if found is None:
            return ""
        virtual, rule = found
        return f"{virtual.name}/{virtual.http[rule].name or rule}"

    def denied(self, asked: Asked, number: int, tried: Iterable[Tried]) -> bool:
        """Whether one of the endpoints that were asked may not be called so, by a rule of this number."""
        route = self._route(asked, number)
        return any(
            not self._keeper.allows(asked.caller, one.endpoint, _as_it_arrives(asked.http, route, one)) for one in tried
        )

    def why(self, asked: Asked, number: int, tried: Sequence[Tried], flags: int) -> list[str]:
        """All that decided on a request.

        Args:
            asked: the request.
            number: of the rule that it met, -1 for none.
            tried: its attempts.
            flags: of its end.
        """
        key = (asked.caller.name, id(asked.http))
        if key not in self._of_rules:
            self._of_rules[key] = self._rules(asked)
        lines = list(self._of_rules[key])
        route = self._route(asked, number)
        if route is not None:
            lines += self._split(route, tried)
            if self._reading.reach is not None:
                hosts = {to.host for to in route.destinations}
                members = [one for one in self._reading.endpoints if one.service in hosts]
                lines += out_of_reach(self._reading.reach, asked.caller, members)
            if flags & Flags.NC.value:
                lines += self._other_ports(asked, route)
        if flags & Flags.DI.value and tried:
            lines.append(self._flag_words(Flags.DI, asked, route))
        lines += [self._attempt(asked, at, one, route) for at, one in enumerate(tried, 1)]
        ends = [flag for flag in FLAG_WORDS if flags & flag.value and (not tried or flag is Flags.URX)]
        lines += [self._flag_words(flag, asked, route) for flag in ends]
        return lines

    def _flag_words(self, flag: Flags, asked: Asked, route: HttpRoute | None) -> str:
        """What a flag of a request's end says, with the figures of its rule."""
        if route is not None:
            if flag is Flags.DI and route.delay is not None:
                return _delayed(route.delay)
            if flag is Flags.FI and route.abort is not None:
                return _aborted(route.abort)
            if flag is Flags.UH and self._is_cut_off(asked.caller, route):
                return "no endpoint can be reached"
        return FLAG_WORDS[flag]

    def _is_cut_off(self, caller: Caller, route: HttpRoute) -> bool:
        """Whether a destination has endpoints that are well, and the caller can reach none of them."""
        reach = self._reading.reach
        if reach is None:
            return False
        router = self._router(caller)
        for to in route.destinations:
            number = router.cluster(to.host, to.subset, to.port)
            labels = router.clusters[number].labels if number >= 0 else {}
            members = [one for one in self._reading.endpoints if one.service == to.host and one.healthy]
            well = [one for one in members if labels.items() <= one.labels.items()]
            if well and not within_reach(reach, caller, well):
                return True
        return False

    def _route(self, asked: Asked, number: int) -> HttpRoute | None:
        host = self.virtual_host(asked.caller, asked.http)
        return host.routes[number] if host is not None and 0 <= number < len(host.routes) else None

    def _other_ports(self, asked: Asked, route: HttpRoute) -> Iterator[str]:
        """Destinations of several ports, of which the port that was asked is none."""
        for to in route.destinations:
            service = self._services.get(to.host)
            port = asked.http.port if to.port is None else to.port
            if service is not None and service.reached_by(port) is None:
                there = ", ".join(str(one.number) for one in service.ports)
                yield f"'{to.host}' has the ports {there}, and the request came by {port}: the rule should name one"

    def _rules(self, asked: Asked) -> list[str]:
        host = self.virtual_host(asked.caller, asked.http)
        if host is None:
            gateway = asked.caller.gateway
            if gateway == MESH_GATEWAY:
                return [f"the host {asked.http.host} is known to no rule and no service: it is outside of the mesh"]
            return [f"the host {asked.http.host} is known to no rule at the gateway {gateway}: it is not let in"]
        if not host.written:
            return [f"no VirtualService speaks of {host.name}: straight to the service"]
        names = ", ".join(f"{one.namespace}/{one.name}" for one in host.written)
        lines = [f"the routes of {host.name}: VirtualService {names}"]
        for reason in reasons(host.routes, asked.http):
            origin = self._reading.origin(host, reason.rule)
            where = f" ({origin.place()})" if origin is not None else ""
            name = f" '{host.routes[reason.rule].name}'" if host.routes[reason.rule].name else ""
            lines.append(f"rule {reason.rule}{name}{where}: {'met' if reason.met else 'not met'}: {reason.why}")
        return lines

    @staticmethod
    def _split(route: HttpRoute, tried: Sequence[Tried]) -> list[str]:
        if len(route.destinations) < 2:
            return []
        parts = zip(route.destinations, shares([to.weight for to in route.destinations]).tolist(), strict=True)
        words = ", ".join(f"{to.subset or to.host} {share:.0%}" for to, share in parts)
        drawn = f": drawn was {tried[0].subset or tried[0].service}" if tried else ""
        return [f"the rule splits by weight, {words}{drawn}"]

    def _attempt(self, asked: Asked, at: int, one: Tried, route: HttpRoute | None) -> str:
        ranked = self._rank(asked.caller, one, route)
        endpoint = one.endpoint
        workload = self._reading.behind.get((endpoint.service, endpoint.address))
        what = endpoint.runs_in.value if endpoint.service in self._services else "outside of the mesh"
        who = f" ({workload.name}, {what})" if workload is not None else f" ({what})"
        words = [f"attempt {at}: {endpoint.address}{who} in {place(endpoint.locality)}"]
        if self._reading.reach is not None:
            words.append(way_in_words(self._reading.reach.way(asked.caller.network, endpoint.network)))
        if ranked is not None and endpoint.address in ranked.priorities:
            mine = ranked.priorities[endpoint.address]
            equal = sum(priority == mine for priority in ranked.priorities.values())
            last = max(ranked.priorities.values())
            words.append(f"priority {mine} of 0 to {last}" if last else "all of one priority")
            words.append(f"{ranked.balancer.lower().replace('_', ' ')} among {equal}" if equal > 1 else "the only one there")
            out = [other for other in sorted(ranked.priorities) if self._is_out(asked.caller, one, other)]
            if out:
                words.append(f"left out just then: {', '.join(out)}")
        sent = _as_it_arrives(asked.http, route, one)
        if (sent.host, sent.path) != (asked.http.host, asked.http.path):
            words.append(f"asked for {sent.path} of {sent.host}")
        verdict = self._keeper.verdict(asked.caller, endpoint, sent)
        if not verdict.allowed:
            words.append(f"denied: {verdict.why}")
        flagged = [text for flag, text in FLAG_WORDS.items() if one.flags & flag.value]
        waited = f", {one.waited_ms:,.1f} ms of them for a connection" if one.waited_ms >= LEAST_SHOWN_MS else ""
        after = f"after {one.ms:,.1f} ms{waited}"
        words.append(f"{one.status or 'no answer'} {after}" + (f" ({', '.join(flagged)})" if flagged else ""))
        return ", ".join(words)

    def _is_out(self, caller: Caller, one: Tried, address: str) -> bool:
        """Whether the caller's proxy had ejected an endpoint when it chose."""
        mine = (caller.name, one.service, one.subset, address)
        last = False
        for event in self._ejections:
            if event.at_us > one.at_us:
                break
            if (event.caller, event.service, event.subset, event.endpoint) == mine:
                last = event.out
        return last

    def _rank(self, caller: Caller, one: Tried, route: HttpRoute | None) -> Ranked | None:
        targets = route.destinations if route is not None else ()
        port = next((to.port for to in targets if (to.host, to.subset) == (one.service, one.subset)), None)
        key = (caller.name, one.service, one.subset, port)
        if key not in self._ranked:
            router = self._router(caller)
            number = router.cluster(one.service, one.subset, port)
            if number < 0:
                return None
            cluster = router.clusters[number]
            groups = grouped(cluster, router.table, caller)
            priorities: dict[str, int] = {}
            for at, priority in enumerate(groups.priorities.tolist()):
                for row in groups.rows[groups.starts[at] : groups.starts[at + 1]].tolist():
                    endpoint = router.table.endpoints[row]
                    if endpoint is not None:
                        priorities[endpoint.address] = priority
            self._ranked[key] = Ranked(cluster.policy.balancer.value, priorities)
        return self._ranked[key]

    def _router(self, caller: Caller) -> Router:
        if caller.name not in self._routers:
            self._routers[caller.name] = Router(self._mesh(caller), caller)
        return self._routers[caller.name]

    def _mesh(self, caller: Caller) -> Mesh:
        mesh, reach = self._reading.mesh_for(caller), self._reading.reach
        return mesh if reach is None else replace(mesh, endpoints=within_reach(reach, caller, mesh.endpoints))


def _as_it_arrives(request: HttpRequest, route: HttpRoute | None, one: Tried) -> HttpRequest:
    """A request as an endpoint sees it that was asked by a rule."""
    targets = route.destinations if route is not None else ()
    to = next((to for to in targets if (to.host, to.subset) == (one.service, one.subset)), None)
    if route is None or to is None:
        return request
    sent = as_sent(route, request, to)
    return sent if to.port is None else replace(sent, port=to.port)


def _delayed(delay: Delay) -> str:
    return f"{FLAG_WORDS[Flags.DI]} by {delay.fixed_s:g} s"


def _aborted(abort: Abort) -> str:
    status = abort.http_status if abort.grpc_status is None else f"gRPC's {GRPC_CODES[abort.grpc_status]}"
    return f"{FLAG_WORDS[Flags.FI]} with {status}"
