"""Whole manifests changed for one cluster, as its override policies say.

A policy's changes are small values.  Karmada makes those of a rule in the order: images, commands, arguments, labels,
annotations, texts within a manifest, and JSON patches last.  Which policies, and in which order, is
:func:`skyedge.layers.federation.policy.overrides_in_order`; what is done to an image, a list or a map is
:mod:`skyedge.layers.federation.overrides`.  A manifest is plain data (null, true, numbers, texts, lists, maps), and what is
given stays as it was.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import yaml

from skyedge.errors import InputError
from skyedge.layers.federation.objects import Cluster
from skyedge.layers.federation.overrides import (
    ImageOverride,
    Json,
    JsonPatch,
    Operator,
    apply_json_patch,
    override_image,
    override_list,
    override_map,
)
from skyedge.layers.federation.policy import OverridePolicy, Resource, overrides_in_order

PlainManifest = dict[str, Any]
Part = TypeVar("Part", list[Any], dict[str, Any])

POD_SPECS = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
} | dict.fromkeys(
    ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Job", "ReplicationController"), ("spec", "template", "spec")
)
"""Where the description of pods stands, by kind.  Karmada does not look into a ``CronJob``; its users would think so."""

CONTAINERS = ("initContainers", "containers")


@dataclass(frozen=True)
class ImageChange:
    """A change of the images of all containers, or of the one image that stands at ``path``, a JSON pointer."""

    override: ImageOverride
    path: str | None = None
    where: object = None


@dataclass(frozen=True)
class ListChange:
    """A change of the command, or of the arguments, of a container."""

    field: Literal["command", "args"]
    container: str
    operator: Operator
    value: tuple[str, ...]
    where: object = None


@dataclass(frozen=True)
class MapChange:
    """A change of the labels, or of the annotations, of the resource itself."""

    field: Literal["labels", "annotations"]
    operator: Operator
    value: Mapping[str, str]
    where: object = None


@dataclass(frozen=True)
class TextChange:
    """Changes within a text of the manifest that is JSON or YAML by itself; patches are seen from that text."""

    path: str
    form: Literal["JSON", "YAML"]
    patches: tuple[JsonPatch, ...]
    where: object = None


@dataclass(frozen=True)
class PatchChange:
    """One operation on the manifest."""

    patch: JsonPatch
    where: object = None


# Of each change ``where`` is the place that asked for it, for the sentence that says it cannot be made.
Change = ImageChange | ListChange | MapChange | TextChange | PatchChange

Changes = tuple[Change, ...]
"""What one rule of a policy does, in the order in which it is done."""


def overridden(
    manifest: PlainManifest, resource: Resource, cluster: Cluster, policies: Sequence[OverridePolicy[Changes]]
) -> tuple[PlainManifest, list[str]]:
    """The manifest for a cluster, and the names of the policies that had a say, in the order in which they did.

    Raises:
        InputError: if a change cannot be made, with the place where its policy asks for it.
    """
    result, names = copy.deepcopy(manifest), []
    for name, changes in overrides_in_order(resource, cluster, policies):
        for change in changes:
            result = changed(result, change, cluster.name)
        if name not in names:
            names.append(name)
    return result, names


def changed(manifest: PlainManifest, change: Change, cluster: str = "") -> PlainManifest:
    """The manifest after one change; what a change does not find in this kind of resource it leaves alone.

    Raises:
        InputError: if it cannot be made.
    """
    try:
        match change:
            case ImageChange(override, None):
                return _with_images(manifest, override)
            case ImageChange(override, path):
                return _replaced(manifest, path or "", lambda text: override_image(text, override))
            case ListChange():
                return _with_list(manifest, change)
            case MapChange():
                return _with_map(manifest, change)
            case TextChange():
                return _replaced(manifest, change.path, lambda text: _patched_text(text, change, manifest))
            case PatchChange():
                return _whole(apply_json_patch(manifest, [change.patch]))
    except InputError as error:
        meta = manifest.get("metadata")
        name = meta.get("name") if isinstance(meta, dict) else None
        who = f"{manifest.get('kind')} '{name}'{f' on {cluster}' if cluster else ''}"
        at = f" (at {error.where})" if error.where else ""
        message = f"this cannot be done to {who}: {error.message}{at}"
        raise InputError(message, where=change.where, nearest=error.nearest) from None


def pod_spec(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The part of a manifest that describes its pods, as it is and not a copy; None if its kind has none."""
    steps = POD_SPECS.get(str(manifest.get("kind")))
    part: Any = manifest if steps else None
    for step in steps or ():
        part = part.get(step) if isinstance(part, dict) else None
    return part if isinstance(part, dict) else None


def containers_of(spec: Mapping[str, Any], fields: Sequence[str] = CONTAINERS) -> Iterator[dict[str, Any]]:
    """The containers in ``fields`` of a description of pods."""
    for field in fields:
        containers = spec.get(field)
        for container in containers if isinstance(containers, list) else ():
            if isinstance(container, dict):
                yield container


def _whole(manifest: Json) -> PlainManifest:
    if not isinstance(manifest, dict):
        raise InputError("nothing would be left of the manifest")
    return manifest


def _with_images(manifest: PlainManifest, override: ImageOverride) -> PlainManifest:
    result = copy.deepcopy(manifest)
    for container in containers_of(pod_spec(result) or {}):
        if container.get("image"):
            container["image"] = override_image(str(container["image"]), override)
    return result


def _with_list(manifest: PlainManifest, change: ListChange) -> PlainManifest:
    result = copy.deepcopy(manifest)
    for container in containers_of(pod_spec(result) or {}, ("containers",)):
        if container.get("name") == change.container and (change.value and (change.field in container or _adds(change))):
            current = _as(list, container.get(change.field) or [], change.field)
            container[change.field] = override_list(current, change.operator, change.value)
    return result


def _with_map(manifest: PlainManifest, change: MapChange) -> PlainManifest:
    result = copy.deepcopy(manifest)
    meta = _as(dict, result.get("metadata") or {}, "metadata")
    if change.field in meta or _adds(change):
        current = _as(dict, meta.get(change.field) or {}, change.field)
        meta[change.field] = override_map(current, change.operator, change.value)
        result["metadata"] = meta
    return result


def _as(kind: type[Part], value: Json, what: str) -> Part:
    """What stands in a manifest, which an earlier patch may have put there, if it is of a kind."""
    if not isinstance(value, kind):
        raise InputError(f"'{what}' is no {'list' if kind is list else 'mapping'}")
    return value


def _adds(change: ListChange | MapChange) -> bool:
    return change.operator is Operator.ADD


def _replaced(manifest: PlainManifest, path: str, new: Callable[[str], str]) -> PlainManifest:
    """The manifest with ``new`` of the text that stands at ``path`` in its place."""
    part: Any = manifest
    for word in path.split("/")[1:]:
        word = word.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict) and word in part:
            part = part[word]
        elif isinstance(part, list) and word.isascii() and word.isdecimal() and int(word) < len(part):
            part = part[int(word)]
        else:
            raise InputError(f"there is no '{word}' here", where=path)
    if not path.startswith("/") or not isinstance(part, str):
        raise InputError("there is no text at this path", where=path)
    return _whole(apply_json_patch(manifest, [JsonPatch(Operator.REPLACE, path, new(part))]))


def _patched_text(text: str, change: TextChange, manifest: Mapping[str, Any]) -> str:
    """A text that is JSON or YAML after its patches; in the ``data`` of a Secret it is in base64, before and after."""
    encoded = manifest.get("kind") == "Secret" and change.path.startswith("/data/")
    if encoded:
        text = _decoded(text, change.path)
    if change.form == "JSON":
        try:
            document = json.loads(text)
        except ValueError as error:
            raise InputError(f"the text is not JSON: {error}", where=change.path) from None
        result = json.dumps(apply_json_patch(document, change.patches), separators=(",", ":"), ensure_ascii=False)
    else:
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            said = getattr(error, "problem", None) or "it cannot be read"
            raise InputError(f"the text is not YAML: {said}", where=change.path) from None
        result = yaml.safe_dump(apply_json_patch(document, change.patches), sort_keys=False, allow_unicode=True)
    return base64.b64encode(result.encode()).decode() if encoded else result


def _decoded(text: str, path: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InputError("the text is not base64 of a text", where=path) from None
