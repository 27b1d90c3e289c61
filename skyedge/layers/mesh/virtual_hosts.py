"""Whose routes a request follows: the virtual host that its authority names, as seen by one caller (Envoy, Istio).

A name that is written out counts before ``*.example.com``, which counts before ``example.*``, which counts before ``*``;
of several wildcards the longest counts, and a wildcard stands for at least one character.  Names have no case, and a port
in the authority plays no part.  Services answer to their whole names with a dot at the end too, and those of Kubernetes
to their short names, by the caller's namespace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from skyedge.layers.mesh.http_match import HttpMatch
from skyedge.layers.mesh.http_route import Destination, HttpRoute
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN, MESH_GATEWAY, Caller, Mesh, Service, VirtualService

Value = TypeVar("Value")


@dataclass(frozen=True)
class VirtualHost:
    """Routes under a name.

    Attributes:
        name: of the domain.
        routes: in order.
        written: the virtual services that they are from; none for the way straight to a service.
        origins: of each route, its virtual service in ``written`` and its number there.
    """

    name: str
    routes: tuple[HttpRoute, ...]
    written: tuple[VirtualService, ...] = ()
    origins: tuple[tuple[int, int], ...] = ()

    def origin(self, route: int) -> tuple[VirtualService, int] | None:
        """The virtual service that a route was written in, and its number there; None for the way straight to a service."""
        if not self.origins:
            return None
        service, number = self.origins[route]
        return self.written[service], number


def without_port(authority: str) -> str:
    """The host of an authority in lower case; an IPv6 address stays in its brackets."""
    host, colon, port = authority.rpartition(":")
    return (host if colon and port.isdigit() and not (":" in host and not host.endswith("]")) else authority).lower()


def short_names(service: Service, namespace: str) -> tuple[str, ...]:
    """Other names of a service for a caller in a namespace: ``a``, ``a.ns`` and ``a.ns.svc``; none outside Kubernetes."""
    name, dot, end = service.host.partition(f".{CLUSTER_DOMAIN}")
    short, between, of = name.partition(".")
    if not dot or end or not between or "." in of:
        return ()
    return (*((short,) if of == namespace else ()), name, f"{name}.svc")


class Domains(Generic[Value]):
    """Values by the names of hosts, some with a wildcard at one end.

    Args:
        named: of two equal names the first counts.
    """

    def __init__(self, named: Iterable[tuple[str, Value]]) -> None:
        self._exact: dict[str, Value] = {}
        self._ends: dict[str, Value] = {}
        self._beginnings: dict[str, Value] = {}
        for name, value in named:
            name = name.lower()
            if name.startswith("*"):
                self._ends.setdefault(name[1:], value)
            elif name.endswith("*"):
                self._beginnings.setdefault(name[:-1], value)
            else:
                self._exact.setdefault(name, value)
        self._end_lengths = _descending(self._ends)
        self._beginning_lengths = _descending(self._beginnings)

    def find(self, host: str) -> Value | None:
        """The value of the most precise name that fits a host, given in lower case and without a port."""
        if host in self._exact:
            return self._exact[host]
        for length in self._end_lengths:
            if 0 < length < len(host) and host[-length:] in self._ends:
                return self._ends[host[-length:]]
        for length in self._beginning_lengths:
            if length < len(host) and host[:length] in self._beginnings:
                return self._beginnings[host[:length]]
        return self._ends.get("")


class VirtualHosts:
    """All virtual hosts that one caller's proxy knows.

    Of two virtual services for one host the first counts inside the mesh; at a gateway their routes follow one another, but
    those that take everything come after all others (Istio).  A service that no virtual service speaks of is reached by its
    name.  One that a wildcard speaks of is under that.

    Args:
        mesh: services and virtual services.
        caller: whose proxy it is.
    """

    def __init__(self, mesh: Mesh, caller: Caller) -> None:
        written: dict[str, list[VirtualService]] = {}
        for virtual in mesh.virtual_services:
            if caller.gateway in virtual.gateways:
                for host in virtual.hosts:
                    written.setdefault(host.lower(), []).append(virtual)
        hosts = {name: _virtual_host(name, services, caller) for name, services in written.items()}
        spoken_of = Domains(hosts.items())
        named: list[tuple[str, VirtualHost]] = list(hosts.items())
        if caller.gateway == MESH_GATEWAY:
            for service in sorted(mesh.services, key=lambda service: service.host):
                name = service.host.lower()
                found = spoken_of.find(name) or VirtualHost(name, (HttpRoute(destinations=(Destination(service.host),)),))
                named += [(other, found) for other in (name, f"{name}.", *short_names(service, caller.namespace))]
        self._domains = Domains(named)

    def find(self, authority: str) -> VirtualHost | None:
        """The virtual host of a request by its authority; None if no name fits."""
        return self._domains.find(without_port(authority))


def _virtual_host(name: str, services: Sequence[VirtualService], caller: Caller) -> VirtualHost:
    counted = tuple(services[:1] if caller.gateway == MESH_GATEWAY else services)
    if len(counted) == 1:
        routes = [(route, (0, number)) for number, route in enumerate(counted[0].http)]
    else:
        parts = [_specific_and_general(service.http, caller) for service in counted]
        routes = [
            (route, (service, number)) for of in (0, 1) for service, part in enumerate(parts) for number, route in part[of]
        ]
    return VirtualHost(name, tuple(route for route, _ in routes), counted, tuple(origin for _, origin in routes))


Numbered = list[tuple[int, HttpRoute]]


def _specific_and_general(rules: Sequence[HttpRoute], caller: Caller) -> tuple[Numbered, Numbered]:
    """The rules of one virtual service up to the first that takes everything, and that one, each with its number.

    A rule of which one condition of several takes everything is in both.  What follows it no request would reach.
    """
    specific: Numbered = []
    for number, rule in enumerate(rules):
        at = next((at for at, match in enumerate(rule.matches or (HttpMatch(),)) if _takes_all(match, caller)), None)
        if at is None:
            specific.append((number, rule))
            continue
        if at:
            specific.append((number, replace(rule, matches=rule.matches[:at])))
        return specific, [(number, replace(rule, matches=rule.matches[at : at + 1]))]
    return specific, []


def _takes_all(match: HttpMatch, caller: Caller) -> bool:
    return match.is_catch_all and match.holds_from(caller.labels, caller.namespace, caller.gateway)


def _descending(names: Mapping[str, object]) -> list[int]:
    return sorted({len(name) for name in names}, reverse=True)
