"""A stream of jobs on a cluster in virtual time, under a scheduling policy.

A job is a gang of pods.  It starts when ``min_member`` of its pods hold a place and ends its duration later, with all of
its pods; what its pods hold until it starts, they hold for nothing.  The scheduler is asked at the end of every interval
in which something came or went.

Without gangs jobs can lock each other out: nothing runs, pods of several jobs hold what the others wait for, and nothing
more can be placed.  Such a deadlock is counted and, after a timeout, broken: the youngest holder gives back what it has
and waits until some other job has started.  A job that holds all that it can get, alone, and cannot start is given up.

A job of which too few pods would fit even an empty cluster is not let in, and counted as impossible.

A pod that is evicted waits again.  If its job is left with fewer than ``min_member`` pods, the job stops, loses its work,
gives back the rest, and waits again with its old age.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.fragmentation import class_of, target_workload
from skyedge.layers.scheduler.objects import Node, PodShape, Queue
from skyedge.layers.scheduler.packing import with_arguments
from skyedge.layers.scheduler.policies import looks_at_nodes_only
from skyedge.layers.scheduler.replay.accounts import Accounts
from skyedge.layers.scheduler.replay.dispatch import Cycles, Dispatcher, OneByOne, Work
from skyedge.layers.scheduler.replay.outcome import Job, Replay

INTERVAL_S = 1.0
DEADLOCK_TIMEOUT_S = 600.0
RESTLESS_CYCLES = 100
"""After so many cycles on end that only moved pods about, the scheduler is left alone until something comes or goes."""


def replay(
    nodes: Sequence[Node],
    jobs: Sequence[Job],
    queues: Sequence[Queue],
    policy: Configuration,
    *,
    interval_s: float = INTERVAL_S,
    deadlock_timeout_s: float | None = DEADLOCK_TIMEOUT_S,
    one_by_one: bool | None = None,
    seed: int = 0,
) -> Replay:
    """Run a stream of jobs through a cluster.

    Args:
        interval_s: what happens within one is decided upon together, at its end; more than 0.
        deadlock_timeout_s: how long jobs may lock each other out before one gives way; None ends the run there.
        one_by_one: serve pods one at a time, without whole cycles; None does so where the policy allows it.
        seed: of the policies that have one.

    Raises:
        InputError: for a job whose queue is not there, that has no pods, or that needs more than it has; for two jobs of
            one name.
    """
    ordered = tuple(sorted(jobs, key=lambda job: (job.arrival_s, job.name)))
    _check(ordered, queues)
    pods = [(shape, number) for number, job in enumerate(ordered) for shape in job.pods]
    shapes, of = [shape for shape, _ in pods], [number for _, number in pods]
    target = target_workload(class_of(shape) for shape in shapes)
    arguments: dict[str, dict[str, Any]] = {
        "fgd": {"workload": target},
        "random": {"seed": seed},
        "seeded-ties": {"seed": seed},
    }
    configuration = with_arguments(policy, arguments)
    dispatcher: Dispatcher
    if looks_at_nodes_only(configuration) if one_by_one is None else one_by_one:
        dispatcher = OneByOne(nodes, shapes, configuration)
    else:
        works = [
            Work(
                job.queue,
                job.arrival_s,
                job.needed,
                job.priority,
                job.expected_s if job.expected_s is not None or np.isinf(job.duration_s) else job.duration_s,
            )
            for job in ordered
        ]
        dispatcher = Cycles(nodes, shapes, of, works, queues, configuration)
    accounts = Accounts(nodes, shapes, [_queue_number(queues, ordered[number].queue) for number in of], len(queues), target)
    fits = {shape: fits_somewhere(shape, nodes) for shape in set(shapes)}
    possible = [sum(fits[shape] for shape in job.pods) >= job.needed for job in ordered]
    run = _Run(ordered, of, possible, dispatcher, accounts, interval_s, deadlock_timeout_s)
    run.to_the_end()
    return run.outcome(tuple(queues))


def _check(jobs: Sequence[Job], queues: Sequence[Queue]) -> None:
    names = [queue.name for queue in queues]
    seen: set[str] = set()
    if not jobs:
        raise InputError("there are no jobs to replay")
    for job in jobs:
        if job.name in seen:
            raise InputError(f"the job '{job.name}' is there twice")
        seen.add(job.name)
        if job.queue not in names:
            raise InputError(
                f"job '{job.name}' names a queue that is not there, '{job.queue}'", nearest=nearest(job.queue, names)
            )
        if not 1 <= job.needed <= len(job.pods):
            raise InputError(f"job '{job.name}' needs {job.needed} pods to run and has {len(job.pods)}")


def fits_somewhere(shape: PodShape, nodes: Sequence[Node]) -> bool:
    """Whether some node, empty, has room for a pod of ``shape``; labels and taints are not looked at."""
    return any(
        all(node.allocatable.get(resource, 0) >= amount for resource, amount in shape.request)
        and node.device_count >= shape.device_count
        and (not shape.device_models or node.device_model in shape.device_models)
        for node in nodes
    )


def _queue_number(queues: Sequence[Queue], name: str) -> int:
    return next(number for number, queue in enumerate(queues) if queue.name == name)


class _Run:
    """The clock, the queue of events, and where each job stands."""

    def __init__(
        self,
        jobs: Sequence[Job],
        of: Sequence[int],
        possible: Sequence[bool],
        dispatcher: Dispatcher,
        accounts: Accounts,
        interval_s: float,
        deadlock_timeout_s: float | None,
    ) -> None:
        self._jobs, self._of, self._possible = jobs, of, possible
        self._dispatcher, self._accounts = dispatcher, accounts
        self._interval_s, self._timeout_s = interval_s, deadlock_timeout_s
        counts = [len(job.pods) for job in jobs]
        self._first = np.concatenate([[0], np.cumsum(counts)]).tolist()
        self._next = 0  # the job that arrives next
        self._ends: list[tuple[float, int, int]] = []  # (time, job, its start's count)
        self._starts = [0] * len(jobs)
        self._holding: dict[int, set[int]] = {}  # job: its pods that hold a place
        self._running: set[int] = set()
        self._benched: set[int] = set()  # gave way in a deadlock
        self._readmitted = False
        self._restless = 0
        self._locked_since_s: float | None = None
        self.start_s, self.end_s = np.full(len(jobs), np.nan), np.full(len(jobs), np.nan)
        self.node = np.full(len(of), -1, np.intp)
        self.placements = self.cycles = self.evictions = self.deadlocks = self.given_up = 0

    def to_the_end(self) -> None:
        """Go from event to event until nothing can happen any more."""
        again_s = np.inf
        while True:
            coming_s = self._jobs[self._next].arrival_s if self._next < len(self._jobs) else np.inf
            ending_s = self._ends[0][0] if self._ends else np.inf
            unlock_s = np.inf
            if self._locked_since_s is not None and self._timeout_s is not None:
                unlock_s = self._locked_since_s + self._timeout_s
            event_s = min(coming_s, ending_s, again_s, unlock_s)
            if not np.isfinite(event_s):
                return
            cycle_s = max(event_s, float(np.ceil(event_s / self._interval_s) * self._interval_s))
            self._take_in(cycle_s)
            self._accounts.advance(cycle_s)
            if unlock_s <= cycle_s and self._locked_since_s is not None:
                self._give_way()
            restless = self._cycle(cycle_s)
            self._restless = self._restless + 1 if restless else 0
            again_s = cycle_s + self._interval_s if restless and self._restless <= RESTLESS_CYCLES else np.inf

    def outcome(self, queues: tuple[Queue, ...]) -> Replay:
        """The figures of the run."""
        accounts = self._accounts
        whole = accounts.gpu_whole or accounts.cpu_whole
        span_s = accounts.span_s
        return Replay(
            jobs=tuple(self._jobs),
            queues=queues,
            start_s=self.start_s,
            end_s=self.end_s,
            node=self.node,
            span_s=span_s,
            gpu_allocation=_share(accounts.gpu_time, accounts.gpu_whole * span_s),
            cpu_allocation=_share(accounts.cpu_time, accounts.cpu_whole * span_s),
            fragmentation=_share(accounts.fragment_time, accounts.gpu_whole * span_s),
            queue_share=accounts.queue_time / max(whole * span_s, 1e-9),
            placements=self.placements,
            cycles=self.cycles,
            evictions=self.evictions,
            deadlocks=self.deadlocks,
            given_up=self.given_up,
            impossible=len(self._possible) - sum(self._possible),
        )

    def _take_in(self, until_s: float) -> None:
        """Ends and arrivals up to a moment, in their order; ends go first."""
        while True:
            coming_s = self._jobs[self._next].arrival_s if self._next < len(self._jobs) else np.inf
            ending_s = self._ends[0][0] if self._ends else np.inf
            if min(coming_s, ending_s) > until_s:
                return
            self._accounts.advance(min(coming_s, ending_s))
            if ending_s <= coming_s:
                _, job, start = heapq.heappop(self._ends)
                if start == self._starts[job] and job in self._running:
                    self._end(job, ending_s)
            else:
                if self._possible[self._next]:
                    self._dispatcher.admit(self._pods(self._next))
                self._next += 1

    def _cycle(self, now_s: float) -> bool:
        """Ask the scheduler and do as it says; whether it should be asked again soon."""
        step = self._dispatcher.decide(now_s)
        self.cycles += 1
        if step.evicted:
            self._evict(step.evicted)
        self._accounts.place(step.placed)
        self.placements += len(step.placed)
        touched = set()
        for pod, node, _ in step.placed:
            self.node[pod] = node
            self._holding.setdefault(self._of[pod], set()).add(pod)
            touched.add(self._of[pod])
        for job in sorted(touched - self._running):
            if len(self._holding[job]) >= self._jobs[job].needed:
                self._start(job, now_s)
        # Who was placed and did not start may be what locks the others out: only what is still to move can help.
        self._watch(now_s, moving=step.unsettled or bool(step.evicted))
        readmitted, self._readmitted = self._readmitted, False
        return step.unsettled or bool(step.evicted) or readmitted

    def _pods(self, job: int) -> range:
        return range(self._first[job], self._first[job + 1])

    def _start(self, job: int, now_s: float) -> None:
        self._running.add(job)
        self.start_s[job] = now_s
        self._dispatcher.started(job, now_s)
        if np.isfinite(self._jobs[job].duration_s):
            heapq.heappush(self._ends, (now_s + self._jobs[job].duration_s, job, self._starts[job]))
        self._readmit()

    def _end(self, job: int, now_s: float) -> None:
        self.end_s[job] = now_s
        self._running.discard(job)
        self._let_go(job)
        self._readmit()

    def _let_go(self, job: int) -> None:
        """All pods of the job give back what they hold and wait no longer."""
        held = self._holding.pop(job, set())
        self._dispatcher.withdraw(pod for pod in self._pods(job) if pod not in held)
        self._accounts.free(sorted(held))
        self._dispatcher.free(sorted(held))
        self._dispatcher.stopped(job)

    def _evict(self, pods: Sequence[int]) -> None:
        self.evictions += len(pods)
        self._accounts.free(pods)
        self._dispatcher.free(pods)
        self._dispatcher.admit(pods)
        for job in sorted({self._of[pod] for pod in pods}):
            self._holding[job].difference_update(pods)
            if job in self._running and len(self._holding[job]) < self._jobs[job].needed:
                self._running.discard(job)
                self._starts[job] += 1
                self.start_s[job] = np.nan
                self._let_go(job)
                self._dispatcher.admit(self._pods(job))

    def _watch(self, now_s: float, *, moving: bool) -> None:
        """Whether jobs lock each other out."""
        if self._running or moving or not any(self._holding.values()):
            self._locked_since_s = None
        elif self._locked_since_s is None:
            self._locked_since_s = now_s
            self.deadlocks += sum(map(bool, self._holding.values())) > 1

    def _give_way(self) -> None:
        """The youngest holder gives back what it has; one that is alone can never start and is given up."""
        self._locked_since_s = None
        holders = [job for job, pods in self._holding.items() if pods]
        youngest = max(holders)
        self._let_go(youngest)
        if len(holders) > 1:
            self._benched.add(youngest)
        else:
            self.given_up += 1
            self._readmit()

    def _readmit(self) -> None:
        """Those that gave way may try again."""
        for job in sorted(self._benched):
            self._dispatcher.admit(self._pods(job))
        self._readmitted |= bool(self._benched)
        self._benched.clear()


def _share(amount: float, whole: float) -> float:
    return amount / whole if whole else float("nan")
