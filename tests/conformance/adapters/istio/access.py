"""Who may call whom, by authorization policies and modes of mutual TLS."""

from __future__ import annotations

from skyedge.kube.istio_access import AuthorizationPolicy
from skyedge.layers.mesh.admission import Identity, allowed
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.objects import Service
from skyedge.layers.mesh.reading.access import read_admission

from .fields import Answer, Given, manifests_from, only
from .manifests import selected_by


def access_verdict(given: Given) -> Answer:
    """Whether a caller may send a request to a port of a service; no request is a plain connection."""
    said, who, asked = given["service"], given["caller"], given.get("request")
    only(said, ("namespace", "labels"), "a service")
    only(who, ("namespace", "service_account", "address", "has_proxy"), "a caller")
    manifests = manifests_from(*given["manifests"])
    admission = read_admission(manifests, [selected_by(one) for one in manifests.of(AuthorizationPolicy)], [])
    service = Service("service.example", namespace=said["namespace"], labels=said["labels"])
    request = None
    if asked is not None:
        only(asked, ("host", "path", "method", "headers"), "a request")
        headers = asked.get("headers") or {}
        request = HttpRequest(asked.get("host", "a"), asked.get("path", "/"), asked.get("method", "GET"), headers=headers)
    return {"allowed": allowed(admission, Identity("caller", **who), service, given["port"], request).allowed}


ADAPTERS = {"access_verdict": access_verdict}
