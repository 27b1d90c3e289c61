"""Who leaves clusters that are being drained, as the files say it: those who have somewhere else to go.

A cluster in the phase ``Draining`` takes nothing new.  What runs there goes only if all of it finds a place elsewhere; what
does not, stays, and is told: a drain never takes the last copy away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.membership import TAINTS, Phase
from skyedge.layers.federation.objects import Workload
from skyedge.layers.federation.placing import place
from skyedge.layers.scheduler.labels import tolerates

BEING_DRAINED = "is being drained"


@dataclass(frozen=True)
class Stuck:
    """A workload that has to leave a cluster, and has nowhere to go.

    Attributes:
        row: of the workload.
        replicas: that stay.
        why: nothing else takes them.
    """

    row: int
    cluster: str
    replicas: int
    why: str


def leave_draining(
    federation: Federation, workloads: Sequence[Workload], draining: Collection[str]
) -> tuple[list[Workload], list[Stuck]]:
    """The workloads, kept from the clusters that they leave, and who is stuck where.

    Args:
        federation: with the taints of phases.
        workloads: with what they run.
        draining: clusters whose phase drives workloads out.
    """
    result, stuck = list(workloads), []
    (taint,) = (one for one in TAINTS[Phase.DRAINING] if one.effect == "NoExecute")
    # One that tolerates the taint stays, as its author has it; one that does so for a while is told when it has to go.
    concerned = [
        row
        for row, workload in enumerate(workloads)
        if any(name in draining for name in workload.scheduled) and not tolerates(workload.rules.tolerations, taint)
    ]
    tried = []
    for row in concerned:
        workload = workloads[row]
        left = {name: BEING_DRAINED for name in sorted(draining) if name in workload.scheduled}
        tried.append(replace(workload, barred={**workload.barred, **left}))
    placements = place(federation, tried) if tried else None
    for number, row in enumerate(concerned):
        assert placements is not None
        if placements.placed[number]:
            result[row] = tried[number]
            continue
        for name in sorted(set(draining) & set(workloads[row].scheduled)):
            stuck.append(Stuck(row, name, workloads[row].scheduled[name], placements.reason(number)))
    return result, stuck
