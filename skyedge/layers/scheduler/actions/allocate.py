"""Allocate: give pods of admitted jobs their nodes, a gang at a time.

A job's pods that are alike and follow one another form a *run*, and a run is placed in as few steps as give the result of
placing its pods one by one: up to the room of the queue, up to the moment when the job becomes ready, and node by node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Rows
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Operation, Session


@dataclass(slots=True)
class Run:
    """Pods of one job that are alike, those from ``start`` on still to be placed."""

    pods: Rows
    role: str
    start: int = 0

    def copy(self) -> Run:
        """The same run, to be tried elsewhere."""
        return Run(self.pods, self.role, self.start)


def allocate(session: Session) -> None:
    """Place what can be placed on idle resources, or reserve what is being released."""
    waiting = pending_runs(session, best_effort=False)
    valid = []
    for group in waiting:
        if not session.is_admitted(group):
            continue
        reason = session.points.job_invalid(group)
        if reason is None:
            valid.append(group)
        else:
            session.refuse(group, "valid", int(waiting[group][0].pods[0]))
    pipelined = [group for group in valid if session.waiting[group] and session.points.job_pipelined(group)]
    rest = set(valid).difference(pipelined)
    for jobs in (pipelined, [group for group in valid if group in rest]):
        _serve(session, Turns(session, jobs), waiting)


def _serve(session: Session, turns: Turns, waiting: dict[int, list[Run]]) -> None:
    points = session.points
    while (queue := turns.next_queue()) is not None:
        if points.overused(queue):
            while (group := turns.next_job(queue)) is not None:
                session.refuse(group, "overused", int(waiting[group][0].pods[0]))
            continue
        group = turns.next_job(queue)
        if group is None:
            continue
        runs = place_job(session, queue, group, waiting[group])
        if points.job_ready(group):
            if session.log:
                session.commit()
            waiting[group] = [run for run in runs if run.start < len(run.pods)]
            if waiting[group]:
                turns.put_job(group)
        else:
            if session.log:
                session.refuse(group, "soon", int(session.log[0].pods[0]))
            session.set_aside()
        turns.put_queue(queue)


def place_job(session: Session, queue: int, group: int, runs: list[Run], within: Flags | None = None) -> list[Run]:
    """Place pods of ``runs`` until the job is ready, under one network domain if the job must be; what is left of them."""
    topology = session.snapshot.groups.topology[group]
    if topology is not None and topology.mode == "hard":
        return _place_within_domains(session, queue, group, runs, within)
    place(session, queue, group, runs, within)
    return runs


def place(session: Session, queue: int, group: int, runs: list[Run], within: Flags | None = None) -> None:
    """Place pods of ``runs`` in order until the job is ready; take all back if it comes to nothing.

    What is placed, and what cannot be, is consumed from ``runs``.
    """
    mark, points, shapes = len(session.log), session.points, session.snapshot.pods.shape
    ready = given_up = False
    for run in runs:
        while run.start < len(run.pods) and not ready:
            pod = int(run.pods[run.start])
            room = points.allocatable(queue, int(shapes[pod]))
            if room == 0:
                session.refuse(group, "queue", pod)
                run.start = len(run.pods)
                break
            many = min(len(run.pods) - run.start, room, points.pods_until_ready(group, run.role))
            placed = _place_some(session, run, many, within)
            if not placed:
                session.refuse(group, "nodes", pod)
                run.start = len(run.pods)
                given_up = not _worth_going_on(session, group, runs)
                break
            ready = points.job_ready(group)
        if ready or given_up:
            break
    if not ready and not points.job_pipelined(group):
        if len(session.log) > mark:
            session.refuse(group, "gang", int(runs[0].pods[0]))
        session.rollback(mark)


def _place_some(session: Session, run: Run, many: int, within: Flags | None) -> int:
    """Place up to ``many`` pods of ``run``: on idle resources, else one on what is being released; how many it were."""
    pod = int(run.pods[run.start])
    nodes, counts = session.rankings.fill(pod, many, within)
    if nodes:
        placed, operation = sum(counts), Operation.ALLOCATE
    else:
        best = session.rankings.best_in_future(pod, within) if session.releases else None
        if best is None:
            return 0
        nodes, counts, placed, operation = [best], [1], 1, Operation.PIPELINE
    session.do(operation, run.pods[run.start : run.start + placed], nodes, counts)
    run.start += placed
    return placed


def _worth_going_on(session: Session, group: int, runs: list[Run]) -> bool:
    """Whether the job could still become ready with the pods that are left."""
    left = sum(len(run.pods) - run.start for run in runs)
    held = session.occupied[group] + session.waiting[group] + session.pending_best_effort[group]
    return held + left >= int(session.snapshot.groups.min_member[group])


def _place_within_domains(session: Session, queue: int, group: int, runs: list[Run], within: Flags | None) -> list[Run]:
    """Try the network domains, the nearest kind first, and keep the best that holds the job; what is left of the runs."""
    holds = session.snapshot.hypernodes.holds
    for domains in session.points.hypernode_gradient(group):
        found = []
        for domain in domains:
            trial = [run.copy() for run in runs]
            mark = len(session.log)
            there = holds[domain] if domain >= 0 else None
            place(session, queue, group, trial, within if there is None else there if within is None else there & within)
            changes = session.rollback(mark)
            if changes:
                found.append((domain, changes, trial))
        if found:
            scores = session.points.hypernode_score(group, [domain for domain, _, _ in found])
            _, changes, trial = found[int(np.argmax(scores))]
            session.redo(changes)
            return trial
    session.refuse(group, "topology", int(runs[0].pods[0]))
    return []


def pending_runs(session: Session, *, best_effort: bool) -> dict[int, list[Run]]:
    """The runs of pods that wait, by group."""
    pods = session.snapshot.pods
    waiting = (session.pod_phase == PodPhase.PENDING) & ~pods.gated & (session.pod_is_best_effort == best_effort)
    ordered = session.points.sort_pods(np.flatnonzero(waiting))
    if not len(ordered):
        return {}
    runs: dict[int, list[Run]] = {}
    for start, stop in _alike(session, ordered):
        first = int(ordered[start])
        runs.setdefault(int(pods.group[first]), []).append(Run(ordered[start:stop], pods.role[first]))
    return runs


def _alike(session: Session, ordered: Rows) -> Iterator[tuple[int, int]]:
    """Bounds of the stretches of like pods in ``ordered``."""
    pods = session.snapshot.pods
    group, shape = pods.group[ordered], pods.shape[ordered]
    changes = (group[1:] != group[:-1]) | (shape[1:] != shape[:-1])
    if any(session.snapshot.groups.min_task_member) or session.points.distinguishes:
        looks = [(pods.role[pod], session.points.kind(int(pod))) for pod in ordered]
        changes |= np.fromiter((a != b for a, b in pairwise(looks)), np.bool_, len(looks) - 1)
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(ordered)]
    return pairwise(bounds)
