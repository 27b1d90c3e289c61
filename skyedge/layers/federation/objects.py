"""What a federation is told about: clusters, their taints, and what puts up with them.

Conditions on labels are those of the batch scheduler: a cluster is labelled and tainted as a node is, with a time added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from skyedge.layers.scheduler import objects as node_objects


@dataclass(frozen=True)
class Taint(node_objects.Taint):
    """What keeps workloads off a cluster (``NoSchedule``) or drives them away (``NoExecute``)."""

    added_at_s: float | None = None


@dataclass(frozen=True)
class Toleration(node_objects.Toleration):
    """A taint that a workload puts up with, for so many seconds after it was added, or (None) for ever."""

    toleration_s: float | None = None


@dataclass(frozen=True)
class Cluster:
    """A member of a federation; an empty provider or region is not known."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    provider: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()
