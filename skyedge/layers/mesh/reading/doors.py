"""Gateways that are one in a cluster: the same pods listen for both, at one port, for the same hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from skyedge.kube import Manifest
from skyedge.kube.istio_hosts import Gateway
from skyedge.kube.istio_names import overlap
from skyedge.layers.mesh.reading.names import namespace_of
from skyedge.layers.mesh.reading.routes import gateway_name

ANY = ("", "*")
"""How a host says that the namespace of a virtual service plays no part."""


@dataclass(frozen=True)
class _Listener:
    """A server of a gateway: ``hosts`` are pairs of the namespace of virtual services and the name itself."""

    gateway: str
    place: str
    selector: Mapping[str, str]
    port: int
    hosts: tuple[tuple[str, str], ...]

    def shared(self, other: _Listener) -> str | None:
        """A host that some pod hears for this one and the other; None if there is none."""
        mine, theirs = self.selector.items(), other.selector.items()
        if self.gateway == other.gateway or not (mine <= theirs or theirs <= mine):
            return None
        for space, name in self.hosts:
            for space_there, name_there in other.hosts:
                if overlap(name, name_there) and (space == space_there or space in ANY or space_there in ANY):
                    return name
        return None


def check_shared_doors(gateways: Sequence[Manifest[Gateway]], warnings: list[str]) -> None:
    """Warn of them, each by the first other one: a proxy follows the routes of both, and a call here names one."""
    at: dict[int, list[_Listener]] = {}
    for gateway in gateways:
        for listener in _listeners(gateway):
            at.setdefault(listener.port, []).append(listener)
    for port, listeners in at.items():
        for one in listeners:
            for other in listeners:
                host = one.shared(other)
                if host is not None:
                    warnings.append(
                        f"{one.place}: the same pods hear '{host}' at port {port} for the gateway '{other.gateway}' too; in"
                        " a cluster a request follows the routes of both, here those of the gateway that it is sent to"
                    )
                    break


def _listeners(gateway: Manifest[Gateway]) -> Iterator[_Listener]:
    metadata, spec = gateway.object.metadata, gateway.object.spec
    namespace = namespace_of(metadata)
    for number, server in enumerate(spec.servers):
        parts = [host.lower().rpartition("/") for host in server.hosts]
        yield _Listener(
            gateway_name(metadata.name, namespace),
            gateway.place("spec", "servers", number),
            spec.selector,
            server.port.number,
            tuple((namespace if space == "." else space, name) for space, _, name in parts),
        )
