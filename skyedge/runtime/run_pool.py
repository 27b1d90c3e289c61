"""Many independent runs on many cores: each (arm, seed) of an experiment is one job.

Jobs with the same *group* (a seed: its scenes are rendered once) go to the same worker while they last, so that a
worker's memory serves them all.  Results come back as they finish; a worker that dies costs its job one retry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from skyedge.errors import SkyedgeError


@dataclass(frozen=True)
class Job:
    """Arguments of one call, and the group whose jobs like to share a worker."""

    group: Hashable
    arguments: tuple[Any, ...]


class WorkerLost(SkyedgeError):
    """A job took its worker down with it more than once."""


def run_here(function: Callable[..., Any], jobs: Sequence[Job]) -> Iterator[tuple[Job, Any]]:
    """Run ``jobs`` in this process, one after the other."""
    for job in jobs:
        yield job, function(*job.arguments)


class _Worker:
    """A process that calls functions; module-level caches live as long as it does."""

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        return function(*arguments)


class JobQueue:
    """Jobs in order, dealt so that a worker keeps its group as long as there is work in it."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._groups: dict[Hashable, deque[Job]] = {}
        for job in jobs:
            self._groups.setdefault(job.group, deque()).append(job)
        self._owned: dict[Hashable, int] = dict.fromkeys(self._groups, 0)

    def next_for(self, group: Hashable | None) -> Job | None:
        """The next job for a worker whose last job was of ``group``: the same group, else the one that the fewest
        workers are on (ties: the most jobs left, then the order given)."""
        if not self._groups:
            return None
        if group not in self._groups:
            group = min(self._groups, key=lambda name: (self._owned[name], -len(self._groups[name])))
            self._owned[group] += 1
        job = self._groups[group].popleft()
        if not self._groups[group]:
            del self._groups[group]
        return job


def run_on_ray(ray: Any, function: Callable[..., Any], jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Any]]:
    """Run ``jobs`` on ``workers`` Ray actors; pairs of job and result in order of completion.

    Raises:
        WorkerLost: if a job's worker died twice.  What a job itself raises is raised here.
    """
    actor_class = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
    queue = JobQueue(jobs)
    shared = ray.put(function)
    retries: dict[int, int] = {}
    running: dict[Any, tuple[Any, Job]] = {}

    def submit(worker: Any, job: Job) -> None:
        running[worker.call.remote(shared, job.arguments)] = (worker, job)

    for _ in range(min(workers, len(jobs))):
        job = queue.next_for(None)
        if job is not None:
            submit(actor_class.remote(), job)
    while running:
        (reference,), _ = ray.wait(list(running), num_returns=1)
        worker, job = running.pop(reference)
        try:
            result = ray.get(reference)
        except ray.exceptions.RayActorError as error:
            retries[id(job)] = retries.get(id(job), 0) + 1
            if retries[id(job)] > 1:
                raise WorkerLost(f"the worker of job {job.group} died twice: {error}") from None
            submit(actor_class.remote(), job)
            continue
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, SkyedgeError) else error) from None
        following = queue.next_for(job.group)
        if following is not None:
            submit(worker, following)
        yield job, result
