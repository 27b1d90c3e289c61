"""Cases about what overrides make of images, lists, maps and texts, alone and within a manifest."""

from __future__ import annotations

from typing import Any

from skyedge.layers.federation import images, manifest_overrides, overrides

from .objects import Answer, Given, resource_from
from .placement import MEMBER, read_written


def image_override(given: Given) -> Answer:
    """Images after a change; where a kind keeps its containers is no matter of names."""
    override = overrides.ImageOverride(
        overrides.ImageComponent(given["component"]),
        overrides.Operator(given["operator"]),
        given.get("value") or "",
        given["only_container"],
    )
    return {"images": overrides.override_images(given["images"], override)}


def list_override(given: Given) -> Answer:
    """Commands or arguments after a change."""
    operator = overrides.Operator(given["operator"])
    changed = [
        {**one, "list": overrides.override_list(one["list"], operator, given["value"])}
        if one["name"] == given["container_name"]
        else dict(one)
        for one in given["containers"]
    ]
    return {"containers": changed}


def map_override(given: Given) -> Answer:
    """Labels or annotations after changes."""
    result = given["current"]
    for one in given["overriders"]:
        result = overrides.override_map(result, overrides.Operator(one["operator"]), one["value"])
    return {"result": result}


def image_parse(given: Given) -> Answer:
    """The parts of a name."""
    image = images.parse_image(given["image"])
    return {"registry": image.registry, "repository": image.repository, "tag": image.tag, "digest": image.digest}


def image_split(given: Given) -> Answer:
    """Registry and repository."""
    registry, repository = images.split_registry(given["image"])
    return {"registry": registry, "repository": repository}


def manifest_with(kind: str, containers: list[Any]) -> manifest_overrides.PlainManifest:
    """A manifest of a kind whose pods have these containers."""
    manifest: manifest_overrides.PlainManifest = {"kind": kind, "metadata": {"name": "it"}}
    part = manifest
    for step in manifest_overrides.POD_SPECS[kind]:
        part = part.setdefault(step, {})
    part["containers"] = containers
    return manifest


def containers_in(manifest: manifest_overrides.PlainManifest) -> list[dict[str, Any]]:
    """Its containers."""
    return list(manifest_overrides.containers_of(manifest_overrides.pod_spec(manifest) or {}))


def manifest_image_override(given: Given) -> Answer:
    """Images within a manifest after a change."""
    change = manifest_overrides.ImageChange(
        overrides.ImageOverride(
            overrides.ImageComponent(given["component"]), overrides.Operator(given["operator"]), given["value"], None
        ),
        given["path"],
    )
    manifest = manifest_with(given["kind"], [{"name": "c", "image": image} for image in given["images"]])
    changed = manifest_overrides.changed(manifest, change)
    return {"images": [container["image"] for container in containers_in(changed)]}


def manifest_list_override(given: Given) -> Answer:
    """Commands and arguments within a manifest after a change."""
    change = manifest_overrides.ListChange(
        given["field"], given["container_name"], overrides.Operator(given["operator"]), tuple(given["value"])
    )
    changed = manifest_overrides.changed(manifest_with(given["kind"], list(given["containers"])), change)
    return {"containers": containers_in(changed)}


def text_override(given: Given) -> Answer:
    """A text within a manifest after patches of what it says."""
    patches = tuple(
        overrides.JsonPatch(overrides.Operator(one["operator"]), one["path"], one["value"]) for one in given["patches"]
    )
    change = manifest_overrides.TextChange(f"/data/{given['key']}", given["form"], patches)
    manifest = {"kind": "ConfigMap", "metadata": {"name": "it"}, "data": {given["key"]: given["text"]}}
    return {"text": manifest_overrides.changed(manifest, change)["data"][given["key"]]}


def overridden_manifest(given: Given) -> Answer:
    """What a cluster is told of a manifest, and which policies had a say in it."""
    cluster = {**MEMBER, "metadata": {"name": given["cluster"]}}
    reading = read_written(cluster, *given["policies"])
    manifest, (member,) = given["manifest"], reading.clusters
    named = {key: manifest["metadata"][key] for key in ("name", "namespace") if key in manifest["metadata"]}
    resource = resource_from({"api_version": manifest["apiVersion"], "kind": manifest["kind"], **named})
    changed, names = manifest_overrides.overridden(manifest, resource, member, reading.overrides)
    return {"manifest": changed, "applied": list(names)}
