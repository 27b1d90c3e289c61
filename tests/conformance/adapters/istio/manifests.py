"""Whether a manifest is taken: Istio's webhook refuses it, or skyedge does while it reads it."""

from __future__ import annotations

import json
from typing import Any

from skyedge.errors import InputError
from skyedge.kube import MESH, Manifest, Manifests, parse_manifests
from skyedge.kube.istio_access import AuthorizationPolicy, PeerAuthentication
from skyedge.kube.istio_routes import VirtualService
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.reading.access import read_admission
from skyedge.layers.mesh.reading.routes import read_routes
from skyedge.layers.mesh.reading.workloads import Workload

from .fields import Answer, Given, only


def written_out(value: Any) -> Any:
    """A value in which long texts are written as ``{"$repeat": [TEXT, TIMES, END]}``."""
    if isinstance(value, dict):
        if "$repeat" in value:
            text, times, end = value["$repeat"]
            return text * times + end
        return {key: written_out(one) for key, one in value.items()}
    return [written_out(one) for one in value] if isinstance(value, list) else value


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
        manifests = parse_manifests(json.dumps(written_out(given["manifest"])), kinds=MESH)
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
    manifests = parse_manifests(json.dumps(policy), kinds=MESH)
    (manifest,) = manifests.of(AuthorizationPolicy)
    (read,) = read_admission(manifests, [selected_by(manifest)], []).policies
    request = HttpRequest(asked.get("host", "a"), asked.get("path", "/"), asked.get("method", "GET"))
    return {"holds": read.rules[0].operations[0].holds(request, 80)}


ADAPTERS = {"manifest_verdict": manifest_verdict, "operation_match": operation_match}
