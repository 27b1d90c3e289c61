"""What are several schedulers over one cluster worth, when each decides on its own copy and commits are optimistic?

One backlog of gangs is dealt over the schedulers.  In each round all of them look at the same view, decide about a batch of
their own, and commit; what lost its place to another is a conflict and is tried again.  If the schedulers ran side by side
a round would last as long as the busiest of them decides, so the *speed-up* is the pods that were placed ÷ the sum over
rounds of the most that one scheduler decided about: modelled on pods alike in cost, and blind to what taking a view and
committing cost.  See :mod:`skyedge.layers.scheduler.shared_state`.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field

from skyedge.experiment.study_subject import Findings, Metric, Series, Subject
from skyedge.layers.scheduler.columns import Snapshot
from skyedge.layers.scheduler.configuration import Configuration, tiers_of
from skyedge.layers.scheduler.objects import Node, Pod, PodGroup, PodShape, Queue
from skyedge.layers.scheduler.shared_state import schedule_shared
from skyedge.layers.scheduler.snapshot import take_snapshot
from skyedge.profiles import Part
from skyedge.streams import stream

GIB = 1 << 30
GANG_SIZES = (1, 2, 4, 8, 16)
POD_CORES = (1, 2, 4, 8)


class SharedSchedulersParameters(Part):
    """A cluster, a backlog, and who shares it."""

    nodes: int = Field(default=100, ge=1, le=20_000)
    cores: int = Field(default=64, ge=8, le=1024, description="Of a node.")
    memory_gib_per_core: int = Field(default=4, ge=1, le=64, description="Of a node; a pod asks for half of it.")
    demand: float = Field(default=1.05, gt=0, le=10, description="Cores asked for ÷ cores of the cluster.")
    schedulers: int = Field(default=1, ge=1, le=256)
    sharding: Literal["none", "soft", "hard"] = Field(
        default="none", description="Whether a scheduler prefers its own share of the nodes, or keeps to it."
    )
    batch_pods: int = Field(default=100, ge=1, le=10**6, description="A scheduler decides about so many, then commits.")
    node_order: Literal["binpack", "nodeorder"] = Field(default="binpack", description="Pack, or spread.")


class SharedSchedulers(Subject):
    """Schedules a backlog by several schedulers."""

    Parameters = SharedSchedulersParameters
    metrics = {  # noqa: RUF012 - a class attribute of the protocol, never changed
        "speed_up": Metric("speed-up", "×"),
        "efficiency": Metric("of what as many could do", "%"),
        "conflicts": Metric("conflicts", "", "less"),
        "conflict_share": Metric("of all tries", "%", "less"),
        "rounds": Metric("rounds", "", "less"),
        "busiest_pods": Metric("pods of the busiest", "", "less"),
        "placed": Metric("pods placed", "%"),
    }

    def run(self, parameters: SharedSchedulersParameters, seed: int) -> Findings:
        """Schedule the backlog of a seed until nothing more finds a place."""
        snapshot = backlog(parameters, seed)
        policy = Configuration(("allocate",), tiers_of(("gang",), ("predicates", parameters.node_order)))
        shared = schedule_shared(
            snapshot, policy, parameters.schedulers, sharding=parameters.sharding, batch_pods=parameters.batch_pods
        )
        placed, decided = len(shared.decision.bound_pods), sum(shared.busiest)
        speed_up = placed / decided if decided else math.nan
        figures = {
            "speed_up": speed_up,
            "efficiency": speed_up / parameters.schedulers,
            "conflicts": float(sum(shared.conflicts)),
            "conflict_share": shared.conflict_share(),
            "rounds": float(shared.rounds),
            "busiest_pods": float(decided),
            "placed": placed / len(snapshot.pods),
        }
        rounds = np.arange(1, shared.rounds + 1)
        return Findings(figures, {"The busiest of each round": Series(rounds, shared.busiest, "round", "pods", steps=True)})


def backlog(parameters: SharedSchedulersParameters, seed: int) -> Snapshot:
    """Gangs of 1 to 16 pods of 1 to 8 cores, as many as the demand takes, on empty nodes; neither the number of schedulers
    nor how they share has a say in it."""
    memory = parameters.memory_gib_per_core * GIB
    has = {"cpu": parameters.cores * 1000, "memory": parameters.cores * memory}
    nodes = [Node(f"node-{number:05d}", has) for number in range(parameters.nodes)]
    wanted = parameters.demand * parameters.nodes * parameters.cores
    draw = stream(seed, "shared-schedulers", "gangs")
    groups, pods = list[PodGroup](), list[Pod]()
    while wanted > 0:
        size, cores = int(draw.choice(GANG_SIZES)), int(draw.choice(POD_CORES))
        shape = PodShape((("cpu", cores * 1000), ("memory", cores * memory // 2)))
        group = PodGroup(f"gang-{len(groups):06d}", "default", size)
        groups.append(group)
        pods += [Pod(f"{group.name}-{worker:02d}", group.name, shape) for worker in range(size)]
        wanted -= size * cores
    return take_snapshot(nodes, pods, groups, [Queue("default")])
