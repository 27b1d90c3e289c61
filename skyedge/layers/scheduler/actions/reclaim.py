"""Reclaim: a queue that has less than it deserves takes resources back from queues that have more."""

from __future__ import annotations

from collections.abc import Hashable

from skyedge.layers.scheduler.actions.preempt import make_room, pending_pods, starving_jobs
from skyedge.layers.scheduler.evictable import Evictable
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Session


def reclaim(session: Session) -> None:
    """Help starving jobs of queues that are not overused, at the cost of other queues."""
    starving = starving_jobs(session, with_topology=True)
    evictable = Evictable(session, (PodPhase.RUNNING,))
    turns = Turns(session, starving)
    while (queue := turns.next_queue()) is not None:
        if session.points.overused(queue):
            continue
        while (group := turns.next_job(queue)) is not None:
            _reclaim_for(session, queue, group, evictable)


def _reclaim_for(session: Session, queue: int, group: int, evictable: Evictable) -> None:
    pods, queues = session.snapshot.pods, session.snapshot.queues
    queue_of_group = session.snapshot.groups.queue
    groups = (queue_of_group != queue) & queues.reclaimable[queue_of_group]
    tasks = pending_pods(session, group)
    hopeless: set[Hashable] = set()
    while session.points.job_starving(group) and tasks:
        pod = tasks.pop(0)
        if not pods.may_preempt[pod]:
            session.refuse(group, "never", pod)
            continue
        if not session.points.preemptive(queue, pod):
            session.refuse(group, "queue", pod)
            continue
        kind = (session.points.kind(pod), int(pods.priority[pod]))
        if kind in hopeless:
            continue
        if make_room(session, pod, evictable, groups, session.points.reclaimable, within_queue=False):
            hopeless.clear()
        else:
            hopeless.add(kind)
    if session.points.job_pipelined(group):
        session.commit()
    else:
        session.rollback(0)
