"""What is said of manifests: whether one is taken, as by Istio's webhook, and what is found, as by its analyzers."""

from __future__ import annotations

from typing import Any

from skyedge.errors import InputError
from skyedge.kube import Manifest, Manifests
from skyedge.kube.istio_access import AuthorizationPolicy, PeerAuthentication
from skyedge.kube.istio_routes import VirtualService
from skyedge.layers.mesh.admission import tls_mode as mode_of
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Service
from skyedge.layers.mesh.reading import read_mesh
from skyedge.layers.mesh.reading.access import read_admission
from skyedge.layers.mesh.reading.routes import read_routes
from skyedge.layers.mesh.reading.workloads import Workload

from .fields import Answer, Given, manifests_from, only


def selected_by(manifest: Manifest[Any]) -> Workload:
    """Something that runs where a policy is, with the labels that it wants."""
    selector = manifest.object.spec.selector
    labels = {} if selector is None else selector.wanted
    return Workload("selected", manifest.object.metadata.namespace, "10.0.0.1", manifest, labels)


def access_is_read(manifests: Manifests) -> None:
    """Read what says who may call whom, with something there that it is about."""
    written: list[Manifest[Any]] = [*manifests.of(AuthorizationPolicy), *manifests.of(PeerAuthentication)]
    read_admission(manifests, [selected_by(one) for one in written], [])


def manifest_verdict(given: Given) -> Answer:
    try:
        manifests = manifests_from(given["manifest"])
        access_is_read(manifests)
        if not any(one.object.spec.gateways for one in manifests.of(VirtualService)):  # they are not here
            read_routes(manifests, [])
    except InputError:
        return {"valid": False}
    return {"valid": True}


def operation_match(given: Given) -> Answer:
    """Whether an operation of a policy is the one that is asked for."""
    asked = given["request"]
    only(asked, ("host", "path", "method"), "a request")
    policy = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "policy", "namespace": "default"},
        "spec": {"rules": [{"to": [{"operation": given["operation"]}]}]},
    }
    manifests = manifests_from(policy)
    (manifest,) = manifests.of(AuthorizationPolicy)
    (read,) = read_admission(manifests, [selected_by(manifest)], []).policies
    request = HttpRequest(asked.get("host", "a"), asked.get("path", "/"), asked.get("method", "GET"))
    return {"holds": read.rules[0].operations[0].holds(request, 80)}


def mesh_findings(given: Given) -> Answer:
    """Whether anything is said of one of the manifests, be it an error or a warning."""
    written = given["manifests"]
    namespace, name = given["about"]
    about = [
        number
        for number, one in enumerate(written, start=1)
        if (one["metadata"].get("namespace"), one["metadata"]["name"]) == (namespace, name) and one["kind"] in READ
    ]
    try:
        said = read_mesh(manifests_from(*written)).warnings
    except InputError as error:
        said = (str(error),)
    places = [f"(document {number})" for number in about]
    return {"named": any(place in sentence for place in places for sentence in said)}


def tls_mode(given: Given) -> Answer:
    said = given["service"]
    only(said, ("namespace", "labels"), "a service")
    manifests = manifests_from(*given["manifests"])
    service = Service("service", namespace=said["namespace"], labels=said["labels"])
    return {"mode": mode_of(read_admission(manifests, [], []), service, given["port"]).value}


READ = ("VirtualService", "DestinationRule", "AuthorizationPolicy", "Gateway")
"""Kinds that a finding is about; services have the same names."""

ADAPTERS = {
    "manifest_verdict": manifest_verdict,
    "mesh_findings": mesh_findings,
    "operation_match": operation_match,
    "tls_mode": tls_mode,
}
