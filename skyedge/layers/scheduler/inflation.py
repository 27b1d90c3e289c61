"""How well a policy packs GPUs: pods come one at a time and never leave, until more is asked for than there is.

The experiment of Weng et al. (USENIX ATC 2023): the pods of a trace come in a seeded shuffle, then further pods, drawn
from the trace with a seed, until the GPUs asked for reach a multiple of the cluster's.  A pod that fits nowhere is
refused.  What counts is the share of all GPUs that is allocated, at each whole percent of demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import CPU
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.fragmentation import Fragmentation, Workload, class_of, target_workload
from skyedge.layers.scheduler.objects import THOUSANDTHS, Node, PodShape
from skyedge.layers.scheduler.openb import Trace
from skyedge.layers.scheduler.packing import Packer, with_arguments
from skyedge.layers.scheduler.session import Session
from skyedge.streams import stream

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Packing:
    """What came of it.

    Attributes:
        demand_milli: what had been asked for when each pod came, itself included, (pods,), in thousandths of a GPU.
        allocated_milli: what was allocated when it had been served, (pods,).
        node: where it went, (pods,); -1 for refused.
        cluster_milli: the whole cluster.
        unallocated_milli, fragmented_milli: at the end; the second is of no use to the target workload.
    """

    demand_milli: Ints
    allocated_milli: Ints
    node: NDArray[np.intp]
    cluster_milli: int
    unallocated_milli: int
    fragmented_milli: float

    @property
    def refused(self) -> int:
        """Pods that fitted nowhere."""
        return int((self.node < 0).sum())

    def allocation_percent(self) -> dict[int, float]:
        """Share of the cluster's GPUs that is allocated when the demand has come to each whole percent of them."""
        percents = np.arange(1, int(self.demand_milli[-1] * 100 // self.cluster_milli) + 1)
        rows = np.searchsorted(self.demand_milli, percents * self.cluster_milli / 100.0 - 1e-6)
        allocated = 100.0 * self.allocated_milli[rows] / self.cluster_milli
        return dict(zip(percents.tolist(), allocated.tolist(), strict=True))


def arrivals(trace: Trace, demand: float, seed: int) -> Ints:
    """Pods of the trace, by number, in the order in which they come: enough to ask for ``demand`` times the cluster.

    Raises:
        InputError: if the cluster has no GPUs or no pod asks for any.
    """
    asked = trace.device_milli()
    if not trace.gpus:
        raise InputError("no node of this list has a GPU, so there is no multiple of them", where=trace.node_file)
    if not asked.any():
        raise InputError("no pod of this list asks for a GPU, so no demand can be reached", where=trace.pod_file)
    wanted = demand * trace.gpus * THOUSANDTHS
    order = stream(seed, "openb", "shuffle").permutation(len(trace))
    draw = stream(seed, "openb", "further pods")
    while asked[order].sum() < wanted:
        order = np.concatenate([order, draw.integers(0, len(trace), size=len(trace))])
    come = int(np.searchsorted(asked[order].cumsum(), wanted - 1e-6)) + 1
    return np.asarray(order[:come], np.int64)


def pack(nodes: Sequence[Node], shapes: Sequence[PodShape], configuration: Configuration, target: Workload) -> Packing:
    """Serve pods in order under a policy; ``target`` is the workload that fragmentation is measured for."""
    packer = Packer(nodes, shapes, configuration)
    asked = np.array([shape.device_count * shape.device_milli for shape in shapes], np.int64)
    node = np.full(len(shapes), -1, np.intp)
    for pod in range(len(shapes)):
        row = packer.place(pod)
        if row is not None:
            node[pod] = row
    return Packing(
        demand_milli=asked.cumsum(),
        allocated_milli=np.where(node >= 0, asked, 0).cumsum(),
        node=node,
        cluster_milli=int(packer.session.snapshot.nodes.devices.sum()),
        unallocated_milli=int(packer.session.devices_free.sum()),
        fragmented_milli=float(fragments(packer.session, target).sum()),
    )


def fragments(session: Session, target: Workload) -> Floats:
    """Fragmentation of each node as things stand in ``session``, (nodes,), in thousandths of a GPU."""
    names = session.snapshot.nodes.device_model
    models = sorted(set(names))
    number = np.array([models.index(name) for name in names], np.intp)
    return Fragmentation(target, models).of(session.idle[CPU], session.devices_free, number)


def pack_trace(trace: Trace, configuration: Configuration, demand: float, seed: int) -> Packing:
    """The experiment for one policy and one seed.

    The target workload is that of the trace's own list, whatever was drawn from it.

    Raises:
        InputError: as :func:`arrivals`, or for a plugin that is not known.
    """
    target = target_workload(class_of(shape) for shape in trace.shapes)
    seeded = with_arguments(
        configuration, {"fgd": {"workload": target}, "random": {"seed": seed}, "seeded-ties": {"seed": seed}}
    )
    return pack(trace.nodes, [trace.shapes[pod] for pod in arrivals(trace, demand, seed)], seeded, target)
