"""What a scheduled pool is asked to run: bursts of pictures, and jobs that arrive beside them.

Jobs beside the bursts (training, evaluation) arrive at random, at a stated mean distance, and last as long as a log-normal
says; both come from a stream of their own, so that they are the same in every arm of a seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from skyedge.layers.scheduler import Configuration
from skyedge.layers.scheduler.objects import Node, PodShape, Queue
from skyedge.streams import stream
from skyedge.time import SECOND, Instant

GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class BurstRules:
    """How pictures become pods.

    Args:
        pictures_per_pod: at most.
        shape: of a pod.
        gpu_share: of one device that a pod has; a picture takes the service's seconds divided by it.
        start_us: from being bound to the first picture: container, weights.
        queue: in which bursts wait.
        priority: of bursts.
    """

    pictures_per_pod: int
    shape: PodShape
    gpu_share: float
    start_us: int
    queue: str
    priority: int


@dataclass(frozen=True)
class JobKind:
    """A kind of job that arrives beside the bursts.

    Args:
        name: unique at the site; keys the random stream.
        kind: ``training`` or ``evaluation``.
        every_us: mean time between two.
        pods: of a job.
        min_member: pods that must run at once for any to make headway.
        shape: of a pod.
        duration_us: median of the work of a pod.
        spread: sigma of the log-normal around it; all pods of a job last equally long.
        start_us: from being bound to the first work.
        checkpoint_us: how often work is put away; what is done since is lost with the pod.  0: all of it is.
        queue: in which jobs wait.
        priority: of jobs.
    """

    name: str
    kind: str
    every_us: int
    pods: int
    min_member: int
    shape: PodShape
    duration_us: int
    spread: float
    start_us: int
    checkpoint_us: int
    queue: str
    priority: int

    def arrivals(self, seed: int, site: str, start: Instant, end: Instant) -> list[tuple[Instant, int]]:
        """When each job of a run arrives, and how long a pod of it works, microseconds."""
        draws, at, jobs = stream(seed, f"{site}/{self.name}", "jobs"), float(start), list[tuple[Instant, int]]()
        while True:
            at += draws.exponential(self.every_us)
            if at >= end:
                return jobs
            work = self.duration_us * math.exp(self.spread * draws.standard_normal())
            jobs.append((int(at), max(SECOND, round(work))))


@dataclass(frozen=True)
class Site:
    """The cluster of one site and the rules by which it is shared.

    Args:
        nodes: machines.
        queues: tenants.
        configuration: the scheduler's.
        burst: how pictures become pods.
        background: jobs that arrive beside them.
        period_us: a cycle runs at the next multiple of this after something has happened.
        termination_us: how long a pod that is sent away still holds its place.
    """

    nodes: tuple[Node, ...]
    queues: tuple[Queue, ...]
    configuration: Configuration
    burst: BurstRules
    background: tuple[JobKind, ...]
    period_us: int
    termination_us: int

    def gpus(self) -> float:
        """Devices of all nodes."""
        return sum(node.allocatable.get(GPU, 0) for node in self.nodes) / 1000
