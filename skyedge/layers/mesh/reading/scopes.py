"""What a ``Sidecar`` lets its workloads see: services by the ports of its listeners, and where the routes shown lead.

A listener with a port shows of each service that port alone, and no service that has none such; one for a proxy of HTTP
(``HTTP_PROXY``) shows all ports, as does one without a port.  Where routes lead is seen too, so that they work: by the port
that they name, or else as by the listener.  A sidecar that says nothing of ``egress`` shows everything (Istio).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from skyedge.kube import Manifests
from skyedge.kube.istio_hosts import EgressListener, Sidecar
from skyedge.layers.mesh.http_match import source_namespace_matches
from skyedge.layers.mesh.objects import Service
from skyedge.layers.mesh.reading.names import Shown, age, fits, namespace_of, whole_name
from skyedge.layers.mesh.reading.routes import Routes

ALL_PORTS = 0
"""In place of a number: each port that a service has."""

PROXY = "HTTP_PROXY"
"""The protocol of a listener that takes requests for every port."""


@dataclass(frozen=True)
class Listener:
    """Hosts that may be called.

    Attributes:
        hosts: as (namespace, host); a star is any, a dot the workload's own.
        port: of each service only this one; ``ALL_PORTS``: all.
    """

    hosts: tuple[tuple[str, str], ...] = (("*", "*"),)
    port: int = ALL_PORTS

    def imports(self, service: Shown[Service], own: str) -> bool:
        """Whether a workload in ``own`` sees a service, which is all of it: a part of a wildcard is not the wildcard."""
        return any(fits(name, service.thing.host) for name in self._names(service.namespace, own))

    def routes(self, routes: Iterable[Routes], own: str) -> list[Routes]:
        """The routes that a workload in ``own`` sees: those of which some host may be one of the listener's."""
        return [
            one
            for one in routes
            for names in [self._names(one.shown.namespace, own)]
            if any(fits(name, host) or fits(host, name) for name in names for host in one.shown.thing.hosts)
        ]

    def _names(self, namespace: str, own: str) -> list[str]:
        here = {".": own}
        return [name for space, name in self.hosts if here.get(space, space) in ("*", namespace)]


@dataclass(frozen=True, eq=False)
class Scope:
    """One sidecar.

    Attributes:
        labels: of the workloads that it is for; none: all of its namespace.
    """

    namespace: str
    labels: Mapping[str, str]
    listeners: tuple[Listener, ...]

    def routes(self, routes: Sequence[Routes], own: str) -> list[Routes]:
        """The routes that it shows a workload in the namespace ``own``, in their order."""
        seen = {id(one) for listener in self.listeners for one in listener.routes(routes, own)}
        return [one for one in routes if id(one) in seen]

    def services(self, services: Sequence[Shown[Service]], routes: Sequence[Routes], own: str) -> list[Service]:
        """The services that it shows a workload in the namespace ``own``, each with the ports by which it is seen.

        Args:
            services, routes: all that is exported to that namespace.
        """
        ports: dict[str, set[int]] = {}
        for listener in self.listeners:
            for one in services:
                if listener.imports(one, own):
                    ports.setdefault(one.thing.host, set()).add(listener.port)
            for host, number in _led_to(listener.routes(routes, own), own):
                ports.setdefault(host, set()).add(listener.port or number)
        seen = [_by_ports(one.thing, ports.get(one.thing.host, set())) for one in services]
        return [service for service in seen if service is not None]


def read_scopes(manifests: Manifests) -> tuple[Scope, ...]:
    """All sidecars, the oldest first."""
    return tuple(
        Scope(
            namespace_of(manifest.object.metadata),
            {} if spec.workload_selector is None else spec.workload_selector.wanted,
            tuple(_listener(one) for one in spec.egress) or (Listener(),),
        )
        for manifest in sorted(manifests.of(Sidecar), key=lambda one: age(one.object.metadata))
        for spec in [manifest.object.spec]
    )


def _listener(said: EgressListener) -> Listener:
    hosts = tuple((space, name.lower()) for space, _, name in (host.partition("/") for host in said.hosts))
    if said.port is None or said.port.protocol.upper() == PROXY:
        return Listener(hosts)
    return Listener(hosts, said.port.number)


def _led_to(routes: Iterable[Routes], own: str) -> set[tuple[str, int]]:
    """Hosts and ports to which rules lead that a workload in the namespace ``own`` may meet, copies too."""
    found: set[tuple[str, int]] = set()
    for one in routes:
        for rule in one.shown.thing.http:
            if not rule.matches or any(source_namespace_matches(match.source_namespace, own) for match in rule.matches):
                ends = (*rule.destinations, *(mirror.destination for mirror in rule.mirrors))
                found |= {(to.host, to.port or ALL_PORTS) for to in ends}
        spec = one.manifest.object.spec
        for part in (end.destination for rule in (*spec.tcp, *spec.tls) for end in rule.route):
            number = ALL_PORTS if part.port is None else part.port.number
            found.add((whole_name(part.host, one.shown.namespace), number))
    return found


def _by_ports(service: Service, wanted: set[int]) -> Service | None:
    """A service with only the wanted ones of its ports; None if it has none of them."""
    if ALL_PORTS in wanted:
        return service
    kept = tuple(port for port in service.ports if port.number in wanted)
    return replace(service, ports=kept) if kept else None
