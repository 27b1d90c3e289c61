"""Kubernetes' own words for who answers: ``Service``, ``Endpoints`` and ``EndpointSlice``."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from skyedge.kube.istio_values import Port
from skyedge.kube.metadata import Metadata
from skyedge.kube.problem import Problem
from skyedge.kube.shape import Shape


class ServicePort(Shape, frozen=True, kw_only=True):
    """A port of a service; without a target the same port of the endpoints."""

    unmodelled = "nodePort"

    port: Port
    name: str = ""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    app_protocol: str | None = None
    target_port: int | str | None = None


class ServiceSpec(Shape, frozen=True, kw_only=True):
    """``spec`` of a service."""

    unmodelled = (
        "clusterIP clusterIPs externalIPs sessionAffinity sessionAffinityConfig loadBalancerIP loadBalancerSourceRanges "
        "externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses ipFamilies ipFamilyPolicy "
        "allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy topologyKeys"
    )

    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)
    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] = "ClusterIP"
    external_name: str = ""
    traffic_distribution: Literal["PreferClose", "PreferSameZone", "PreferSameNode", "Any"] | None = None

    def check(self) -> None:
        names = [port.name for port in self.ports]
        for at, name in enumerate(names):
            if len(names) > 1 and not name:
                raise Problem(("ports", at), "'name' is missing, which a port needs where there are several")
            if name in names[:at]:
                raise Problem(("ports", at, "name"), f"there is a port '{name}' already")


class Service(Shape, frozen=True, kw_only=True):
    """A name under which pods are called."""

    unmodelled = "status"

    api_version: str
    kind: str
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class ObjectReference(Shape, frozen=True, kw_only=True):
    """The pod behind an address."""

    unmodelled = "apiVersion resourceVersion fieldPath uid"

    kind: str = ""
    name: str = ""
    namespace: str = ""


class EndpointPort(Shape, frozen=True, kw_only=True):
    """A port of endpoints."""

    unmodelled = "protocol appProtocol"

    name: str = ""
    port: Port | None = None


class EndpointAddress(Shape, frozen=True, kw_only=True):
    """An address in ``Endpoints``."""

    unmodelled = "hostname"

    ip: str
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointSubset(Shape, frozen=True, kw_only=True):
    """Addresses that have the same ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Shape, frozen=True, kw_only=True):
    """Who answers for the service of the same name."""

    api_version: str
    kind: str
    metadata: Metadata
    subsets: tuple[EndpointSubset, ...] = ()


class EndpointConditions(Shape, frozen=True, kw_only=True):
    """How an endpoint does; what is not said is well."""

    unmodelled = "serving"

    ready: bool | None = None
    terminating: bool | None = None


class SliceEndpoint(Shape, frozen=True, kw_only=True):
    """An endpoint of a slice; its addresses are ways to the same."""

    unmodelled = "hostname hints deprecatedTopology"

    addresses: tuple[str, ...]
    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""
    zone: str = ""
    target_ref: ObjectReference | None = None

    def check(self) -> None:
        if not self.addresses:
            raise Problem(("addresses",), "this should not be empty")


class EndpointSlice(Shape, frozen=True, kw_only=True):
    """Some of those who answer for the service in the label ``kubernetes.io/service-name``."""

    api_version: str
    kind: str
    metadata: Metadata
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()
