"""From manifests to the nodes of a snapshot, the GPUs that they can share, and the network domains that hold them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from skyedge.errors import nearest
from skyedge.kube import Manifest, Manifests
from skyedge.kube.cluster import Node as NodeManifest
from skyedge.kube.volcano import HyperNode as HyperNodeManifest
from skyedge.kube.volcano import Member
from skyedge.layers.scheduler.labels import meets_all
from skyedge.layers.scheduler.objects import THOUSANDTHS, HyperNode, Node, Taint
from skyedge.layers.scheduler.reading.shapes import (
    GPU_MEMORY,
    GPU_NUMBER,
    PER_DEVICE,
    VGPU_MEMORY,
    VGPU_NUMBER,
    selector_term,
)

ARCHITECTURE_LABEL = "kubernetes.io/arch"
MODEL_LABELS = ("nvidia.com/gpu.product", "amd.com/gpu.product-name", "accelerator")
COUNT_LABEL = "nvidia.com/gpu.count"
VGPU_REGISTER = "volcano.sh/node-vgpu-register"
"""Annotation in which Volcano's device plugin lists the GPUs of a node: ``ID,parts,MiB,model,…`` with colons between."""


def read_nodes(manifests: Manifests) -> tuple[list[Node], int | None, list[str]]:
    """The nodes; the least memory of a GPU that any of them can share, in MiB; warnings."""
    nodes, warnings, memories = [], [], set()
    for manifest in manifests.of(NodeManifest):
        node = manifest.object
        status, name = node.status, node.metadata.name
        allocatable = status.capacity if status.allocatable is None else status.allocatable
        if not allocatable:
            warnings.append(f"{manifest.place()}: the node '{name}' has no status.allocatable, so nothing fits on it")
        count, memory = _devices(manifest)
        if memory:
            memories.add(memory)
        labels = node.metadata.labels
        if status.node_info.architecture and ARCHITECTURE_LABEL not in labels:
            labels = {**labels, ARCHITECTURE_LABEL: status.node_info.architecture}
        ready = next((condition.status for condition in status.conditions if condition.type == "Ready"), "True")
        nodes.append(
            Node(
                name=name,
                allocatable={resource: amount for resource, amount in allocatable.items() if resource not in PER_DEVICE},
                labels=labels,
                taints=tuple(Taint(taint.key, taint.value, taint.effect) for taint in node.spec.taints),
                unschedulable=node.spec.unschedulable or ready != "True",
                device_count=count,
                device_model=next((labels[key] for key in MODEL_LABELS if key in labels), ""),
            )
        )
    if len(memories) > 1:
        warnings.append(
            f"GPUs have from {min(memories)} to {max(memories)} MiB; parts of one are reckoned by {min(memories)}"
        )
    return nodes, min(memories, default=None), warnings


def _devices(manifest: Manifest[NodeManifest]) -> tuple[int, int]:
    """How many GPUs of a node can be shared, and the MiB of the smallest; zero if it does not say."""
    node = manifest.object
    register = node.metadata.annotations.get(VGPU_REGISTER, "")
    listed = [entry.split(",") for entry in register.split(":") if entry]
    if listed and all(len(entry) > 2 and entry[2].isdecimal() for entry in listed):
        return len(listed), min(int(entry[2]) for entry in listed)
    if listed:
        raise manifest.error(
            ("metadata", "annotations", VGPU_REGISTER), "this should list GPUs as 'ID,parts,MiB,model' with colons between"
        )
    has = node.status.allocatable or node.status.capacity
    count, memory = has.get(GPU_NUMBER, 0) // THOUSANDTHS, has.get(GPU_MEMORY, 0) // THOUSANDTHS
    if not count and VGPU_NUMBER in has:
        said = node.metadata.labels.get(COUNT_LABEL, "")
        count = int(said) if said.isdecimal() else has[VGPU_NUMBER] // THOUSANDTHS
        memory = has.get(VGPU_MEMORY, 0) // THOUSANDTHS
    return (count, memory // count) if count else (0, 0)


def read_hypernodes(manifests: Manifests, nodes: Sequence[Node]) -> list[HyperNode]:
    """The network domains, with the names of their members.

    Raises:
        InputError: for a member that is not there, a pattern that is none, or domains within one another in a circle.
    """
    labels = {node.name: node.labels for node in nodes}
    given = manifests.of(HyperNodeManifest)
    tiers = {manifest.object.metadata.name: manifest.object.spec.tier for manifest in given}
    holder: dict[str, str] = {}
    return [_hypernode(manifest, labels, tiers, holder) for manifest in given]


def _hypernode(
    manifest: Manifest[HyperNodeManifest],
    labels: Mapping[str, Mapping[str, str]],
    tiers: Mapping[str, int],
    holder: dict[str, str],
) -> HyperNode:
    """A domain; ``holder`` remembers for each that is within another which one that is."""
    spec, name = manifest.object.spec, manifest.object.metadata.name
    nodes: dict[str, None] = {}
    hypernodes: dict[str, None] = {}
    for number, member in enumerate(spec.members):
        if member.type == "Node":
            nodes |= dict.fromkeys(_members(manifest, number, member, sorted(labels), labels))
            continue
        below = [other for other in sorted(tiers) if other != name or member.selector.exact_match]
        for other in _members(manifest, number, member, below, {}):
            if tiers[other] >= spec.tier:
                what = "itself" if other == name else f"'{other}' of tier {tiers[other]}"
                path = ("spec", "members", number, "selector")
                raise manifest.error(path, f"'{name}' of tier {spec.tier} cannot hold {what}: domains are of a lower tier")
            if holder.setdefault(other, name) != name:
                raise manifest.error(("spec", "members", number), f"'{other}' is within '{holder[other]}' already")
            hypernodes[other] = None
    return HyperNode(name, spec.tier, tuple(sorted(nodes)), tuple(sorted(hypernodes)))


def _members(
    manifest: Manifest[HyperNodeManifest],
    number: int,
    member: Member,
    names: Sequence[str],
    labels: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Those of ``names`` that a member's selector means."""
    path, selector = ("spec", "members", number, "selector"), member.selector
    kind = "node" if member.type == "Node" else "hypernode"
    if selector.exact_match is not None:
        wanted = selector.exact_match.name
        if wanted not in names:
            where = (*path, "exactMatch", "name")
            raise manifest.error(where, f"there is no {kind} '{wanted}'", nearest(wanted, names))
        return [wanted]
    if selector.regex_match is not None:
        try:
            pattern = re.compile(selector.regex_match.pattern)
        except re.error as error:
            what = f"'{selector.regex_match.pattern}' is not a pattern: {error}"
            raise manifest.error((*path, "regexMatch", "pattern"), what) from None
        return [name for name in names if pattern.search(name)]
    term = selector_term(selector.label_match)
    return [name for name in names if meets_all(term, labels[name])]
