"""Backfill, as Volcano means it: pods that ask for nothing take any node that will have them.

This is not the backfill of high-performance computing, where small jobs run ahead of a large one that waits; that is
:mod:`skyedge.layers.scheduler.actions.easy_backfill`.
"""

from __future__ import annotations

import numpy as np

from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Operation, Session


def backfill(session: Session) -> None:
    """Place best-effort pods of admitted jobs one by one."""
    for pod in backfill_order(session):
        if session.pod_phase[pod] != PodPhase.PENDING:
            continue
        nodes, _ = session.rankings.fill(pod, 1, None)
        group = int(session.snapshot.pods.group[pod])
        if not nodes:
            session.refuse(group, "nodes", pod)
            continue
        session.do(Operation.ALLOCATE, np.array([pod]), nodes, [1])
        if session.points.job_ready(group):
            session.commit()
        else:
            session.refuse(group, "gang", pod)
            session.set_aside()


def backfill_order(session: Session) -> list[int]:
    """The best-effort pods that backfill looks at, in order: queue, job, pod.

    Pods that have a reservation are among them, for a reservation is not a place.
    """
    phases = (PodPhase.PENDING, PodPhase.PIPELINED)
    pods = session.snapshot.pods
    wanted = np.isin(session.pod_phase, phases) & session.pod_is_best_effort & ~pods.gated
    by_group: dict[int, list[int]] = {}
    for pod in session.points.sort_pods(np.flatnonzero(wanted)).tolist():
        by_group.setdefault(int(pods.group[pod]), []).append(pod)
    groups = [g for g in by_group if session.is_admitted(g) and session.points.job_invalid(g) is None]
    order: list[int] = []
    turns = Turns(session, groups)
    while (queue := turns.next_queue()) is not None:
        while (group := turns.next_job(queue)) is not None:
            order += by_group[group]
    return order
