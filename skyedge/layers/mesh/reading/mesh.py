"""From manifests to a mesh: what is in the files, as the mesh's own objects, every name checked.

What a caller sees depends on where it is: ``exportTo`` shows services and rules to some namespaces only, a ``Sidecar``
narrows that further, a gateway has hosts of its own, and of several destination rules the caller's namespace decides which
counts.  So a reading gives a mesh *for a caller* (:meth:`MeshReading.mesh_for`); callers that see the same share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from skyedge.errors import InputError, nearest
from skyedge.kube import Manifests
from skyedge.kube.istio_hosts import Gateway
from skyedge.layers.mesh.admission import Admission
from skyedge.layers.mesh.locality import NOWHERE
from skyedge.layers.mesh.objects import MESH_GATEWAY, Caller, Mesh, MeshEndpoint, Service, VirtualService
from skyedge.layers.mesh.reach import Reach
from skyedge.layers.mesh.reading.access import read_admission
from skyedge.layers.mesh.reading.checks import Known, check_routes, check_rules
from skyedge.layers.mesh.reading.doors import check_shared_doors
from skyedge.layers.mesh.reading.names import ROOT_NAMESPACE, Shown, fits, namespace_of
from skyedge.layers.mesh.reading.policies import Rules, read_rules, rules_for
from skyedge.layers.mesh.reading.reach import read_reach
from skyedge.layers.mesh.reading.routes import Origin, Routes, gateway_name, read_routes
from skyedge.layers.mesh.reading.scopes import Scope, read_scopes
from skyedge.layers.mesh.reading.services import read_services
from skyedge.layers.mesh.reading.traffic_classes import check_classes
from skyedge.layers.mesh.reading.workloads import Workload, default_network, read_places, read_workloads
from skyedge.layers.mesh.virtual_hosts import VirtualHost


@dataclass(frozen=True)
class Door:
    """A gateway.

    Attributes:
        hosts: that it lets in, some with a namespace before them.
        selector: labels of the pods that are it.
        ports: where it listens.
    """

    hosts: tuple[str, ...]
    selector: Mapping[str, str]
    ports: tuple[int, ...] = ()

    def lets_in(self, virtual: VirtualService, name: str) -> tuple[str, ...]:
        """The hosts of a virtual service, or what a wildcard of it stands for, that the gateway of this name lets in."""
        kept = []
        for host in virtual.hosts:
            for door in self.hosts:
                space, slash, wanted = door.rpartition("/")
                here = name.partition("/")[0] if space == "." else space
                if slash and here not in ("*", virtual.namespace):
                    continue
                if fits(wanted, host):
                    kept.append(host)
                elif fits(host, wanted):
                    kept.append(wanted)
        return tuple(dict.fromkeys(kept))


@dataclass(frozen=True, eq=False)
class MeshReading:
    """What the files said, and what in them is worth a word.

    Attributes:
        workloads: by namespace and name.
        services: by host.
        endpoints: by (host, address).
        behind: the workload behind an endpoint, by (host, address), as far as it is known.
        doors: gateways by ``NAMESPACE/NAME``.
        reach: how networks are entered; None if there is but one.
    """

    workloads: tuple[Workload, ...]
    services: tuple[Shown[Service], ...]
    endpoints: tuple[MeshEndpoint, ...]
    behind: Mapping[tuple[str, str], Workload]
    routes: tuple[Routes, ...]
    rules: tuple[Rules, ...]
    admission: Admission
    doors: Mapping[str, Door]
    scopes: tuple[Scope, ...]
    warnings: tuple[str, ...]
    reach: Reach | None = None
    _meshes: dict[tuple[str, str, Scope | None], Mesh] = field(default_factory=dict, init=False, repr=False)

    def mesh_for(self, caller: Caller) -> Mesh:
        """The mesh as a caller sees it."""
        scope = self._scope(caller)
        key = (caller.namespace, caller.gateway, scope)
        if key not in self._meshes:
            self._meshes[key] = self._mesh(caller, scope)
        return self._meshes[key]

    def caller(self, name: str) -> Caller:
        """A caller by the name of a workload, a gateway, or a locality.

        Args:
            name: ``NAMESPACE/NAME`` or ``NAME`` of a workload; ``NAMESPACE/NAME`` of a gateway; or
                ``region/zone/subzone``, from which somebody in the namespace ``default`` calls, in the network of those
                who are there if they are all of one.

        Raises:
            InputError: if it is none of them, with the nearest.
        """
        found = [one for one in self.workloads if name in (one.name, f"{one.namespace}/{one.name}")]
        if len({one.namespace for one in found}) > 1:
            where = ", ".join(f"{one.namespace}/{one.name}" for one in found)
            raise InputError(f"there are several of the name '{name}': {where}")
        if found:
            return found[0].caller
        if name in self.doors:
            return self._at(name)
        known_places = {one.locality for one in self.workloads} | {one.locality for one in self.endpoints}
        places = sorted(known_places - {NOWHERE})
        for place in places:
            words = [place.region, place.zone, place.subzone]
            if name in {"/".join(words[:length]) for length in (1, 2, 3)}:
                asked = replace(place, **dict.fromkeys(("zone", "subzone")[name.count("/") :], ""))
                there = {one.network for one in self.workloads if one.locality.matches(name)}
                there |= {one.network for one in self.endpoints if one.locality.matches(name)}
                return Caller(name, asked, namespace="default", network=there.pop() if len(there) == 1 else "")
        known = [f"{one.namespace}/{one.name}" for one in self.workloads] + [one.name for one in self.workloads]
        known += [*self.doors, *("/".join(word for word in (p.region, p.zone, p.subzone) if word) for p in places)]
        message = f"'{name}' is no workload, no gateway and no locality of an endpoint"
        raise InputError(message, nearest=nearest(name, known))

    def _at(self, gateway: str) -> Caller:
        """A gateway as a caller: where the first of its pods is, or nowhere."""
        wanted = self.doors[gateway].selector
        pod = next((one for one in self.workloads if wanted and wanted.items() <= one.labels.items()), None)
        if pod is None:
            return Caller(gateway, namespace=gateway.partition("/")[0], gateway=gateway)
        return replace(pod.caller, name=gateway, gateway=gateway)

    def workload(self, caller: Caller) -> Workload | None:
        """The workload that is a caller; None if it is none."""
        return self._workloads.get(caller.name)

    @cached_property
    def _workloads(self) -> dict[str, Workload]:
        return {f"{one.namespace}/{one.name}": one for one in self.workloads}

    def origin(self, host: VirtualHost, rule: int) -> Origin | None:
        """Where a rule of a virtual host was written; None for the way straight to a service."""
        found = host.origin(rule)
        if found is None:
            return None
        virtual, number = found
        return next(
            one.origins[number]
            for one in self.routes
            if (one.shown.namespace, one.shown.thing.name) == (virtual.namespace, virtual.name)
        )

    def _scope(self, caller: Caller) -> Scope | None:
        """The sidecar of a caller: one that names its labels, else its namespace's, else the one for the whole mesh.

        The last stands in the root namespace and names no labels.  Of several the oldest counts.
        """
        if caller.gateway != MESH_GATEWAY:
            return None
        mine = [
            one for one in self.scopes if one.namespace == caller.namespace and one.labels.items() <= caller.labels.items()
        ]
        mine = mine or [one for one in self.scopes if one.namespace == ROOT_NAMESPACE and not one.labels]
        return max(mine, key=lambda one: bool(one.labels), default=None)

    def _mesh(self, caller: Caller, scope: Scope | None) -> Mesh:
        space = caller.namespace
        exported = [one for one in self.routes if one.shown.seen_from(space)]
        shown = [one for one in self.services if one.seen_from(space)]
        services = tuple(one.thing for one in shown)
        if scope is not None:
            services = tuple(scope.services(shown, exported, space))
            exported = scope.routes(exported, space)
        routes = [one.shown.thing for one in exported]
        if caller.gateway != MESH_GATEWAY:
            routes = [kept for one in routes if (kept := self._at_door(one, caller.gateway)) is not None]
        hosts = {service.host for service in services}
        return Mesh(
            services,
            tuple(endpoint for endpoint in self.endpoints if endpoint.service in hosts),
            rules_for(services, self.rules, space),
            tuple(routes),
        )

    def _at_door(self, virtual: VirtualService, gateway: str) -> VirtualService | None:
        """The same with only the hosts that a gateway lets in."""
        if gateway not in virtual.gateways:
            return None
        kept = self.doors[gateway].lets_in(virtual, gateway)
        return replace(virtual, hosts=kept) if kept else None


def read_mesh(manifests: Manifests) -> MeshReading:
    """The mesh that ``manifests`` describe.

    Raises:
        InputError: with file, document and path, for a name that is there twice or points to nothing, and for whatever
            can never work (:mod:`~skyedge.layers.mesh.reading.checks`).
    """
    warnings: list[str] = []
    network = default_network(manifests, warnings)
    places = read_places(manifests, network)
    workloads = read_workloads(manifests, places, warnings, network)
    answering = read_services(manifests, workloads, places, warnings, network)
    routes = read_routes(manifests, warnings)
    rules = read_rules(manifests, warnings)
    by_host: dict[str, list[MeshEndpoint]] = {host: [] for host in answering.services}
    for (host, _), endpoint in sorted(answering.endpoints.items()):
        by_host[host].append(endpoint)
    known = Known(answering.services, by_host, rules)
    led_to = check_routes(routes, known, warnings)
    check_rules(known, led_to, warnings)
    for host, endpoints in sorted(by_host.items()):
        if not endpoints:
            warnings.append(f"{answering.manifests[host].place()}: nobody answers for '{host}'")
        elif not any(endpoint.healthy for endpoint in endpoints):
            warnings.append(f"{answering.manifests[host].place()}: nobody who answers for '{host}' is ready")
    known_workloads = list({id(one): one for one in (*workloads, *answering.workloads.values())}.values())
    admission = read_admission(manifests, known_workloads, warnings)
    check_classes(manifests, known_workloads, warnings)
    doors = {
        gateway_name(one.object.metadata.name, namespace_of(one.object.metadata)): Door(
            tuple(host.lower() for server in one.object.spec.servers for host in server.hosts),
            one.object.spec.selector,
            tuple(server.port.number for server in one.object.spec.servers),
        )
        for one in manifests.of(Gateway)
    }
    _check_doors(routes, doors, warnings)
    check_shared_doors(manifests.of(Gateway), warnings)
    networks = {one.network for one in known_workloads} | {one.network for one in answering.endpoints.values()}
    reach = read_reach(manifests, networks, network, warnings)
    return MeshReading(
        workloads=tuple(workloads),
        services=tuple(answering.services[host] for host in sorted(answering.services)),
        endpoints=tuple(endpoint for _, endpoint in sorted(answering.endpoints.items())),
        behind=answering.workloads,
        routes=tuple(routes),
        rules=tuple(rules),
        admission=admission,
        doors=doors,
        scopes=read_scopes(manifests),
        warnings=tuple(warnings),
        reach=reach,
    )


def _check_doors(routes: Sequence[Routes], doors: Mapping[str, Door], warnings: list[str]) -> None:
    for one in routes:
        for number, gateway in enumerate(one.shown.thing.gateways):
            if gateway == MESH_GATEWAY:
                continue
            if not doors[gateway].lets_in(one.shown.thing, gateway):
                said = one.manifest.object.spec.gateways[number]
                place, hosts = one.manifest.place("spec", "gateways", number), ", ".join(doors[gateway].hosts)
                warnings.append(f"{place}: the gateway '{said}' lets in none of these hosts, only {hosts}")
