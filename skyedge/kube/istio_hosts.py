"""Who can be called: ``ServiceEntry``, ``WorkloadEntry``, and by which doors: ``Gateway``, ``Sidecar``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.kube.istio_values import Port, WorkloadSelector, check_hosts
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape


class WorkloadEntrySpec(Shape, frozen=True, kw_only=True):
    """A machine that answers: ``spec`` of a workload entry, and an entry of a service entry's ``endpoints``."""

    address: str = ""
    ports: dict[str, Port] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    network: str = ""
    locality: str = ""
    weight: Count = 0
    service_account: str = ""

    def check(self) -> None:
        if not self.address and not self.network:
            raise Problem((), "'address' is missing")
        if self.locality.count("/") > 2:
            raise Problem(("locality",), f"a locality has region, zone and subzone, and '{self.locality}' has more")


class WorkloadEntry(Shape, frozen=True, kw_only=True):
    """A virtual machine, or one without any: what runs outside of pods."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: WorkloadEntrySpec


class ServicePort(Shape, frozen=True, kw_only=True):
    """A port of a service entry."""

    number: Port
    name: str = ""
    protocol: str = ""
    target_port: Port | None = None


class ServiceEntrySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a service entry."""

    unmodelled = "addresses subjectAltNames"

    hosts: Annotated[tuple[str, ...], Meta(min_length=1)]
    ports: tuple[ServicePort, ...] = ()
    location: Literal["MESH_EXTERNAL", "MESH_INTERNAL"] = "MESH_EXTERNAL"
    resolution: Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"] = "NONE"
    endpoints: tuple[WorkloadEntrySpec, ...] = ()
    workload_selector: WorkloadSelector | None = None
    export_to: tuple[str, ...] = ()

    def check(self) -> None:
        if not self.hosts:
            raise Problem(("hosts",), "this should not be empty")
        check_hosts(self.hosts)
        if self.endpoints and self.workload_selector is not None:
            raise Problem(("workloadSelector",), "only one of endpoints and workloadSelector can be given")
        if self.endpoints and self.resolution == "NONE":
            raise Problem(("endpoints",), "with resolution NONE a call goes where its address says; endpoints need STATIC")
        numbers = [port.number for port in self.ports]
        for at, number in enumerate(numbers):
            if number in numbers[:at]:
                raise Problem(("ports", at, "number"), f"there is a port {number} already")


class ServiceEntry(Shape, frozen=True, kw_only=True):
    """A service that Kubernetes does not know."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: ServiceEntrySpec


class Server(Shape, frozen=True, kw_only=True):
    """One door of a gateway."""

    unmodelled = "bind tls defaultEndpoint"

    port: ServicePort
    hosts: tuple[str, ...]
    name: str = ""

    def check(self) -> None:
        if not self.hosts:
            raise Problem(("hosts",), "this should not be empty")


class GatewaySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a gateway."""

    servers: tuple[Server, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)


class Gateway(Shape, frozen=True, kw_only=True):
    """Where requests from outside come in."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: GatewaySpec


class EgressListener(Shape, frozen=True, kw_only=True):
    """Hosts that a workload may call, as ``namespace/host``."""

    unmodelled = "port bind captureMode"

    hosts: tuple[str, ...]

    def check(self) -> None:
        if not self.hosts:
            raise Problem(("hosts",), "this should not be empty")
        for number, host in enumerate(self.hosts):
            if "/" not in host:
                raise Problem(("hosts", number), f"'{host}' needs a namespace before it", f"*/{host}")


class SidecarSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a sidecar."""

    unmodelled = "ingress inboundConnectionPool outboundTrafficPolicy"

    workload_selector: WorkloadSelector | None = None
    egress: tuple[EgressListener, ...] = ()


class Sidecar(Shape, frozen=True, kw_only=True):
    """What the proxies of a namespace are told of the mesh."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: SidecarSpec = SidecarSpec()
