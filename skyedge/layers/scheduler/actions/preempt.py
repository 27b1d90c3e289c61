"""Preempt: within a queue, a job that starves may send away pods of less important jobs, or of itself.

The preemptor is not bound in this cycle; it gets a reservation (it is *pipelined*) on what its victims leave.  Evictions
that did not help are taken back at once, and all of a job's are if the job does not get enough reservations.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from skyedge.layers.scheduler.columns import Flags
from skyedge.layers.scheduler.evictable import Evictable
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Operation, Session

Permitted = Callable[[int, Sequence[int]], list[int]]


def preempt(session: Session) -> None:
    """Help starving jobs, queue by queue: first at the cost of other jobs, then of their own lesser pods."""
    starving = starving_jobs(session, with_topology=False)
    tasks = {group: pending_pods(session, group) for group in starving}
    others = Evictable(session, (PodPhase.RUNNING, PodPhase.BOUND))
    own = Evictable(session, (PodPhase.RUNNING, PodPhase.BOUND))
    turns = Turns(session, starving)
    while (queue := turns.next_queue()) is not None:
        helped = []
        while (group := turns.next_job(queue)) is not None:
            helped.append(group)
            _help(session, group, tasks[group], others)
        for group in sorted(helped):
            _help_itself(session, group, own)


def _help(session: Session, group: int, tasks: list[int], evictable: Evictable) -> None:
    pods = session.snapshot.pods
    hopeless: set[Hashable] = set()  # kinds of pods that found no room as things stand
    while session.points.job_starving(group) and tasks:
        pod = tasks.pop(0)
        if not pods.may_preempt[pod]:
            session.refuse(group, "never", pod)
            continue
        kind = (session.points.kind(pod), int(pods.priority[pod]))
        if kind in hopeless:
            continue
        groups = session.snapshot.groups.queue == session.queue_of(pod)
        groups &= session.points.may_lose(pod)
        groups[group] = False
        if make_room(session, pod, evictable, groups, session.points.preemptable, within_queue=True):
            hopeless.clear()  # a large victim of one pod may leave room for another
        else:
            hopeless.add(kind)
    if session.points.job_pipelined(group):
        session.commit()
    else:
        session.rollback(0)


def _help_itself(session: Session, group: int, evictable: Evictable) -> None:
    pods = session.snapshot.pods
    itself = np.zeros(len(session.snapshot.groups), np.bool_)
    itself[group] = True
    for pod in pending_pods(session, group):
        if not pods.may_preempt[pod]:
            break
        done = make_room(session, pod, evictable, itself, session.points.preemptable, within_queue=True)
        session.commit()
        if not done:
            break


def starving_jobs(session: Session, *, with_topology: bool) -> list[int]:
    """Admitted, valid jobs that the plugins call starving."""
    pending = np.unique(session.snapshot.pods.group[session.pod_phase == PodPhase.PENDING])
    return [
        group
        for group in pending.tolist()
        if session.is_admitted(group)
        and (with_topology or session.snapshot.groups.topology[group] is None)
        and session.points.job_invalid(group) is None
        and session.points.job_starving(group)
    ]


def pending_pods(session: Session, group: int) -> list[int]:
    """Pods of ``group`` that still wait, in order."""
    members = session.members(group)
    waiting = members[(session.pod_phase[members] == PodPhase.PENDING) & ~session.snapshot.pods.gated[members]]
    ordered: list[int] = session.points.sort_pods(waiting).tolist()
    return ordered


def make_room(
    session: Session, pod: int, evictable: Evictable, groups: Flags, permitted: Permitted, *, within_queue: bool
) -> bool:
    """Evict as many pods as it takes, on the first node where that is enough, and reserve it for ``pod``.

    It may take none: a large victim of one pod of a gang makes room for the others too.

    Args:
        groups: (groups,) whose pods might be evicted; ``permitted`` has the last word.
        within_queue: victims are of the pod's own queue, which must have room for it as well once they are gone.
    """
    lowly = bool(session.pod_is_best_effort[pod])  # one that asks for nothing drives out only its like
    for node in _hopeful_nodes(session, pod, evictable, groups, within_queue=within_queue):
        # In the order in which they would go, so that plugins that spare some of them spare the same ones.
        here = session.points.victim_order(evictable.on(node, groups, best_effort_only=lowly), pod)
        allowed = set(permitted(pod, here))
        chosen = [victim for victim in here if victim in allowed]
        if not _fits_with(session, pod, node, chosen):
            continue
        mark = len(session.log)
        for victim in chosen:
            if (mark < len(session.log) or within_queue) and _has_room(session, pod, node, within_queue=within_queue):
                break
            session.do(Operation.EVICT, np.array([victim]), [node], [1])
        if _has_room(session, pod, node, within_queue=within_queue):
            session.do(Operation.PIPELINE, np.array([pod]), [node], [1])
            return True
        session.rollback(mark)
    session.refuse(int(session.snapshot.pods.group[pod]), "no victims", pod)
    return False


def _hopeful_nodes(session: Session, pod: int, evictable: Evictable, groups: Flags, *, within_queue: bool) -> list[int]:
    """Nodes that would have room for ``pod`` if all of ``groups`` left.

    Within a queue, best first.  Across queues in the order of their names and only those that hold a victim, for what is
    idle is not another queue's to give.
    """
    lowly = bool(session.pod_is_best_effort[pod])
    freed, many = evictable.regained(groups, best_effort_only=lowly)
    hopeful = session.rankings.of(pod).allowed.copy()
    if not within_queue:
        hopeful &= many > 0
    future = session.future_idle()
    needs = session.request[session.snapshot.pods.shape[pod]]
    for resource in np.flatnonzero(needs):
        hopeful &= future[resource] + freed[resource] >= needs[resource]
    nodes = np.flatnonzero(hopeful)
    ordered: list[int] = (session.rankings.best_first(pod, nodes) if within_queue else nodes).tolist()
    return ordered


def _fits_with(session: Session, pod: int, node: int, victims: Sequence[int]) -> bool:
    """Whether ``pod`` fits ``node`` when what is being released, and ``victims``, are gone."""
    pods = session.snapshot.pods
    future = session.idle[:, node] + session.releasing[:, node] - session.pipelined[:, node]
    for victim in victims:
        future += session.request[pods.shape[victim]]
    needs = session.request[pods.shape[pod]]
    return bool((needs <= future)[needs > 0].all())


def _has_room(session: Session, pod: int, node: int, *, within_queue: bool) -> bool:
    """Whether ``pod`` may now be reserved on ``node``; its queue has a say where the victims are its own."""
    if not _fits_with(session, pod, node, []):
        return False
    shape = int(session.snapshot.pods.shape[pod])
    return not within_queue or session.points.allocatable(session.queue_of(pod), shape) > 0
