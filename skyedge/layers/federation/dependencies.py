"""What a workload cannot run without: it follows the workload to its clusters, if the policy says ``propagateDeps``.

As in Karmada's native interpreter (pkg/resourceinterpreter/default/native, 2024): ConfigMaps, Secrets, service accounts and
volume claims that a description of pods refers to by name, in volumes, environments and pull secrets; and of an Ingress the
secrets of its certificates.  The service account ``default`` is in every namespace already.  What is ``optional`` follows,
too, but pods start without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from skyedge.layers.federation.manifest_overrides import containers_of, pod_spec

DEFAULT_SERVICE_ACCOUNT = "default"

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


class Reference(NamedTuple):
    """A resource of the same namespace, by kind (of API version ``v1``) and name, and whether pods start without it."""

    kind: str
    name: str
    optional: bool = False


def dependencies_of(manifest: Mapping[str, Any]) -> list[Reference]:
    """What the manifest refers to, sorted, each once."""
    found = set(_of_pods(pod_spec(manifest) or {}))
    spec = manifest.get("spec") or {}
    if manifest.get("kind") == "Ingress":
        found |= {Reference("Secret", str(tls.get("secretName", ""))) for tls in _items(spec, "tls")}
    if manifest.get("kind") == "StatefulSet":
        # Claims that are made from a template are the member's own.
        made = {str(_part(claim, "metadata").get("name", "")) for claim in _items(spec, "volumeClaimTemplates")}
        found = {one for one in found if one.kind != "PersistentVolumeClaim" or one.name not in made}
    return sorted(one for one in found if one.name and not (one.optional and one._replace(optional=False) in found))


def _of_pods(spec: Mapping[str, Any]) -> Iterator[Reference]:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account and account != DEFAULT_SERVICE_ACCOUNT:
        yield Reference("ServiceAccount", str(account))
    for secret in _items(spec, "imagePullSecrets"):
        yield Reference("Secret", str(secret.get("name", "")))
    for volume in _items(spec, "volumes"):
        yield from _of_volume(volume)
    for container in containers_of(spec, _CONTAINERS):
        for entry in _items(container, "envFrom"):
            yield _named("ConfigMap", _part(entry, "configMapRef"))
            yield _named("Secret", _part(entry, "secretRef"))
        for variable in _items(container, "env"):
            source = _part(variable, "valueFrom")
            yield _named("ConfigMap", _part(source, "configMapKeyRef"))
            yield _named("Secret", _part(source, "secretKeyRef"))


def _of_volume(volume: Mapping[str, Any]) -> Iterator[Reference]:
    yield _named("ConfigMap", _part(volume, "configMap"))
    yield _named("Secret", _part(volume, "secret"), "secretName")
    yield Reference("PersistentVolumeClaim", str(_part(volume, "persistentVolumeClaim").get("claimName", "")))
    for source in _items(_part(volume, "projected"), "sources"):
        yield _named("ConfigMap", _part(source, "configMap"))
        yield _named("Secret", _part(source, "secret"))
    for driver in ("azureFile", "cephfs", "rbd", "scaleIO", "iscsi", "storageos", "csi", "flexVolume"):
        held = _part(volume, driver)
        for field in ("secretName", "secretRef", "nodePublishSecretRef"):
            secret = held.get(field)
            yield Reference("Secret", str(secret.get("name", "") if isinstance(secret, dict) else secret or ""))


def _named(kind: str, given: Mapping[str, Any], field: str = "name") -> Reference:
    return Reference(kind, str(given.get(field, "")), given.get("optional") is True)


def _items(part: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    value = part.get(field)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _part(part: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = part.get(field)
    return value if isinstance(value, dict) else {}
