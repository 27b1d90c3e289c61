"""What the metadata of a group say: nearness, promised waiting times, and whether it may be preempted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from skyedge.errors import InputError
from skyedge.kube import Manifest
from skyedge.kube.metadata import Metadata
from skyedge.kube.shape import Shape
from skyedge.kube.volcano import NetworkTopology as NetworkTopologyManifest
from skyedge.layers.scheduler.objects import NetworkTopology
from skyedge.layers.scheduler.plugins.sla import waiting_time_s
from skyedge.layers.scheduler.reading.shapes import said

PREEMPTABLE = "volcano.sh/preemptable"
ALLOCATED_HYPERNODE = "volcano.sh/job-allocated-hypernode"
WAITING_TIMES = ("sla-waiting-time", "volcano.sh/sla-waiting-time")

_SAYS = {"": True, "true": True, "false": False}

Object = TypeVar("Object", bound=Shape)


def topology_of(given: NetworkTopologyManifest | None, metadata: Metadata) -> NetworkTopology | None:
    """How near the pods of a group must be, and where some of them are."""
    if given is None:
        return None
    allocated = metadata.annotations.get(ALLOCATED_HYPERNODE) or None
    return NetworkTopology(given.mode, given.highest_tier_allowed, allocated)


def duration_s(text: str, manifest: Manifest[Object], *path: str | int) -> float | None:
    """Seconds of a duration, None for none.

    Raises:
        InputError: with its place, if it is none above zero.
    """
    if not text:
        return None
    try:
        return waiting_time_s(text, "")
    except InputError:
        raise manifest.error(path, f"'{text}' is not a duration above zero, such as 1h30m") from None


def checked_annotations(manifest: Manifest[Object]) -> Mapping[str, str]:
    """Annotations of a group, and its label on preemption, which means the same."""
    metadata: Metadata = manifest.object.metadata  # type: ignore[attr-defined]
    for key in WAITING_TIMES:
        if key in metadata.annotations:
            duration_s(metadata.annotations[key] or "0s", manifest, "metadata", "annotations", key)
    preemptable(metadata, manifest, "metadata")
    label = metadata.labels.get(PREEMPTABLE)
    return metadata.annotations if label is None else {PREEMPTABLE: label, **metadata.annotations}


def preemptable(metadata: Metadata, manifest: Manifest[Object], *path: str | int) -> bool:
    """Whether a pod may be sent away; unless it says no, it may.

    Raises:
        InputError: for a word that is neither true nor false; ``path`` leads to the metadata.
    """
    word = said(metadata, PREEMPTABLE)
    answer = _SAYS.get(word.lower())
    if answer is None:
        of = "annotations" if PREEMPTABLE in metadata.annotations else "labels"
        raise manifest.error((*path, of, PREEMPTABLE), f"this should be true or false, not '{word}'")
    return answer
