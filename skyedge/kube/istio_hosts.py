"""Who can be called: ``ServiceEntry``, ``WorkloadEntry``, and by which doors: ``Gateway``, ``Sidecar``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from skyedge.errors import nearest
from skyedge.kube.istio_names import (
    SOCKET,
    check_endpoint_address,
    check_export_to,
    check_hosts,
    check_namespace,
    check_port_name,
    check_whole_domain,
    is_address,
)
from skyedge.kube.istio_values import Port, WorkloadSelector
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Count, Shape

DOOR_PROTOCOLS = (
    *("HTTP", "HTTPS", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB", "GRPC-WEB-TLS"),
    *("TCP", "TLS", "UDP", "MONGO", "REDIS", "MYSQL"),
)


class WorkloadEntrySpec(Shape, frozen=True, kw_only=True):
    """A machine that answers: ``spec`` of a workload entry, and an entry of a service entry's ``endpoints``."""

    address: str = ""
    ports: dict[str, Port] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    network: str = ""
    locality: str = ""
    weight: Count = 0
    service_account: str = ""

    @property
    def is_socket(self) -> bool:
        """Whether it is called through a file of its own machine."""
        return self.address.startswith(SOCKET)

    def check(self) -> None:
        if not self.address and not self.network:
            raise Problem((), "'address' is missing")
        if self.address:
            try:
                check_endpoint_address(self.address)
            except Problem as problem:
                raise problem.below("address") from None
        for name in self.ports:
            try:
                check_port_name(name)
            except Problem as problem:
                raise problem.below("ports", name) from None
        if self.is_socket and self.ports:
            raise Problem(("ports",), "a socket has no ports")
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
        if "*" in self.hosts:
            raise Problem(("hosts", self.hosts.index("*")), "'*' is no service that could be called")
        if self.endpoints and self.workload_selector is not None:
            raise Problem(("workloadSelector",), "only one of endpoints and workloadSelector can be given")
        if self.endpoints and self.resolution == "NONE":
            raise Problem(("endpoints",), "with resolution NONE a call goes where its address says; endpoints need STATIC")
        names = [port.name for port in self.ports]
        numbers = [port.number for port in self.ports]
        for at, (name, number) in enumerate(zip(names, numbers, strict=True)):
            if number in numbers[:at]:
                raise Problem(("ports", at, "number"), f"there is a port {number} already")
            if name and name in names[:at]:
                raise Problem(("ports", at, "name"), f"there is a port '{name}' already")
        for at, endpoint in enumerate(self.endpoints):
            self._check_endpoint(endpoint, ("endpoints", at))
        by_name = self.resolution in ("DNS", "DNS_ROUND_ROBIN")
        if by_name and not self.endpoints and self.workload_selector is None:
            for at, host in enumerate(self.hosts):
                if "*" in host:
                    raise Problem(("hosts", at), f"'{host}' has no address to be asked for; endpoints would have")
        if self.resolution == "DNS_ROUND_ROBIN" and len(self.endpoints) > 1:
            raise Problem(("endpoints", 1), "with DNS_ROUND_ROBIN there is one endpoint, whose name has several addresses")

    def _check_endpoint(self, endpoint: WorkloadEntrySpec, path: tuple[str | int, ...]) -> None:
        names = [port.name for port in self.ports]
        for name in endpoint.ports:
            if name not in names:
                raise Problem((*path, "ports", name), f"there is no port '{name}'", nearest(name, names))
        if self.resolution == "STATIC":
            if endpoint.address and not endpoint.is_socket and not is_address(endpoint.address):
                raise Problem((*path, "address"), f"'{endpoint.address}' is no address, and with STATIC nobody looks it up")
            if endpoint.is_socket and len(self.ports) > 1:
                raise Problem((*path, "address"), "a socket is one port, and there are several")
        elif endpoint.is_socket:
            raise Problem((*path, "address"), "a socket needs the resolution STATIC")


class ServiceEntry(Shape, frozen=True, kw_only=True):
    """A service that Kubernetes does not know."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: ServiceEntrySpec

    def check(self) -> None:
        check_export_to(self.spec.export_to, self.metadata.namespace or "default", to_nobody=True)


class DoorPort(Shape, frozen=True, kw_only=True):
    """The port of a door."""

    unmodelled = "targetPort"

    number: Port
    name: str = ""
    protocol: str = ""

    def check(self) -> None:
        if self.protocol.upper() not in DOOR_PROTOCOLS:
            close = nearest(self.protocol.upper(), DOOR_PROTOCOLS)
            raise Problem(("protocol",), f"there is no protocol '{self.protocol}' for a door", close)
        if not self.name:
            raise Problem((), "'name' is missing")


class Server(Shape, frozen=True, kw_only=True):
    """One door of a gateway."""

    unmodelled = "bind tls defaultEndpoint"

    port: DoorPort
    hosts: tuple[str, ...]
    name: str = ""

    def check(self) -> None:
        if not self.hosts:
            raise Problem(("hosts",), "this should not be empty")
        for number, host in enumerate(self.hosts):
            try:
                _check_door_host(host)
            except Problem as problem:
                raise problem.below("hosts", number) from None


def _check_door_host(host: str) -> None:
    """Raise a :class:`Problem` unless a host is ``HOST`` or ``NAMESPACE/HOST``, and one that somebody outside can name."""
    namespace, slash, name = host.rpartition("/")
    if slash and namespace not in ("*", "."):
        check_namespace(namespace)
    check_whole_domain(name)
    if "." not in name and name != "*" and not is_address(name):
        raise Problem((), f"'{name}' is a short name; outside of the cluster nobody knows it")


class GatewaySpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a gateway."""

    servers: tuple[Server, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        if not self.servers:
            raise Problem((), "'servers' is missing, or empty")
        names = [server.port.name for server in self.servers]
        for at, name in enumerate(names):
            if name in names[:at]:
                raise Problem(("servers", at, "port", "name"), f"there is a port '{name}' already")


class Gateway(Shape, frozen=True, kw_only=True):
    """Where requests from outside come in."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: GatewaySpec


class SidecarPort(Shape, frozen=True, kw_only=True):
    """A port of a listener; 0 is none."""

    unmodelled = "name targetPort"

    number: Annotated[int, Meta(ge=0, le=65535)] = 0
    protocol: str = ""


class EgressListener(Shape, frozen=True, kw_only=True):
    """Hosts that a workload may call, as ``namespace/host``."""

    unmodelled = "bind captureMode"

    hosts: tuple[str, ...]
    port: SidecarPort | None = None

    def check(self) -> None:
        if not self.hosts:
            raise Problem(("hosts",), "this should not be empty")
        for number, host in enumerate(self.hosts):
            if "/" not in host:
                raise Problem(("hosts", number), f"'{host}' needs a namespace before it", f"*/{host}")
            namespace, _, name = host.partition("/")
            try:
                if namespace not in ("*", ".", "~"):
                    check_namespace(namespace)
                check_whole_domain(name)
            except Problem as problem:
                raise problem.below("hosts", number) from None


class IngressListener(Shape, frozen=True, kw_only=True):
    """What comes in; only that it is said is read."""

    unmodelled = "port bind captureMode defaultEndpoint tls connectionPool"


class OutboundTraffic(Shape, frozen=True, kw_only=True):
    """What becomes of calls to nobody that the mesh knows; only that it is said is read."""

    unmodelled = "mode egressProxy"


class InboundPool(Shape, frozen=True, kw_only=True):
    """Limits on what comes in; only that they are said is read."""

    unmodelled = "tcp http"


class SidecarSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a sidecar."""

    workload_selector: WorkloadSelector | None = None
    egress: tuple[EgressListener, ...] = ()
    ingress: tuple[IngressListener, ...] = ()
    inbound_connection_pool: InboundPool | None = None
    outbound_traffic_policy: OutboundTraffic | None = None

    def check(self) -> None:
        if not (self.egress or self.ingress or self.inbound_connection_pool or self.outbound_traffic_policy):
            raise Problem((), "one of egress, ingress, inboundConnectionPool, outboundTrafficPolicy is needed")
        for number, listener in enumerate(self.egress[:-1]):
            if listener.port is None:
                raise Problem(("egress", number), "the listener without a port is for all the others, and stands last")


class Sidecar(Shape, frozen=True, kw_only=True):
    """What the proxies of a namespace are told of the mesh."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: SidecarSpec
