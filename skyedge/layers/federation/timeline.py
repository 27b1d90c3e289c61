"""What happens when clusters fail, told row by row: detected, tainted, evicted, replaced, healthy, and what stays behind.

For one federation as it stands and failures that are made up; thousands of workloads at once are what
:mod:`skyedge.layers.federation.failover_loop` is for, which does the work here too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skyedge.layers.federation.failover_settings import SKYEDGE, FailoverSettings
from skyedge.layers.federation.objects import Cluster, Workload


@dataclass(frozen=True)
class Failure:
    """A cluster that is gone from ``at_s`` until ``until_s``; for good by default."""

    cluster: str
    at_s: float = 0.0
    until_s: float = math.inf


@dataclass(frozen=True)
class TimelineRow:
    """One thing that happened.

    Attributes:
        at_s: when, on the clock of the failures.
        event: ``down``, ``detected``, ``tainted``, ``evicted``, ``nowhere``, ``replaced``, ``started``, ``healthy``,
            ``deleted``, ``kept``, ``up`` or ``recovered``.
        cluster: where.
        workload: NAMESPACE/NAME; empty if it is about the cluster itself.
        replicas: how many; 0 if it is about the cluster itself.
        words: a sentence for a reader.
    """

    at_s: float
    event: str
    cluster: str
    workload: str
    replicas: int
    words: str


def failover_timeline(
    clusters: Sequence[Cluster],
    workloads: Sequence[Workload],
    placements: Mapping[str, Mapping[str, int]],
    failures: Sequence[Failure],
    settings: FailoverSettings = SKYEDGE,
    *,
    seed: int = 0,
) -> tuple[TimelineRow, ...]:
    """What happens, in the order of time.

    Args:
        clusters: all of the federation, as before the failures; their pools hold what is left beside ``placements``.
        workloads: those that run.
        placements: replicas by name of the workload and of the cluster.
        failures: what fails when.
        settings: who answers, and how; see :mod:`skyedge.layers.federation.failover_settings`.
        seed: keys the moments at which reports are due and how long containers take to start.

    Raises:
        InputError: if a failure names no cluster, or ends before it begins.
    """
    raise NotImplementedError
