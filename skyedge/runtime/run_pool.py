"""Many independent runs on many cores: each (arm, seed) of an experiment is one job.

Jobs with the same *group* (a seed: its scenes are rendered once) go to the same worker while they last, so that a
worker's memory serves them all.  Results come back as they finish; a worker that dies costs its job one retry.

A worker is dealt a job when it says that it is there.  In a busy cluster some workers wait for a free core, and a job
dealt to one of those would wait with it while the others fall idle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from skyedge.errors import RayUnavailable, SkyedgeError
from skyedge.runtime.ray_cluster import reason_of


@dataclass(frozen=True, eq=False)
class Job:
    """Arguments of one call, the group whose jobs like to share a worker, and what to call it before the user."""

    group: Hashable
    arguments: tuple[Any, ...]
    name: str = ""


class WorkerLost(SkyedgeError):
    """A job took its worker down with it more than once."""


def run_here(function: Callable[..., Any], jobs: Sequence[Job]) -> Generator[tuple[Job, Any], None, None]:
    """Run ``jobs`` in this process, one after the other."""
    for job in jobs:
        yield job, function(*job.arguments)


class _Worker:
    """A process that calls functions; module-level caches live as long as it does."""

    def is_there(self) -> None:
        """Answers when the process runs."""

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


def run_on_ray(
    ray: Any, function: Callable[..., Any], jobs: Sequence[Job], workers: int, *, patience_s: float = 120.0
) -> Generator[tuple[Job, Any], None, None]:
    """Run ``jobs`` on up to ``workers`` Ray actors, one core each; pairs of job and result in order of completion.

    Args:
        ray: the module, joined to a cluster.
        function: called in a worker with the arguments of a job.
        jobs: what to call it with.
        workers: at most this many at once, and no more than the cluster has cores.
        patience_s: how long the cluster may take to give a core while no job is running.

    Raises:
        RayUnavailable: if the cluster has no core for a worker, or does not give one.
        WorkerLost: if a job's worker died twice.  What a job itself raises is raised here.
    """
    if not jobs:
        return
    cores = int(ray.cluster_resources().get("CPU", 0))
    if cores < 1:
        raise RayUnavailable("the cluster has no core to run on (num_cpus is 0 on every machine); a worker needs one")
    pool = _Pool(ray, function, jobs, patience_s)
    try:
        for _ in range(min(workers, len(jobs), cores)):
            pool.hire()
        while pool.left:
            finished = pool.wait()
            if finished is not None:
                yield finished
    finally:
        pool.dismiss()


class _Pool:
    """The workers of one call of :func:`run_on_ray`: who is coming, who does what, and what is left."""

    def __init__(self, ray: Any, function: Callable[..., Any], jobs: Sequence[Job], patience_s: float) -> None:
        self._ray = ray
        self._actor_class = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._function = ray.put(function)
        self._queue = JobQueue(jobs)
        self._again: deque[Job] = deque()
        self._deaths: dict[Job, int] = {}
        self._coming: dict[Any, Any] = {}
        self._running: dict[Any, tuple[Any, Job]] = {}
        self._patience_s = patience_s
        self._failed_starts = 0
        self.left = len(jobs)

    def hire(self) -> None:
        """Ask for one more worker."""
        worker = self._actor_class.remote()
        self._coming[worker.is_there.remote()] = worker

    def wait(self) -> tuple[Job, Any] | None:
        """Wait until something happens; a job and its result if a job was finished."""
        patience = None if self._running else self._patience_s
        ready, _ = self._ray.wait([*self._running, *self._coming], num_returns=1, timeout=patience)
        if not ready:
            free = int(self._ray.available_resources().get("CPU", 0))
            cores = int(self._ray.cluster_resources().get("CPU", 0))
            raise RayUnavailable(
                f"no worker has started within {patience:.0f} s: {free} of the cluster's {cores} cores are free"
            )
        reference = ready[0]
        if reference in self._coming:
            self._greet(self._coming.pop(reference), reference)
            return None
        worker, job = self._running.pop(reference)
        exceptions = self._ray.exceptions
        try:
            result = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, SkyedgeError) else error) from None
        except exceptions.RayError as error:
            self._bury(job, error)
            return None
        self.left -= 1
        self._deal(worker, job.group)
        return job, result

    def _greet(self, worker: Any, reference: Any) -> None:
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            # Such as a machine that lacks the package, or one that was lost while the worker started.
            self._failed_starts += 1
            if self._failed_starts > 3:
                raise WorkerLost(f"workers do not start: {reason_of(error)}") from None
            self.hire()
            return
        self._failed_starts = 0
        self._deal(worker, None)

    def _bury(self, job: Job, error: Exception) -> None:
        self._deaths[job] = self._deaths.get(job, 0) + 1
        if self._deaths[job] > 1:
            raise WorkerLost(
                f"{job.name or job.group}: its worker died twice ({reason_of(error)}); "
                "if memory is short, fewer workers at once need less"
            )
        self._again.append(job)
        self.hire()

    def _deal(self, worker: Any, group: Hashable | None) -> None:
        job = self._again.popleft() if self._again else self._queue.next_for(group)
        if job is None:
            self._ray.kill(worker)
        else:
            self._running[worker.call.remote(self._function, job.arguments)] = (worker, job)

    def dismiss(self) -> None:
        """End every worker, at work or not: a cluster that was there before gets its cores back."""
        for worker in [*self._coming.values(), *(worker for worker, _ in self._running.values())]:
            self._ray.kill(worker)
