"""Autoscalers at work: how many replicas workloads are to have, by the clock and by what their clusters measure.

Each cluster's measurement counts by the replicas that it has now.  A file shows one moment, so that nothing is remembered of
moments before: windows against flapping hold nothing back, and the pace is that of one look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skyedge.layers.federation.autoscaling import FederatedAutoscaler, Reading
from skyedge.layers.federation.objects import Workload
from skyedge.layers.federation.reading.autoscalers import Scaler
from skyedge.layers.federation.reading.clocks import Clock, Target
from skyedge.layers.federation.reading.resources import key_of
from skyedge.layers.federation.room import flavour_of


@dataclass(frozen=True)
class Scaled:
    """What an autoscaler, or a clock, said of a workload.

    Attributes:
        row: of the workload.
        before, after: replicas that its manifest wants, and that there are to be.
        why: in words.
    """

    row: int
    scaler: str
    before: int
    after: int
    why: str


def scaled_workloads(
    workloads: Sequence[Workload], scalers: Sequence[Scaler], clocks: Mapping[Target, Clock]
) -> tuple[list[Workload], list[Scaled]]:
    """The workloads with the replicas that clocks and then autoscalers want, and what was said, in their order."""
    by_target = {scaler.target: scaler for scaler in scalers}
    result, said = list(workloads), []
    for row, workload in enumerate(workloads):
        resource = workload.resource
        wanted = clocks.get(Target(resource.kind, resource.namespace, resource.name), Clock()).replicas
        if wanted is not None:
            said.append(Scaled(row, wanted.by, workload.replicas, wanted.value, wanted.why))
            result[row] = workload = replace(workload, replicas=wanted.value)
        scaler = by_target.get(key_of(resource))
        if scaler is None:
            continue
        advice = FederatedAutoscaler(scaler.rules).look(0.0, workload.replicas, _readings(workload, scaler))
        said.append(Scaled(row, scaler.name, workload.replicas, advice.replicas, advice.why))
        result[row] = replace(workload, replicas=advice.replicas)
    return result, said


def _readings(workload: Workload, scaler: Scaler) -> list[list[Reading]]:
    """Of each target, what the clusters measure on which the workload runs."""
    request = dict(flavour_of(workload.shape).request)
    readings = []
    for resource, measured in zip(scaler.resources, scaler.measured_percent, strict=True):
        requested = [
            (name, percent, pods, float(pods * request.get(resource, 0)))
            for name, percent in sorted(measured.items())
            if (pods := workload.scheduled.get(name, 0))
        ]
        readings.append([Reading(name, percent / 100 * asked, pods, asked) for name, percent, pods, asked in requested])
    return readings
