"""Services and who answers for them, from all the ways in which a cluster says it.

An ``EndpointSlice`` counts before ``Endpoints``, and these before the pods that a selector finds: whoever keeps them knows
who is ready.  Machines outside are found by the selector in any case, as in Istio.  An endpoint of a slice that names its
pod has that pod's labels, without which no subset could find it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube import services as kube
from skyedge.kube.istio_hosts import ServiceEntry
from skyedge.kube.services import EndpointPort, Endpoints, EndpointSlice, ObjectReference
from skyedge.layers.mesh.locality import NOWHERE, Locality
from skyedge.layers.mesh.objects import CLUSTER_DOMAIN, MeshEndpoint, RunsIn, Service, ServicePort
from skyedge.layers.mesh.reading.names import Shown, namespace_of
from skyedge.layers.mesh.reading.workloads import Place, Workload, located, of_entry, runs_in

SERVICE_NAME = "kubernetes.io/service-name"
EXPORT_TO = "networking.istio.io/exportTo"
PROTOCOLS = ("http", "http2", "https", "grpc", "grpc-web", "tcp", "tls", "udp", "mongo", "mysql", "redis")
"""Names of ports begin with one of these (Istio); any other port is looked at to find out, and counts as HTTP here."""


@dataclass
class Answering:
    """Services and endpoints while they are being read.

    Attributes:
        manifests: where each service was written, by its host.
        workloads: who stands behind an endpoint, by (host, address), as far as that is known.
    """

    services: dict[str, Shown[Service]] = field(default_factory=dict)
    endpoints: dict[tuple[str, str], MeshEndpoint] = field(default_factory=dict)
    manifests: dict[str, Manifest[Any]] = field(default_factory=dict)
    workloads: dict[tuple[str, str], Workload] = field(default_factory=dict)

    def add(self, endpoint: MeshEndpoint, workload: Workload | None) -> None:
        """Take an endpoint, unless its address is there already."""
        key = (endpoint.service, endpoint.address)
        if key in self.endpoints and workload is not None and self.workloads.get(key) not in (None, workload):
            key = (endpoint.service, workload.name)  # two pods in the network of one node
            endpoint = MeshEndpoint(**{name: getattr(endpoint, name) for name in _FIELDS} | {"address": workload.name})
        self.endpoints.setdefault(key, endpoint)
        if workload is not None:
            self.workloads.setdefault(key, workload)


_FIELDS = tuple(MeshEndpoint.__dataclass_fields__)


def read_services(
    manifests: Manifests, workloads: Iterable[Workload], places: Mapping[str, Place], warnings: list[str], default: str = ""
) -> Answering:
    """All services and endpoints; ``default`` is the network of those that name none.

    Raises:
        InputError: if two services have one host, or endpoints belong to a service that is not there.
    """
    return _Reader(manifests, list(workloads), places, warnings, default).read()


class _Reader:
    def __init__(
        self,
        manifests: Manifests,
        workloads: list[Workload],
        places: Mapping[str, Place],
        warnings: list[str],
        default_network: str,
    ) -> None:
        self._manifests, self._workloads, self._places, self._warnings = manifests, workloads, places, warnings
        self._default_network = default_network
        self._named = {(one.namespace, one.name): one for one in workloads}
        self._found = Answering()
        self._by_label: dict[tuple[str, str, str], list[Workload]] = {}
        for workload in workloads:
            for label, value in workload.labels.items():
                self._by_label.setdefault((workload.namespace, label, value), []).append(workload)

    def read(self) -> Answering:
        written = {
            (namespace_of(one.object.metadata), one.object.metadata.name): one for one in self._manifests.of(kube.Service)
        }
        slices = self._by_service(
            (one, one.object.metadata.labels.get(SERVICE_NAME, "")) for one in self._manifests.of(EndpointSlice)
        )
        lists = self._by_service((one, one.object.metadata.name) for one in self._manifests.of(Endpoints))
        owned: list[Manifest[Any]] = [*self._manifests.of(EndpointSlice), *self._manifests.of(Endpoints)]
        for one in owned:
            self._check_owner(one, written)
        for manifest in self._manifests.of(kube.Service):
            key = (namespace_of(manifest.object.metadata), manifest.object.metadata.name)
            self._service(manifest, key[0], slices.get(key, []), lists.get(key, []))
        for entry in sorted(self._manifests.of(ServiceEntry), key=lambda one: _sort_key(one.object.metadata)):
            self._entry(entry)
        return self._found

    @staticmethod
    def _by_service(named: Iterable[tuple[Manifest[Any], str]]) -> dict[tuple[str, str], list[Manifest[Any]]]:
        found: dict[tuple[str, str], list[Manifest[Any]]] = {}
        for manifest, service in named:
            found.setdefault((namespace_of(manifest.object.metadata), service), []).append(manifest)
        return found

    @staticmethod
    def _check_owner(manifest: Manifest[Any], services: Mapping[tuple[str, str], object]) -> None:
        metadata = manifest.object.metadata
        is_slice = isinstance(manifest.object, EndpointSlice)
        if is_slice and SERVICE_NAME not in metadata.labels:
            message = f"the label {SERVICE_NAME} is missing, which says whose endpoints these are"
            raise manifest.error(("metadata",), message)
        name = metadata.labels[SERVICE_NAME] if is_slice else metadata.name
        namespace = namespace_of(metadata)
        if (namespace, name) not in services:
            path = ("metadata", "labels", SERVICE_NAME) if is_slice else ("metadata", "name")
            here = [service for space, service in services if space == namespace]
            raise manifest.error(path, f"there is no service '{name}' in '{namespace}'", nearest(name, here))

    def _take(self, shown: Shown[Service], manifest: Manifest[Any], path: tuple[str | int, ...]) -> bool:
        host = shown.thing.host
        if host in self._found.services:
            there = self._found.manifests[host].place()
            if self._found.services[host].namespace == shown.namespace:
                raise manifest.error(path, f"there is a service '{host}' already: {there}")
            self._warnings.append(f"{manifest.place(*path)}: not used: there is a service '{host}' already: {there}")
            return False
        self._found.services[host] = shown
        self._found.manifests[host] = manifest
        return True

    def _service(
        self,
        manifest: Manifest[kube.Service],
        namespace: str,
        slices: list[Manifest[EndpointSlice]],
        lists: list[Manifest[Endpoints]],
    ) -> None:
        metadata, spec = manifest.object.metadata, manifest.object.spec
        host = f"{metadata.name}.{namespace}.{CLUSTER_DOMAIN}"
        ports = tuple(
            ServicePort(port.port, port.name, _protocol(port.app_protocol or port.name), port.target_port or 0)
            for port in spec.ports
        )
        service = Service(host, ports, namespace, metadata.labels, spec.traffic_distribution)
        to = frozenset(word.strip() for word in metadata.annotations.get(EXPORT_TO, "").split(",") if word.strip())
        self._take(Shown(service, namespace, to), manifest, ("metadata", "name"))
        for part in slices:
            self._of_slice(service, part.object)
        for listed in () if slices else lists:
            self._of_list(service, listed.object)
        if spec.type == "ExternalName":
            self._found.add(MeshEndpoint(spec.external_name, host, runs_in=RunsIn.VIRTUAL_MACHINE), None)
        elif spec.selector:
            for workload in self._selected(spec.selector, namespace):
                if workload.runs_in is not RunsIn.CONTAINER or not (slices or lists):
                    self._found.add(_endpoint(workload, host, ports), workload)

    def _entry(self, manifest: Manifest[ServiceEntry]) -> None:
        metadata, spec = manifest.object.metadata, manifest.object.spec
        namespace = namespace_of(metadata)
        ports = tuple(
            ServicePort(port.number, port.name, _protocol(port.protocol), port.target_port or 0) for port in spec.ports
        )
        answering = [
            of_entry(manifest, f"{metadata.name}-{number}", namespace, endpoint, metadata.annotations, self._default_network)
            for number, endpoint in enumerate(spec.endpoints)
        ]
        if spec.workload_selector is not None:
            answering = self._selected(spec.workload_selector.wanted, namespace)
        for number, host in enumerate(spec.hosts):
            host = host.lower()
            service = Service(host, ports or (ServicePort(80, "http"),), namespace, metadata.labels)
            if not self._take(Shown(service, namespace, frozenset(spec.export_to)), manifest, ("spec", "hosts", number)):
                continue
            for workload in answering:
                self._found.add(_endpoint(workload, host, ports), workload)
            if not answering and spec.workload_selector is None and spec.resolution != "STATIC":
                # The name itself is what is called: a resolver, or the caller's own address, says who that is.
                where = runs_in(manifest, metadata.annotations, ("metadata", "annotations"))
                outside = Workload(metadata.name, namespace, host, manifest, runs_in=where, annotations=metadata.annotations)
                self._found.add(_endpoint(outside, host, ports), outside)

    def _selected(self, wanted: Mapping[str, str], namespace: str) -> list[Workload]:
        if not wanted:
            return []
        here = self._by_label.get((namespace, *min(wanted.items())), [])
        return [one for one in here if wanted.items() <= one.labels.items()]

    def _of_slice(self, service: Service, part: EndpointSlice) -> None:
        for one in part.endpoints:
            if one.conditions.terminating:
                continue
            ready = one.conditions.ready is not False
            self._addressed(service, one.addresses[0], one.node_name, one.zone, one.target_ref, part.ports, ready)

    def _of_list(self, service: Service, listed: Endpoints) -> None:
        for part in listed.subsets:
            for addresses, ready in ((part.addresses, True), (part.not_ready_addresses, False)):
                for one in addresses:
                    self._addressed(service, one.ip, one.node_name, "", one.target_ref, part.ports, ready)

    def _addressed(
        self,
        service: Service,
        address: str,
        node: str,
        zone: str,
        reference: ObjectReference | None,
        listens: Sequence[EndpointPort],
        ready: bool,
    ) -> None:
        workload = None
        if reference is not None and reference.kind == "Pod":
            workload = self._named.get((reference.namespace or service.namespace, reference.name))
        place = self._places.get(node)
        if workload is not None:
            locality, network, labels = workload.locality, workload.network, workload.labels
        else:
            locality = place.locality if place is not None else self._zone(zone)
            network = place.network if place is not None else self._default_network
            labels = located({}, locality, network, node)
        well = ready and (place is None or place.ready)
        by_name = {port.name: port.port or 0 for port in listens}
        ports = {port.number: by_name.get(port.name, 0) for port in service.ports}
        first = next(filter(None, [*ports.values(), *by_name.values()]), 0)
        self._found.add(
            MeshEndpoint(address, service.host, locality, labels, 1, first, network, node=node, healthy=well, ports=ports),
            workload,
        )

    def _zone(self, zone: str) -> Locality:
        """A zone, and the region of the nodes in it."""
        if not zone:
            return NOWHERE
        return Locality(min((p.locality.region for p in self._places.values() if p.locality.zone == zone), default=""), zone)


def _endpoint(workload: Workload, host: str, ports: Sequence[ServicePort]) -> MeshEndpoint:
    own = {port.number: _own_port(workload, port) for port in ports}
    return MeshEndpoint(
        workload.address,
        host,
        workload.locality,
        workload.labels,
        workload.weight,
        next(iter(own.values()), 0),
        workload.network,
        workload.runs_in,
        workload.node,
        workload.healthy,
        {number: target or number for number, target in own.items()},
    )


def _own_port(workload: Workload, port: ServicePort) -> int:
    """Where a workload listens for a port of its service; 0 is the same number, or a name that it does not know."""
    if port.name in workload.ports:
        return workload.ports[port.name]
    if isinstance(port.target_port, str):
        return {**workload.container_ports, **workload.ports}.get(port.target_port, 0)
    return port.target_port


def _protocol(said: str) -> str:
    word = said.lower()
    known = [one for one in PROTOCOLS if word == one or word.startswith(f"{one}-")]
    return max(known, key=len).upper() if known else "HTTP"


def _sort_key(metadata: Any) -> tuple[str, str]:
    return namespace_of(metadata), metadata.name
