"""What a proxy in a namespace sees, which destination rule counts for it and says what, and rules of delegates."""

from __future__ import annotations

from dataclasses import asdict

from skyedge.errors import InputError
from skyedge.layers.mesh.http_route import HttpRoute
from skyedge.layers.mesh.objects import UNLIMITED, Caller, ConnectionLimits, Service, effective_policy
from skyedge.layers.mesh.reading import read_mesh
from skyedge.layers.mesh.reading.policies import read_rules, rules_for
from skyedge.layers.mesh.reading.routes import read_routes
from skyedge.layers.mesh.virtual_hosts import VirtualHosts

from .conditions import plain_match
from .fields import Answer, Given, manifests_from, only


def rule_choice(given: Given) -> Answer:
    said = given["service"]
    only(said, ("host", "namespace"), "a service")
    rules = read_rules(manifests_from(*given["rules"]), [])
    chosen = rules_for([Service(said["host"], namespace=said["namespace"])], rules, given["proxy_namespace"])
    return {"subsets": [subset.name for subset in chosen[0].subsets] if chosen else None}


def traffic_policy(given: Given) -> Answer:
    """How a service, or a subset of it, is called by one of its ports."""
    said = given["service"]
    only(said, ("host", "namespace", "subset", "port"), "a service")
    rules = read_rules(manifests_from(*given["rules"]), [])
    service = Service(said["host"], namespace=said["namespace"])
    chosen = rules_for([service], rules, given["proxy_namespace"])
    policy = effective_policy(chosen[0] if chosen else None, said.get("subset") or "", said.get("port"))
    balancing, limits = policy.load_balancing, asdict(policy.connections or ConnectionLimits())
    return {
        "balancer": policy.balancer.value,
        "hash_key": None if balancing is None or balancing.hash_key is None else asdict(balancing.hash_key),
        "warmup": policy.warmup and asdict(policy.warmup),
        "connections": {name: "unlimited" if value == UNLIMITED else value for name, value in limits.items()},
        "tls_mode": policy.tls_mode,
    }


def seen_hosts(given: Given) -> Answer:
    caller = Caller("case", namespace=given["proxy_namespace"], gateway=given["gateway"])
    mesh = read_mesh(manifests_from(*given["manifests"])).mesh_for(caller)
    known = VirtualHosts(mesh, caller)
    routed = {host for one in mesh.virtual_services for host in one.hosts}
    return {
        "virtual_services": sorted(host for host in routed if (found := known.find(host)) is not None and found.written),
        "services": sorted(service.host for service in mesh.services),
        "ports": {service.host: [port.number for port in service.ports] for service in mesh.services},
    }


def plain_route(route: HttpRoute) -> Answer:
    """A rule in a case's words; what it does not say is left out."""
    plain: Answer = {
        "match": [plain_match(match) for match in route.matches],
        "to": [{"host": one.host, "subset": one.subset} for one in route.destinations],
    }
    if route.rewrite.uri:
        plain["rewrite"] = route.rewrite.uri
    if route.timeout_s is not None:
        plain["timeout_s"] = route.timeout_s
    changes = route.request_headers
    if changes.set or changes.add or changes.remove:
        plain["request_headers"] = {"set": changes.set, "add": changes.add, "remove": list(changes.remove)}
    return plain


def merged_routes(given: Given) -> Answer:
    """The rules of each virtual service, those of delegates in their place."""
    try:
        found = read_routes(manifests_from(*given["manifests"]), [])
    except InputError as error:
        return {"http": str(error)}
    return {"http": [[plain_route(route) for route in one.shown.thing.http] for one in found]}


ADAPTERS = {
    "merged_routes": merged_routes,
    "rule_choice": rule_choice,
    "seen_hosts": seen_hosts,
    "traffic_policy": traffic_policy,
}
