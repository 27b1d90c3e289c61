"""EASY backfill (Lifka 1995): a job that has to wait gets a reservation, and others may run ahead if they do not delay it.

Jobs are served in order until one does not fit.  For that one, the head, the running jobs are imagined to end when they
are expected to, until it fits: that moment is its reservation.  A later job may start now if it ends before then, or if
it takes nothing that the head will need.  Use it in the place of ``allocate``, which lets any later job that fits run
ahead and can starve a large one for ever.  A job of unknown length is thought to run for ever.
"""

from __future__ import annotations

import numpy as np

from skyedge.layers.scheduler.actions.allocate import Run, pending_runs, place_job
from skyedge.layers.scheduler.columns import Flags, Ints, Rows
from skyedge.layers.scheduler.impossible import why_group_never
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.plugin import Floats
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Operation, Session


def easy_backfill(session: Session) -> None:
    """Serve jobs in order; behind the first that has to wait, only those that do not delay it."""
    waiting = pending_runs(session, best_effort=False)
    groups = [g for g in waiting if session.is_admitted(g) and session.points.job_invalid(g) is None]
    turns = Turns(session, groups)
    reservation: Reservation | None = None
    while (queue := turns.next_queue()) is not None:
        if session.points.overused(queue):
            continue
        group = turns.next_job(queue)
        if group is None:
            continue
        runs = waiting[group]
        if reservation is None:
            started = _start(session, queue, group, [run.copy() for run in runs])
            if not started and _may_start_later(session, queue, group, runs):
                reservation = reserve(session, runs)
                session.refuse(group, "reservation", int(runs[0].pods[0]))
        else:
            started = _run_ahead(session, queue, group, runs, reservation)
            if not started:
                session.refuse(group, "behind", int(runs[0].pods[0]))
        waiting[group] = _left_over(session, runs)
        if started and waiting[group]:
            turns.put_job(group)
        turns.put_queue(queue)


class Reservation:
    """The moment at which the head can start, and what it leaves to others then.

    Attributes:
        at_s: the moment; infinite if no end of a running job is known that would help.
        spare: (resources, nodes), idle at that moment when the head has been placed.
    """

    def __init__(self, at_s: float, spare: Ints) -> None:
        self.at_s = at_s
        self.spare = spare


def reserve(session: Session, runs: list[Run]) -> Reservation:
    """The reservation of the job that ``runs`` are of: the more jobs have ended the more fits, so the moment is bisected."""
    wanted = [(run, session.rankings.of(int(run.pods[0])).allowed) for run in runs]
    ends_s, order, pods = _endings(session)
    low, high = 0, len(ends_s) + 1  # the number of jobs that must have ended; one more than there are: never
    while low < high:
        middle = (low + high) // 2
        if middle <= len(ends_s) and _fits(session, wanted, _idle_after(session, pods[order < middle])) is None:
            low = middle + 1
        else:
            high = middle
    if low > len(ends_s):
        return Reservation(np.inf, _idle_after(session, pods))
    idle = _idle_after(session, pods[order < low])
    taken = _fits(session, wanted, idle)
    at_s = float(ends_s[low - 1]) if low else session.snapshot.now_s
    return Reservation(max(at_s, session.snapshot.now_s), idle if taken is None else idle - taken)


def _endings(session: Session) -> tuple[Floats, Rows, Rows]:
    """When running jobs are expected to end, soonest first; which end is that of each of their pods; those pods."""
    groups, pods = session.snapshot.groups, session.snapshot.pods
    ends_s = groups.started_s + groups.expected_s
    order = np.argsort(ends_s, kind="stable")
    order = order[np.isfinite(ends_s[order])]
    rank = np.full(len(groups), len(groups), np.intp)
    rank[order] = np.arange(len(order))
    running = np.flatnonzero((pods.phase == PodPhase.RUNNING) & np.isfinite(ends_s[pods.group]))
    return ends_s[order], rank[pods.group[running]], running


def _idle_after(session: Session, ended: Rows) -> Ints:
    """(resources, nodes): what is idle when the pods ``ended`` have left, and all that is being released."""
    pods = session.snapshot.pods
    idle = session.future_idle().copy()
    np.add.at(idle.T, pods.node[ended], session.request[pods.shape[ended]])
    return idle


def _fits(session: Session, wanted: list[tuple[Run, Flags]], idle: Ints) -> Ints | None:
    """What the runs take of ``idle``, first nodes first, or None if they do not fit."""
    left = idle.copy()
    for run, allowed in wanted:
        request = session.request[session.snapshot.pods.shape[run.pods[0]]]
        asked = request > 0
        room = np.where(allowed, np.maximum((left[asked] // request[asked, None]).min(axis=0), 0), 0)
        many = len(run.pods) - run.start
        before = np.cumsum(room) - room
        here = np.clip(many - before, 0, room)
        if here.sum() < many:
            return None
        left -= request[:, None] * here
    return idle - left


def _run_ahead(session: Session, queue: int, group: int, runs: list[Run], reservation: Reservation) -> bool:
    expected = float(session.snapshot.groups.expected_s[group])
    if session.snapshot.now_s + expected <= reservation.at_s:
        return _start(session, queue, group, [run.copy() for run in runs])
    # It will still run when the head starts: it may take only what the head leaves.
    request = [session.request[session.snapshot.pods.shape[run.pods[0]]] for run in runs]
    spared = np.all([(reservation.spare >= need[:, None]).all(axis=0) for need in request], axis=0)
    mark = len(session.committed)
    if not _start(session, queue, group, [run.copy() for run in runs], spared):
        return False
    spare = reservation.spare.copy()
    for change in session.committed[mark:]:
        if change.operation is Operation.ALLOCATE:
            need = session.request[session.snapshot.pods.shape[change.pods[0]]]
            for node, count in zip(change.nodes, change.counts, strict=True):
                spare[:, node] -= need * count
    if (spare < 0).any():
        undone = session.committed[mark:]
        del session.committed[mark:]
        for change in reversed(undone):
            session.apply(change, -1)
        return False
    reservation.spare = spare
    return True


def _start(session: Session, queue: int, group: int, runs: list[Run], within: Flags | None = None) -> bool:
    """Place the job if enough of it fits now."""
    place_job(session, queue, group, runs, within)
    if session.log and session.points.job_ready(group):
        session.commit()
        return True
    session.rollback(0)
    return False


def _left_over(session: Session, runs: list[Run]) -> list[Run]:
    """Runs without the pods that have been placed."""
    kept = [Run(run.pods[session.pod_phase[run.pods] == PodPhase.PENDING], run.role) for run in runs]
    return [run for run in kept if len(run.pods)]


def _may_start_later(session: Session, queue: int, group: int, runs: list[Run]) -> bool:
    """Whether it is room on nodes that the job waits for; what is reserved for one that can never run is lost to all."""
    shape = int(session.snapshot.pods.shape[runs[0].pods[0]])
    return session.points.allocatable(queue, shape) > 0 and why_group_never(session, group, {}) is None
