"""Preempt: within a queue, a job that starves may send away pods of less important jobs, or of itself.

The preemptor is not bound in this cycle; it gets a reservation (it is *pipelined*) on what its victims leave.  Evictions
that did not help are taken back at once, and all of a job's are if the job does not get enough reservations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Operation, Session
from skyedge.layers.scheduler.snapshot import Flags, Rows

Permitted = Callable[[int, Sequence[int]], list[int]]


def preempt(session: Session) -> None:
    """Help starving jobs, queue by queue: first at the cost of other jobs, then of their own lesser pods."""
    starving = starving_jobs(session, with_topology=False)
    tasks = {group: pending_pods(session, group) for group in starving}
    turns = Turns(session, starving)
    while (queue := turns.next_queue()) is not None:
        helped = []
        while (group := turns.next_job(queue)) is not None:
            helped.append(group)
            _help(session, group, tasks[group])
        for group in sorted(helped):
            _help_itself(session, group)


def _help(session: Session, group: int, tasks: list[int]) -> None:
    pods = session.snapshot.pods
    while session.points.job_starving(group) and tasks:
        pod = tasks.pop(0)
        if not pods.may_preempt[pod]:
            session.refuse(group, "never", pod)
            continue
        victims = _running(session, pod) & (pods.group != group)
        victims &= session.snapshot.groups.queue[pods.group] == session.queue_of(pod)
        make_room(session, pod, victims, session.points.preemptable, within_queue=True)
    if session.points.job_pipelined(group):
        session.commit()
    else:
        session.rollback(0)


def _help_itself(session: Session, group: int) -> None:
    pods = session.snapshot.pods
    for pod in pending_pods(session, group):
        if not pods.may_preempt[pod]:
            break
        victims = _running(session, pod) & (pods.group == group)
        done = make_room(session, pod, victims, session.points.preemptable, within_queue=True)
        session.commit()
        if not done:
            break


def _running(session: Session, pod: int) -> Flags:
    """Pods that may be evicted at all: they run, or are about to; one that asks for nothing drives out only its like."""
    phase = session.pod_phase
    flags: Flags = ((phase == PodPhase.RUNNING) | (phase == PodPhase.BOUND)) & session.snapshot.pods.preemptable
    return flags & session.pod_is_best_effort if session.pod_is_best_effort[pod] else flags


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


def make_room(session: Session, pod: int, victims: Flags, permitted: Permitted, *, within_queue: bool) -> bool:
    """Evict as many of the ``victims`` as it takes, on the first node where that is enough, and reserve it for ``pod``.

    It may take none: a large victim of one pod of a gang makes room for the others too.

    Args:
        victims: (pods,) who might be evicted; ``permitted`` has the last word.
        within_queue: victims are of the pod's own queue, which must have room for it as well once they are gone.
    """
    for node in _hopeful_nodes(session, pod, victims, ordered=within_queue):
        # In the order in which they would go, so that plugins that spare some of them spare the same ones.
        here = session.points.victim_order(np.flatnonzero(victims & (session.pod_node == node)).tolist(), pod)
        chosen = permitted(pod, here)
        if not _fits_with(session, pod, node, chosen):
            continue
        mark = len(session.log)
        for victim in session.points.victim_order(chosen, pod):
            if (mark < len(session.log) or within_queue) and _has_room(session, pod, node, within_queue=within_queue):
                break
            session.do(Operation.EVICT, np.array([victim]), [node], [1])
        if _has_room(session, pod, node, within_queue=within_queue):
            session.do(Operation.PIPELINE, np.array([pod]), [node], [1])
            return True
        session.rollback(mark)
    session.refuse(int(session.snapshot.pods.group[pod]), "no victims", pod)
    return False


def _hopeful_nodes(session: Session, pod: int, victims: Flags, *, ordered: bool) -> list[int]:
    """Nodes that would have room for ``pod`` if all of the victims left; with ``ordered`` best first, else in order of
    their names and only those that hold a victim, for what is idle is not another queue's to give.

    One sum over all pods in the place of a look at each node: most nodes drop out here.
    """
    pods, request = session.snapshot.pods, session.request
    rows: Rows = np.flatnonzero(victims)
    nodes = session.pod_node[rows]
    many = len(session.snapshot.nodes)
    hopeful: Flags = np.ones(many, np.bool_) if ordered else np.bincount(nodes, minlength=many) > 0
    if not hopeful.any():
        return []
    future = session.future_idle()
    needs = request[pods.shape[pod]]
    for resource in np.flatnonzero(needs):
        freed = np.bincount(nodes, weights=request[pods.shape[rows], resource], minlength=many)
        hopeful &= future[resource] + freed >= needs[resource]
    candidates = session.rankings.candidates(pod) if ordered else np.flatnonzero(session.rankings.of(pod).allowed)
    chosen: list[int] = candidates[hopeful[candidates]].tolist()
    return chosen


def _fits_with(session: Session, pod: int, node: int, victims: Sequence[int]) -> bool:
    """Whether ``pod`` fits ``node`` when what is being released, and ``victims``, are gone."""
    pods = session.snapshot.pods
    future = session.future_idle(np.array([node]))[:, 0]
    for victim in victims:
        future = future + session.request[pods.shape[victim]]
    needs = session.request[pods.shape[pod]]
    return bool((needs <= future)[needs > 0].all())


def _has_room(session: Session, pod: int, node: int, *, within_queue: bool) -> bool:
    """Whether ``pod`` may now be reserved on ``node``; its queue has a say where the victims are its own."""
    if not _fits_with(session, pod, node, []):
        return False
    shape = int(session.snapshot.pods.shape[pod])
    return not within_queue or session.points.allocatable(session.queue_of(pod), shape) > 0
