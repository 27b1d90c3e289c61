"""Taking a snapshot: from one object for each thing to the columns of :mod:`skyedge.layers.scheduler.columns`.

Names become row numbers here, and a name that is there twice or points to nothing is found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.columns import (
    FIRST_RESOURCES,
    PODS,
    UNLIMITED,
    Groups,
    HyperNodes,
    Ints,
    Nodes,
    Pods,
    Queues,
    Rows,
    Snapshot,
)
from skyedge.layers.scheduler.objects import (
    THOUSANDTHS,
    Amounts,
    HyperNode,
    Node,
    Pod,
    PodGroup,
    PodPhase,
    PodShape,
    Queue,
    distinct_shapes,
)

COUNTABLE = 1 << 62

MOST_DEVICES = 4096
"""Devices of one node that pods can share parts of."""


def take_snapshot(
    nodes: Iterable[Node],
    pods: Iterable[Pod],
    groups: Iterable[PodGroup],
    queues: Iterable[Queue],
    hypernodes: Iterable[HyperNode] = (),
    *,
    now_s: float = 0.0,
) -> Snapshot:
    """Columns from objects.

    Raises:
        InputError: for a name that is there twice, or one that points to nothing.
    """
    node_list = sorted(nodes, key=lambda node: node.name)
    pod_list = sorted(pods, key=lambda pod: (pod.created_s, pod.name))
    group_list = sorted(groups, key=lambda group: (group.created_s, group.name))
    queue_list = sorted(queues, key=lambda queue: (queue.created_s, queue.name))
    node_row = _rows_by_name("node", [node.name for node in node_list])
    group_row = _rows_by_name("pod group", [group.name for group in group_list])
    queue_row = _rows_by_name("queue", [queue.name for queue in queue_list])
    _rows_by_name("pod", [pod.name for pod in pod_list])

    shapes, numbers = distinct_shapes(pod_list)
    shape_of_pod = np.array(numbers, np.intp)
    resources = _resource_names(node_list, shapes, group_list, queue_list)
    column = {name: number for number, name in enumerate(resources)}
    request = (
        np.stack([_row(dict(shape.request), column) for shape in shapes]) if shapes else np.zeros((0, len(column)), np.int64)
    )
    request[:, PODS] = THOUSANDTHS
    snapshot = Snapshot(
        resources=resources,
        nodes=_node_columns(node_list, column),
        shapes=shapes,
        request=request,
        pods=_pod_columns(pod_list, shape_of_pod, group_row, node_row),
        groups=_group_columns(group_list, queue_row, column),
        queues=_queue_columns(queue_list, queue_row, column),
        hypernodes=_hypernode_columns(sorted(hypernodes, key=lambda h: (h.tier, h.name)), node_row),
        now_s=now_s,
    )
    _refuse_sums_beyond_counting(snapshot)
    return snapshot


def _refuse_sums_beyond_counting(snapshot: Snapshot) -> None:
    """Each amount can be held, and so must what all nodes have, and all pods ask for, together."""
    asked = np.bincount(snapshot.pods.shape, minlength=len(snapshot.shapes)) @ snapshot.request.astype(np.float64)
    for who, total in (("nodes", snapshot.nodes.allocatable.sum(axis=0, dtype=np.float64)), ("pods", asked)):
        for name, amount in zip(snapshot.resources, total.tolist(), strict=True):
            if amount >= COUNTABLE:
                raise InputError(f"the {name} of all {who} together is more than can be counted")


def _rows_by_name(kind: str, names: Sequence[str]) -> dict[str, int]:
    rows = {name: number for number, name in enumerate(names)}
    if len(rows) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(f"the {kind} '{twice}' is there twice")
    return rows


def _row_of(kind: str, name: str, rows: Mapping[str, int], *, by: str) -> int:
    try:
        return rows[name]
    except KeyError:
        raise InputError(f"{by} names the {kind} '{name}', which is not there", nearest=nearest(name, rows)) from None


def _resource_names(
    nodes: Sequence[Node], shapes: Sequence[PodShape], groups: Sequence[PodGroup], queues: Sequence[Queue]
) -> tuple[str, ...]:
    names: set[str] = set()
    for amounts in {id(node.allocatable): node.allocatable for node in nodes}.values():
        names.update(amounts)
    for shape in shapes:
        names.update(name for name, _ in shape.request)
    for group in groups:
        names.update(group.min_resources or ())
    for queue in queues:
        for said in (queue.capability, queue.deserved, queue.guarantee):
            names.update(said or ())
    return (*FIRST_RESOURCES, *sorted(names.difference(FIRST_RESOURCES)))


def _row(amounts: Amounts, column: Mapping[str, int], absent: int = 0) -> Ints:
    row = np.full(len(column), absent, np.int64)
    for name, amount in amounts.items():
        row[column[name]] = amount
    return row


def _rows(many: Sequence[Amounts], column: Mapping[str, int]) -> Ints:
    table = np.zeros((len(many), len(column)), np.int64)
    for number, amounts in enumerate(many):
        for name, amount in amounts.items():
            table[number, column[name]] = amount
    return table


def _node_columns(nodes: Sequence[Node], column: Mapping[str, int]) -> Nodes:
    most = max((node.device_count for node in nodes), default=0)
    if most > MOST_DEVICES:
        name = next(node.name for node in nodes if node.device_count == most)
        raise InputError(
            f"node '{name}' has {most:,} devices to share, and {MOST_DEVICES:,} is the most that are kept count of"
        )
    devices = np.zeros((len(nodes), most), np.int64)
    for number, node in enumerate(nodes):
        devices[number, : node.device_count] = THOUSANDTHS
    allocatable = _rows([node.allocatable for node in nodes], column)
    says_pods = np.fromiter(("pods" in node.allocatable for node in nodes), np.bool_, len(nodes))
    allocatable[~says_pods, PODS] = UNLIMITED >> 20  # a node that does not count its pods takes any number of them
    return Nodes(
        names=tuple(node.name for node in nodes),
        allocatable=allocatable,
        unschedulable=np.fromiter((node.unschedulable for node in nodes), np.bool_, len(nodes)),
        labels=tuple(node.labels for node in nodes),
        taints=tuple(node.taints for node in nodes),
        devices=devices,
        device_model=tuple(node.device_model for node in nodes),
        cpu_usage=_figures([node.cpu_usage for node in nodes]),
        memory_usage=_figures([node.memory_usage for node in nodes]),
    )


def _pod_columns(pods: Sequence[Pod], shape: Rows, group_row: Mapping[str, int], node_row: Mapping[str, int]) -> Pods:
    many = len(pods)
    groups, nodes = np.empty(many, np.intp), np.full(many, -1, np.intp)
    for number, pod in enumerate(pods):
        row = group_row.get(pod.group)
        groups[number] = _row_of("pod group", pod.group, group_row, by=f"pod '{pod.name}'") if row is None else row
        if pod.node is not None:
            nodes[number] = _row_of("node", pod.node, node_row, by=f"pod '{pod.name}'")
    phase = np.fromiter((pod.phase for pod in pods), np.int8, many)
    # A pod that waits for its kubelet holds its place.
    phase[(phase == PodPhase.PENDING) & (nodes >= 0)] = PodPhase.BOUND
    return Pods(
        names=tuple(pod.name for pod in pods),
        shape=shape,
        group=groups,
        node=nodes,
        phase=phase,
        priority=np.fromiter((pod.priority for pod in pods), np.int64, many),
        created_s=np.fromiter((pod.created_s for pod in pods), np.float64, many),
        preemptable=np.fromiter((pod.preemptable for pod in pods), np.bool_, many),
        may_preempt=np.fromiter((pod.may_preempt for pod in pods), np.bool_, many),
        gated=np.fromiter((pod.gated for pod in pods), np.bool_, many),
        system_critical=np.fromiter((pod.system_critical for pod in pods), np.bool_, many),
        role=tuple(pod.role for pod in pods),
        labels=tuple(pod.labels for pod in pods),
        revocable_zone=tuple(pod.revocable_zone for pod in pods),
    )


def _group_columns(groups: Sequence[PodGroup], queue_row: Mapping[str, int], column: Mapping[str, int]) -> Groups:
    many = len(groups)
    queues = [_row_of("queue", group.queue, queue_row, by=f"pod group '{group.name}'") for group in groups]
    return Groups(
        names=tuple(group.name for group in groups),
        queue=np.array(queues, np.intp),
        min_member=np.fromiter((group.min_member for group in groups), np.int64, many),
        min_task_member=tuple(group.min_task_member for group in groups),
        min_resources=_rows([group.min_resources or {} for group in groups], column),
        has_min_resources=np.fromiter((group.min_resources is not None for group in groups), np.bool_, many),
        phase=np.fromiter((group.phase for group in groups), np.int8, many),
        priority=np.fromiter((group.priority for group in groups), np.int64, many),
        created_s=np.fromiter((group.created_s for group in groups), np.float64, many),
        topology=tuple(group.topology for group in groups),
        annotations=tuple(group.annotations for group in groups),
        expected_s=_figures([group.expected_s for group in groups]),
        started_s=_figures([group.started_s for group in groups]),
    )


def _queue_columns(queues: Sequence[Queue], queue_row: Mapping[str, int], column: Mapping[str, int]) -> Queues:
    many = len(queues)
    parents = [
        -1 if queue.parent is None else _row_of("queue", queue.parent, queue_row, by=f"queue '{queue.name}'")
        for queue in queues
    ]
    for queue, first in zip(queues, parents, strict=True):
        above, steps = first, 0
        while above >= 0:
            above, steps = parents[above], steps + 1
            if steps > many:
                raise InputError(f"the parents of queue '{queue.name}' go round in a circle")
    says = np.zeros((many, len(column)), np.bool_)
    for number, queue in enumerate(queues):
        for name in queue.deserved or ():
            says[number, column[name]] = True
    empty = np.zeros((0, len(column)), np.int64)
    return Queues(
        names=tuple(queue.name for queue in queues),
        weight=np.fromiter((queue.weight for queue in queues), np.int64, many),
        priority=np.fromiter((queue.priority for queue in queues), np.int64, many),
        open=np.fromiter((queue.open for queue in queues), np.bool_, many),
        capability=np.stack([_row(q.capability or {}, column, UNLIMITED) for q in queues]) if queues else empty,
        deserved=_rows([queue.deserved or {} for queue in queues], column),
        says_deserved=says,
        guarantee=_rows([queue.guarantee or {} for queue in queues], column),
        parent=np.array(parents, np.intp),
        reclaimable=np.fromiter((queue.reclaimable for queue in queues), np.bool_, many),
        hierarchy=tuple(queue.hierarchy for queue in queues),
    )


def _hypernode_columns(hypernodes: Sequence[HyperNode], node_row: Mapping[str, int]) -> HyperNodes:
    row = _rows_by_name("hypernode", [hypernode.name for hypernode in hypernodes])
    holds = np.zeros((len(hypernodes), len(node_row)), np.bool_)
    parent = np.full(len(hypernodes), -1, np.intp)
    # Lower tiers come first, so that a domain's parts are complete when they are joined.
    for number, hypernode in enumerate(hypernodes):
        for name in hypernode.nodes:
            holds[number, _row_of("node", name, node_row, by=f"hypernode '{hypernode.name}'")] = True
        for name in hypernode.hypernodes:
            below = _row_of("hypernode", name, row, by=f"hypernode '{hypernode.name}'")
            if hypernodes[below].tier >= hypernode.tier:
                tiers = f"of tier {hypernode.tier} cannot hold '{name}' of tier {hypernodes[below].tier}"
                raise InputError(f"hypernode '{hypernode.name}' {tiers}")
            if parent[below] >= 0:
                raise InputError(f"hypernode '{name}' is in both '{hypernodes[parent[below]].name}' and '{hypernode.name}'")
            parent[below] = number
            holds[number] |= holds[below]
    tier = np.fromiter((hypernode.tier for hypernode in hypernodes), np.int64, len(hypernodes))
    return HyperNodes(tuple(row), tier, parent, holds)


def _figures(values: Sequence[float | None]) -> NDArray[Any]:
    return np.fromiter((np.nan if value is None else value for value in values), np.float64, len(values))
