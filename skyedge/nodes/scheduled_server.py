"""Pictures looked at in a cluster that training and evaluation share: a batch scheduler says who runs where and when.

The pictures of a transfer are a job of as many pods as they fill, once the last of them has landed; jobs of other kinds
arrive beside them.  After something has arrived, ended or gone, a cycle of :mod:`skyedge.layers.scheduler` runs at the next
multiple of its period.  A pod that it binds starts, works and ends; the pictures of a pod are answered when it ends.  A pod
that it evicts holds its place for the time of termination and waits anew, with what it had put away.  A gang of which fewer
run than must gives back the rest, too.

Every site is a cluster of its own with a scheduler of its own: pictures are looked at where they are.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from skyedge.events import After, Effect, Inferred, Items, Record
from skyedge.layers.scheduler import schedule, take_snapshot
from skyedge.layers.scheduler.objects import GroupPhase, Pod, PodGroup, PodPhase, PodShape
from skyedge.nodes.answering import AtWork, ModelService
from skyedge.nodes.workload import GPU, Site
from skyedge.time import FOREVER, SECOND, Instant


@dataclass(eq=False)
class _Pod:
    """A pod of a job, the ``number``-th; ``attempt`` counts how often it was sent away."""

    name: str
    number: int
    left_us: int
    pictures: Items | None = None
    phase: PodPhase = PodPhase.PENDING
    node: str | None = None
    begun_at: Instant = 0
    attempt: int = 0


@dataclass(eq=False)
class _Job:
    name: str
    kind: str
    shape: PodShape
    queue: str
    priority: int
    min_member: int
    start_us: int
    checkpoint_us: int
    arrived_at: Instant
    pods: list[_Pod]
    phase: GroupPhase = GroupPhase.PENDING
    started_at: Instant = FOREVER
    ended_at: Instant = FOREVER
    evictions: int = 0

    @property
    def gpus(self) -> float:
        return dict(self.shape.request).get(GPU, 0) / 1000

    def alive(self) -> int:
        """Pods that run or have ended."""
        return sum(pod.phase in (PodPhase.RUNNING, PodPhase.SUCCEEDED) for pod in self.pods)


@dataclass
class _Sums:
    """What the devices did, in device-microseconds, and what happened."""

    used: float = 0.0
    lost: float = 0.0
    evictions: int = 0
    cycles: int = 0


@dataclass(frozen=True)
class _Leaving:
    """A pod that was sent away and still holds its place."""

    pod: Pod
    job: str
    gpus: float
    since: Instant


class ScheduledServer:
    """Serves pictures in pods, as the scheduler of the site has it.

    Args:
        node: the node that it is part of.
        service: the model, and what a picture costs one whole device; replicas do not count.
        site: the cluster and its rules.
        seed: of the run.
        start: of the run.
        end: of it.
    """

    def __init__(self, node: str, service: ModelService, site: Site, *, seed: int, start: Instant, end: Instant) -> None:
        self._node = node
        self._service = service
        self._site = site
        self._start = start
        self._at_work = AtWork(service)
        self._jobs: dict[str, _Job] = {}
        self._ended: list[_Job] = []
        self._leaving: dict[str, _Leaving] = {}
        self._numbers = dict.fromkeys(("burst", *(kind.name for kind in site.background)), 0)
        self._agenda: list[tuple[Instant, int, str, tuple[Any, ...]]] = []
        self._count = 0
        self._cycle_at: Instant = FOREVER
        self._woken_at: Instant = FOREVER
        self._held = 0
        self._sums = _Sums()
        self._served: list[NDArray[np.int64]] = []
        for number, kind in enumerate(site.background):
            for at, work_us in kind.arrivals(seed, node, start, end):
                self._at(at, "arrives", number, work_us)

    # ------------------------------------------------------------------------------------------ the node's side

    def begin(self, now: Instant) -> Sequence[Effect]:
        """Look out for the first job."""
        return self._wake_up(now)

    def take(self, pictures: Items, now: Instant) -> Sequence[Effect]:
        """Make a job of ``pictures`` when all have landed."""
        if not len(pictures):
            return []
        self._held += len(pictures)
        self._at(max(int(pictures.at.max()), now), "landed", pictures)
        return self._wake_up(now)

    def wake(self, now: Instant) -> Sequence[Effect]:
        """Let happen what was to happen."""
        if now >= self._woken_at:
            self._woken_at = FOREVER
        effects: list[Effect] = []
        while self._agenda and self._agenda[0][0] <= now:
            _, _, what, about = heapq.heappop(self._agenda)
            effects += self._REACTIONS[what](self, now, *about)
        return [*effects, *self._wake_up(now)]

    def finish(self, answer: Inferred) -> tuple[Items, NDArray[np.float32]]:
        """See :class:`~skyedge.nodes.answering.PictureServer`."""
        return self._at_work.finish(answer)

    def next_finish(self) -> Instant | None:
        """When something may happen to a picture."""
        times = [self._at_work.next_finish(), self._agenda[0][0] if self._held and self._agenda else None]
        return min((at for at in times if at is not None), default=None)

    def end(self, now: Instant) -> Sequence[Effect]:
        """What the cluster did, and a row for each job."""
        for job in self._jobs.values():
            running = [pod for pod in job.pods if pod.phase is PodPhase.RUNNING]
            self._sums.used += sum(job.gpus * (now - pod.begun_at) for pod in running)
        for leaving in self._leaving.values():
            self._sums.used += leaving.gpus * (now - leaving.since)
        jobs = [*self._ended, *self._jobs.values()]
        figures = {
            "gpus": self._site.gpus(),
            "gpu_used_s": self._sums.used / SECOND,
            "gpu_lost_s": self._sums.lost / SECOND,
            "evictions": self._sums.evictions,
            "cycles": self._sums.cycles,
            "unfinished": self._held,
        }
        effects: list[Effect] = [Record("pools", {"pool": self._node, **figures})]
        if self._served:
            arrived, finished = np.concatenate(self._served, axis=1)
            effects.append(Record("served", {"pool": self._node, "arrived_us": arrived, "finished_us": finished}))
        if jobs:
            columns: dict[str, Any] = {
                "pool": self._node,
                "kind": np.array([job.kind for job in jobs], "U10"),
                **{
                    name: np.array([getattr(job, name) for job in jobs], np.int64)
                    for name in ("arrived_at", "started_at", "ended_at", "evictions")
                },
                "pods": np.array([len(job.pods) for job in jobs], np.int64),
            }
            effects.append(Record("jobs", columns))
        return effects

    # ------------------------------------------------------------------------------------------ what happens

    def _land(self, now: Instant, pictures: Items) -> list[Effect]:
        """Pictures become a job of pods, in order of arrival."""
        rules = self._site.burst
        ordered = pictures.take(np.argsort(pictures.at, kind="stable"))
        each = self._service.seconds_per_scene / rules.gpu_share * SECOND
        name = self._name("burst")
        pods: list[_Pod] = []
        for first in range(0, len(ordered), rules.pictures_per_pod):
            part = ordered.take(np.arange(first, min(first + rules.pictures_per_pod, len(ordered))))
            pods.append(_Pod(f"{name}-{len(pods):04d}", len(pods), max(1, round(each * len(part))), part))
        self._enter(_Job(name, "burst", rules.shape, rules.queue, rules.priority, 1, rules.start_us, 0, now, pods), now)
        return []

    def _arrive(self, now: Instant, number: int, work_us: int) -> list[Effect]:
        """A job of another kind arrives."""
        kind = self._site.background[number]
        name = self._name(kind.name)
        pods = [_Pod(f"{name}-{pod:04d}", pod, work_us) for pod in range(kind.pods)]
        of_kind = (kind.kind, kind.shape, kind.queue, kind.priority, kind.min_member, kind.start_us, kind.checkpoint_us)
        self._enter(_Job(name, *of_kind, now, pods), now)
        return []

    def _end_pod(self, now: Instant, job_name: str, number: int, attempt: int) -> list[Effect]:
        """A pod has done its work, unless it was sent away before."""
        job = self._jobs.get(job_name)
        if job is None or job.pods[number].attempt != attempt:
            return []
        pod, effects = job.pods[number], list[Effect]()
        pod.phase, pod.node = PodPhase.SUCCEEDED, None
        self._sums.used += job.gpus * (now - pod.begun_at)
        if pod.pictures is not None:
            done = np.full(len(pod.pictures), now, np.int64)
            self._held -= len(done)
            self._served.append(np.stack([pod.pictures.at, done]))
            joules = self._service.joules_per_scene * len(done)
            effects.append(self._at_work.look(pod.pictures.moved(done)))
            effects.append(Record("energy", {"node": self._node, "purpose": "inference", "joules": joules}))
        if all(other.phase is PodPhase.SUCCEEDED for other in job.pods):
            job.ended_at = now
            self._ended.append(self._jobs.pop(job_name))
        self._ask_for_cycle(now)
        return effects

    def _release(self, now: Instant, name: str) -> list[Effect]:
        """A pod that was sent away is gone."""
        leaving = self._leaving.pop(name)
        self._sums.used += leaving.gpus * (now - leaving.since)
        self._ask_for_cycle(now)
        return []

    def _cycle(self, now: Instant) -> list[Effect]:
        """Ask the scheduler, if anything waits, and do as it says."""
        self._cycle_at = FOREVER
        pods = {pod.name: (job, pod) for job in self._jobs.values() for pod in job.pods}
        if not any(pod.phase is PodPhase.PENDING for _, pod in pods.values()):
            return []
        self._sums.cycles += 1
        snapshot = take_snapshot(
            self._site.nodes, self._pods(), self._groups(), self._site.queues, now_s=(now - self._start) / SECOND
        )
        decision = schedule(snapshot, self._site.configuration)
        for name, phase in decision.phases().items():
            self._jobs[name].phase = phase
        for name in decision.evicted():
            self._send_away(*pods[name], now)
        # What is left of a gang that is too small makes no headway, and would only hold its place.
        broken = {pods[name][0].name: pods[name][0] for name in decision.evicted()}
        for job in broken.values():
            if job.alive() < job.min_member:
                job.phase = GroupPhase.INQUEUE
                for pod in job.pods:
                    if pod.phase is PodPhase.RUNNING:
                        self._send_away(job, pod, now)
        for name, node in decision.binds():
            job, pod = pods[name]
            pod.phase, pod.node, pod.begun_at = PodPhase.RUNNING, node, now
            self._at(now + job.start_us + pod.left_us, "ends", job.name, pod.number, pod.attempt)
            if job.started_at == FOREVER and job.alive() >= job.min_member:
                job.started_at = now
        return []

    _REACTIONS: ClassVar[dict[str, Callable[..., list[Effect]]]] = {
        "landed": _land,
        "arrives": _arrive,
        "ends": _end_pod,
        "gone": _release,
        "cycle": _cycle,
    }

    # ------------------------------------------------------------------------------------------ within

    def _send_away(self, job: _Job, pod: _Pod, now: Instant) -> None:
        """A running pod waits anew; what it had not put away is lost."""
        assert pod.node is not None
        worked = max(0, now - pod.begun_at - job.start_us)
        kept = worked // job.checkpoint_us * job.checkpoint_us if job.checkpoint_us else 0
        self._sums.used += job.gpus * (now - pod.begun_at)
        self._sums.lost += job.gpus * (now - pod.begun_at - kept)
        self._sums.evictions += 1
        job.evictions += 1
        if self._site.termination_us:
            name = f"{pod.name}.{pod.attempt}"
            gone = Pod(name, job.name, job.shape, PodPhase.RELEASING, pod.node, priority=job.priority)
            self._leaving[name] = _Leaving(gone, job.name, job.gpus, now)
            self._at(now + self._site.termination_us, "gone", name)
        else:
            self._ask_for_cycle(now)
        pod.left_us -= kept
        pod.attempt += 1
        pod.phase, pod.node = PodPhase.PENDING, None

    def _pods(self) -> Iterator[Pod]:
        for job in self._jobs.values():
            created_s = (job.arrived_at - self._start) / SECOND
            for pod in job.pods:
                yield Pod(pod.name, job.name, job.shape, pod.phase, pod.node, priority=job.priority, created_s=created_s)
        yield from (leaving.pod for leaving in self._leaving.values() if leaving.job in self._jobs)

    def _groups(self) -> Iterator[PodGroup]:
        for job in self._jobs.values():
            started_s = None if job.started_at == FOREVER else (job.started_at - self._start) / SECOND
            yield PodGroup(
                job.name,
                job.queue,
                job.min_member,
                phase=job.phase,
                priority=job.priority,
                created_s=(job.arrived_at - self._start) / SECOND,
                expected_s=(job.start_us + max(pod.left_us for pod in job.pods)) / SECOND,
                started_s=started_s,
            )

    def _enter(self, job: _Job, now: Instant) -> None:
        self._jobs[job.name] = job
        self._ask_for_cycle(now)

    def _name(self, kind: str) -> str:
        self._numbers[kind] += 1
        return f"{self._node}/{kind}-{self._numbers[kind]:06d}"

    def _at(self, at: Instant, what: str, *about: Any) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (at, self._count, what, about))

    def _ask_for_cycle(self, now: Instant) -> None:
        """At the next multiple of the period, and once for all that happens until then."""
        if self._cycle_at == FOREVER:
            self._cycle_at = (now // self._site.period_us + 1) * self._site.period_us
            self._at(self._cycle_at, "cycle")

    def _wake_up(self, now: Instant) -> list[Effect]:
        at = max(self._agenda[0][0], now) if self._agenda else FOREVER
        if at >= self._woken_at:
            return []
        self._woken_at = at
        return [After(at, "pool")]
