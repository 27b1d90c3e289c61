"""What a proxy in a namespace sees of services, of virtual services, and which destination rule counts for it."""

from __future__ import annotations

import json

from skyedge.kube import MESH, Manifests, parse_manifests
from skyedge.layers.mesh.objects import Caller, Service
from skyedge.layers.mesh.reading import read_mesh
from skyedge.layers.mesh.reading.policies import read_rules, rules_for
from skyedge.layers.mesh.virtual_hosts import VirtualHosts

from .fields import Answer, Given, only


def manifests_from(written: list[Given]) -> Manifests:
    return parse_manifests("\n---\n".join(map(json.dumps, written)), kinds=MESH)


def rule_choice(given: Given) -> Answer:
    said = given["service"]
    only(said, ("host", "namespace"), "a service")
    rules = read_rules(manifests_from(given["rules"]), [])
    chosen = rules_for([Service(said["host"], namespace=said["namespace"])], rules, given["proxy_namespace"])
    return {"subsets": [subset.name for subset in chosen[0].subsets] if chosen else None}


def seen_hosts(given: Given) -> Answer:
    caller = Caller("case", namespace=given["proxy_namespace"], gateway=given["gateway"])
    mesh = read_mesh(manifests_from(given["manifests"])).mesh_for(caller)
    known = VirtualHosts(mesh, caller)
    routed = {host for one in mesh.virtual_services for host in one.hosts}
    return {
        "virtual_services": sorted(host for host in routed if (found := known.find(host)) is not None and found.written),
        "services": sorted(service.host for service in mesh.services),
    }


ADAPTERS = {"rule_choice": rule_choice, "seen_hosts": seen_hosts}
