"""Names of hosts and gateways, what a gateway lets in, and which rule of which virtual service takes a request."""

from __future__ import annotations

from skyedge.kube.istio_names import overlap
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import answer
from skyedge.layers.mesh.objects import Caller, Mesh, Service, VirtualService
from skyedge.layers.mesh.reading import read_mesh
from skyedge.layers.mesh.reading.names import fits
from skyedge.layers.mesh.reading.routes import gateway_name as whole_gateway_name
from skyedge.layers.mesh.virtual_hosts import VirtualHosts

from .fields import Answer, Given, manifests_from, only
from .routes import route_from

DOOR = "case/door"


def host_overlap(given: Given) -> Answer:
    one, other = given["hosts"]
    return {"overlap": overlap(one, other)}


def host_within(given: Given) -> Answer:
    return {"within": fits(given["wide"], given["host"])}


def gateway_name(given: Given) -> Answer:
    return {"gateway": whole_gateway_name(given["name"], given["namespace"])}


def gateway_hosts(given: Given) -> Answer:
    """The hosts of a virtual service that a gateway in ``case`` lets in."""
    space, door = DOOR.split("/")
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    service = {"hosts": ["to.example"], "resolution": "STATIC", "ports": [port], "endpoints": [{"address": "10.0.0.1"}]}
    virtual = {"hosts": given["hosts"], "gateways": [DOOR], "http": [{"route": [{"destination": {"host": "to.example"}}]}]}
    written = (
        ("ServiceEntry", "to", space, service),
        ("Gateway", door, space, {"selector": {"app": "door"}, "servers": [{"port": port, "hosts": given["gateway"]}]}),
        ("VirtualService", "virtual", given["namespace"], virtual),
    )
    objects = [
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        for kind, name, namespace, spec in written
    ]
    reading = read_mesh(manifests_from(*objects))
    seen = reading.mesh_for(reading.caller(DOOR)).virtual_services
    return {"hosts": [host for one in seen for host in one.hosts]}


def route_pick(given: Given) -> Answer:
    """What a gateway does with a request that meets several virtual services."""
    asked = given["request"]
    only(asked, ("host", "path", "headers"), "a request")
    written = tuple(
        VirtualService(tuple(one["hosts"]), tuple(route_from(rule) for rule in one["http"]), (DOOR,), "case", str(number))
        for number, one in enumerate(given["virtual_services"])
    )
    caller = Caller(DOOR, namespace="case", gateway=DOOR)
    host = VirtualHosts(Mesh(virtual_services=written), caller).find(asked["host"])
    if host is None:
        return {"rule": None, "upstream_path": None, "upstream_host": None}
    request = HttpRequest(asked["host"], asked["path"], headers=asked.get("headers") or {}, gateway=DOOR)
    got = answer(host.routes, request)
    rule = None if got.route is None else host.routes[got.route].name
    return {"rule": rule, "upstream_path": got.upstream_path, "upstream_host": got.upstream_host}


def service_name(given: Given) -> Answer:
    """Which service a program in a namespace calls by a name."""
    services = tuple(Service(host) for host in given["services"])
    virtual = tuple(
        VirtualService(tuple(one["hosts"]), tuple(route_from(rule) for rule in one["http"]), namespace="case")
        for one in given.get("virtual_services") or ()
    )
    known = VirtualHosts(Mesh(services, virtual_services=virtual), Caller("program", namespace=given["namespace"]))
    host = known.find(given["authority"])
    return {"service": None if host is None else host.routes[0].destinations[0].host}


ADAPTERS = {
    "gateway_hosts": gateway_hosts,
    "gateway_name": gateway_name,
    "host_overlap": host_overlap,
    "host_within": host_within,
    "route_pick": route_pick,
    "service_name": service_name,
}
