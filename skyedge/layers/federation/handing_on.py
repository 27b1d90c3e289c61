"""From the manifest that a user gave to the one that a member cluster gets: without what is a server's own, and with the
replicas of that cluster.

As in Karmada (pkg/resourceinterpreter, 2024): ``replicas`` of a Deployment, StatefulSet or ReplicaSet; of a Job
``parallelism``, and ``completions`` in the same proportion.  Only divided workloads are touched: where each cluster has all
replicas, the manifest says so already.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from skyedge.layers.federation.assignment import Assignment, dispense_by_weight
from skyedge.layers.federation.manifest_overrides import PlainManifest

SERVERS_OWN = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Of ``metadata``: what the server that printed a manifest has put there, and another must not be told."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

SERVERS_OWN_ANNOTATIONS = {
    "Deployment": ("deployment.kubernetes.io/revision", "deployment.kubernetes.io/revision-history"),
    "PersistentVolumeClaim": ("volume.kubernetes.io/selected-node",),
}
"""By kind: which rollout it is, and the node that a volume was bound for; each cluster finds its own."""

TOKEN_OWNER = "kubernetes.io/service-account.uid"

JOBS_OWN_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
"""Labels by which a Job that runs already tells its pods; another cluster's Job makes its own."""

REPLICAS_FIELD = {"Deployment": "replicas", "StatefulSet": "replicas", "ReplicaSet": "replicas", "Job": "parallelism"}
"""Of ``spec``: how many pods there are to be, by kind."""


def stripped(manifest: Mapping[str, Any]) -> PlainManifest:
    """A copy of the manifest without what a server has put there."""
    result = copy.deepcopy({key: value for key, value in manifest.items() if key != "status"})
    meta = _part(result, "metadata")
    for field in SERVERS_OWN:
        meta.pop(field, None)
    kind = str(result.get("kind"))
    _strip_annotations(meta, LAST_APPLIED, *SERVERS_OWN_ANNOTATIONS.get(kind, ()))
    _strip_tokens(kind, result, meta)
    spec = result.get("spec")
    if isinstance(spec, dict):
        _strip_spec(kind, spec)
    return result


def _strip_annotations(meta: dict[str, Any], *names: str) -> None:
    annotations = _part(meta, "annotations")
    if [annotations.pop(name) for name in names if name in annotations] and not annotations:
        del meta["annotations"]


def _strip_tokens(kind: str, manifest: PlainManifest, meta: dict[str, Any]) -> None:
    """A server signs tokens for its own accounts only, and gives each account one."""
    if kind == "Secret" and manifest.get("type") == "kubernetes.io/service-account-token":
        _strip_annotations(meta, TOKEN_OWNER)
        manifest.pop("data", None)
    secrets = manifest.get("secrets")
    if kind == "ServiceAccount" and isinstance(secrets, list):
        made = f"{meta.get('name')}-token-"
        left = [one for one in secrets if not (isinstance(one, dict) and str(one.get("name")).startswith(made))]
        if left:
            manifest["secrets"] = left
        else:
            del manifest["secrets"]


def _strip_spec(kind: str, spec: dict[str, Any]) -> None:
    if kind == "Service" and spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    template_meta = _part(_part(spec, "template"), "metadata")
    if template_meta.get("creationTimestamp", "") is None:
        del template_meta["creationTimestamp"]
    if kind == "Job" and not spec.get("manualSelector"):
        for labels in (_part(_part(spec, "selector"), "matchLabels"), _part(template_meta, "labels")):
            for label in JOBS_OWN_LABELS:
                labels.pop(label, None)


def _part(part: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A mapping within one, as it is and not a copy; an empty one, if it is not there."""
    value = part.get(field)
    return value if isinstance(value, dict) else {}


def with_replicas(manifest: PlainManifest, replicas: int, completions: int | None = None) -> PlainManifest:
    """The manifest with so many replicas, and of a Job so many completions; other kinds stay as they are."""
    field = REPLICAS_FIELD.get(str(manifest.get("kind")))
    if field is None:
        return manifest
    spec = {**(manifest.get("spec") or {}), field: replicas}
    if completions is not None:
        spec["completions"] = completions
    return {**manifest, "spec": spec}


def divided_completions(manifest: Mapping[str, Any], replicas: Mapping[str, int], uid: str = "") -> Assignment | None:
    """How many completions of a Job each cluster is to reach, in proportion to its replicas; None if it names none."""
    spec = manifest.get("spec") or {}
    completions = spec.get("completions") if manifest.get("kind") == "Job" else None
    if completions is None or not any(replicas.values()):
        return None
    return dispense_by_weight(completions, replicas, uid=uid)
