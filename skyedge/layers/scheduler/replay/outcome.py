"""What goes into a replay, jobs, and what comes out of it: columns of the jobs and figures over all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.scheduler.objects import PodShape, Queue

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Job:
    """A gang of pods.

    Args:
        duration_s: how long it runs once it has started; infinite for ever.
        min_member: pods without which it cannot run; all of them with None.
        expected_s: how long it is thought to run, for EASY backfill; its duration with None.
    """

    name: str
    arrival_s: float
    duration_s: float
    pods: tuple[PodShape, ...]
    queue: str = "default"
    min_member: int | None = None
    priority: int = 0
    expected_s: float | None = None

    @property
    def needed(self) -> int:
        """Pods that must hold a place for the job to run."""
        return len(self.pods) if self.min_member is None else self.min_member


@dataclass(frozen=True, eq=False)
class Replay:
    """What came of a stream of jobs.

    Attributes:
        jobs: in the order of (arrival, name), as are the columns below.
        start_s, end_s: when each started for the last time, and when it ended; NaN if it did not.
        node: of each pod, job after job, where it was last placed; -1 for nowhere.
        span_s: from the first arrival to the last event.
        gpu_allocation, cpu_allocation: mean share of the cluster's that was allocated over the span; NaN if it has none.
        fragmentation: mean share of the cluster's GPUs that was unallocated and of no use to the target workload.
        queue_share: of each queue, mean share of the cluster that it held: of GPUs if there are any, else of CPU.
        placements: pods placed; ``cycles``: times that the scheduler was asked.
        evictions: pods sent away for others; ``deadlocks``: times that jobs locked each other out.
        given_up: jobs that could not start though they were alone; ``impossible``: jobs too large for the cluster.
    """

    jobs: tuple[Job, ...]
    queues: tuple[Queue, ...]
    start_s: Floats
    end_s: Floats
    node: NDArray[np.intp]
    span_s: float
    gpu_allocation: float
    cpu_allocation: float
    fragmentation: float
    queue_share: Floats
    placements: int
    cycles: int
    evictions: int
    deadlocks: int
    given_up: int
    impossible: int

    @property
    def arrival_s(self) -> Floats:
        """When each job came."""
        return np.array([job.arrival_s for job in self.jobs])

    @property
    def queueing_s(self) -> Floats:
        """How long each job that started had waited."""
        waited = self.start_s - self.arrival_s
        return waited[~np.isnan(waited)]

    @property
    def completion_s(self) -> Floats:
        """How long it took from arrival to end, of each job that ended."""
        took = self.end_s - self.arrival_s
        return took[~np.isnan(took)]

    @property
    def makespan_s(self) -> float:
        """From the first arrival to the last end."""
        return float(np.nanmax(self.end_s) - self.arrival_s.min()) if len(self.completion_s) else 0.0

    @property
    def fairness(self) -> float:
        """Jain's index of what queues held ÷ their weight, over those with jobs: 1 if all are alike, 1/n if one has all.

        (R. Jain, D. Chiu, W. Hawe, 1984.)
        """
        asking = {job.queue for job in self.jobs}
        pairs = zip(self.queue_share, self.queues, strict=True)
        held = np.array([share / queue.weight for share, queue in pairs if queue.name in asking])
        squares = float((held**2).sum())
        return float(held.sum()) ** 2 / (len(held) * squares) if squares else 1.0

    def figures(self) -> dict[str, float | int | None]:
        """All figures by name, with units; None where there is nothing to measure."""
        queueing, completion = self.queueing_s, self.completion_s
        makespan_s = self.makespan_s
        return {
            "allocation_percent": _known(100 * self.gpu_allocation),
            "cpu_allocation_percent": _known(100 * self.cpu_allocation),
            "fragmentation_percent": _known(100 * self.fragmentation),
            "queueing_mean_s": _mean(queueing),
            "queueing_p95_s": _p95(queueing),
            "completion_mean_s": _mean(completion),
            "completion_p95_s": _p95(completion),
            "fairness": self.fairness,
            "makespan_s": makespan_s,
            "jobs_per_hour": len(completion) * 3600 / makespan_s if makespan_s else None,
            "jobs": len(self.jobs),
            "started": len(queueing),
            "finished": len(completion),
            "never_started": len(self.jobs) - len(queueing),
            "impossible": self.impossible,
            "given_up": self.given_up,
            "deadlocks": self.deadlocks,
            "evictions": self.evictions,
            "placements": self.placements,
            "cycles": self.cycles,
        }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _p95(values: Floats) -> float | None:
    return float(np.percentile(values, 95)) if len(values) else None
