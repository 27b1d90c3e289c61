"""The cluster at one instant, as columns: what the scheduler reads and never writes.

Rows are put in the order in which ties are broken (nodes by name, pods and groups by age and then name, queues by age and
then name), so that a row number *is* the tie-breaker and the order of the input cannot matter.  Pods point to shapes;
there are far fewer shapes than pods, and all that is costly to know is known once a shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.scheduler.labels import LabelIndex, TaintIndex
from skyedge.layers.scheduler.objects import (
    NetworkTopology,
    PodShape,
    Taint,
)

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]

UNLIMITED = 1 << 60
"""Stands for no ceiling; sums of a few of these still fit."""


FIRST_RESOURCES = ("cpu", "memory", "pods")
CPU, MEMORY, PODS = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Nodes:
    """Columns of the nodes, in the order of their names."""

    names: tuple[str, ...]
    allocatable: Ints  # (nodes, resources)
    unschedulable: Flags
    labels: tuple[Mapping[str, str], ...]
    taints: tuple[tuple[Taint, ...], ...]
    devices: Ints  # (nodes, most devices on a node): thousandths of each GPU that can be shared, 0 where there is none
    device_model: tuple[str, ...]
    cpu_usage: NDArray[np.float64]  # measured share, NaN if not measured
    memory_usage: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def label_index(self) -> LabelIndex:
        """Labels as columns, made for those that are asked about."""
        return LabelIndex(self.labels, self.names)

    @cached_property
    def taint_index(self) -> TaintIndex:
        """Distinct sets of taints, with what a cordoned node counts as carrying."""
        return TaintIndex(self.taints, self.unschedulable)


@dataclass(frozen=True, eq=False)
class Pods:
    """Columns of the pods, in the order of (age, name)."""

    names: tuple[str, ...]
    shape: Rows
    group: Rows
    node: Rows  # -1: nowhere
    phase: NDArray[np.int8]
    priority: Ints
    created_s: NDArray[np.float64]
    preemptable: Flags
    may_preempt: Flags
    gated: Flags
    system_critical: Flags
    role: tuple[str, ...]
    labels: tuple[Mapping[str, str] | None, ...]
    revocable_zone: tuple[str, ...]
    devices: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Which devices of its node a pod holds, where that is known."""

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Groups:
    """Columns of the pod groups, in the order of (age, name)."""

    names: tuple[str, ...]
    queue: Rows
    min_member: Ints
    min_task_member: tuple[Mapping[str, int], ...]
    min_resources: Ints  # (groups, resources)
    has_min_resources: Flags
    phase: NDArray[np.int8]
    priority: Ints
    created_s: NDArray[np.float64]
    topology: tuple[NetworkTopology | None, ...]
    annotations: tuple[Mapping[str, str], ...]
    expected_s: NDArray[np.float64]  # NaN: not known
    started_s: NDArray[np.float64]  # NaN: not yet

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Queues:
    """Columns of the queues, in the order of (age, name)."""

    names: tuple[str, ...]
    weight: Ints
    priority: Ints
    open: Flags
    capability: Ints  # (queues, resources), UNLIMITED where nothing was said
    deserved: Ints  # 0 where nothing was said
    says_deserved: Flags  # (queues, resources)
    guarantee: Ints
    parent: Rows  # -1: none
    reclaimable: Flags
    hierarchy: tuple[tuple[tuple[str, float], ...], ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class HyperNodes:
    """Columns of the network domains, in the order of (tier, name)."""

    names: tuple[str, ...]
    tier: Ints
    parent: Rows  # -1: a root
    holds: Flags  # (domains, nodes): the nodes below each

    def __len__(self) -> int:
        return len(self.names)

    def lowest_common_ancestor(self, left: int, right: int) -> int:
        """The smallest domain that holds both, one of them perhaps, or -1 if there is none."""
        line = {left}
        while (left := int(self.parent[left])) >= 0:
            line.add(left)
        while right >= 0 and right not in line:
            right = int(self.parent[right])
        return right


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The cluster at one instant."""

    resources: tuple[str, ...]  # cpu, memory, pods, then the others by name
    nodes: Nodes
    shapes: tuple[PodShape, ...]
    request: Ints  # (shapes, resources); every pod takes one pod slot
    pods: Pods
    groups: Groups
    queues: Queues
    hypernodes: HyperNodes
    now_s: float = 0.0

    def amounts(self, row: Ints) -> dict[str, int]:
        """A row of resources by name, zeros left out."""
        return {name: int(amount) for name, amount in zip(self.resources, row, strict=True) if amount}
