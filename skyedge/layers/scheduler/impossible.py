"""What can never run as it stands, however long it waits, so that it is said and not left waiting in silence.

All of this errs on one side: what is called impossible is so even in an empty cluster, at any hour; what is not called so
may still be, for whether a gang of unlike pods fits is as hard as packing bins.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import PODS, Flags, Ints, Rows
from skyedge.layers.scheduler.objects import THOUSANDTHS, GroupPhase, PodPhase, is_bytes
from skyedge.layers.scheduler.plugin import Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session


WAITING = (PodPhase.PENDING, PodPhase.PIPELINED)
"""Phases of pods that do not run yet: a reservation is not a place."""

GONE = (PodPhase.FAILED, PodPhase.RELEASING)


def impossible_groups(session: Session) -> dict[str, str]:
    """Groups that can never run, and why, by name."""
    pods = session.snapshot.pods
    known: dict[Hashable, str | None] = {}
    never: dict[str, str] = {}
    for group in np.unique(pods.group[np.isin(session.pod_phase, WAITING)]).tolist():
        reason = why_group_never(session, group, known)
        if reason:
            never[session.snapshot.groups.names[group]] = reason
    return never


def why_group_never(session: Session, group: int, known: dict[Hashable, str | None]) -> str | None:
    """Why ``group`` can never run, or None if it may; ``known`` remembers what was found out about pods."""
    points, pods = session.points, session.snapshot.pods
    shapes, members = pods.shape, session.members(group)
    # One that was sent away in this cycle comes back.
    alive = int((~np.isin(pods.phase[members], GONE)).sum())
    pending = members[np.isin(session.pod_phase[members], WAITING)]
    least = points.least_pods(group)
    # Pods of one shape in one group share their fate.
    _, first, many = np.unique(shapes[pending], return_index=True, return_counts=True)
    lost = lost_that_count = 0
    reason = None
    for pod, count in zip(pending[first].tolist(), many.tolist(), strict=True):
        fate = _fate(session, pod, known)
        if fate:
            reason = reason or fate
            lost += count
            lost_that_count += 0 if session.pod_is_best_effort[pod] else count
    # Of pods that ask for nothing, a gang takes for granted that they will find a place.
    if reason and (alive - lost_that_count < least or alive == lost):
        return reason
    return _why_not_let_in(session, group) or _why_not_together(session, group, pending, least)


def _fate(session: Session, pod: int, known: dict[Hashable, str | None]) -> str | None:
    key = (session.queue_of(pod), session.points.kind(pod))
    if key not in known:
        known[key] = why_never(session, pod)
    return known[key]


def why_never(session: Session, pod: int) -> str | None:
    """Why ``pod`` could not run even in an empty cluster, or None if it could."""
    snapshot = session.snapshot
    if not len(snapshot.nodes):
        return "there are no nodes"
    request = session.request[snapshot.pods.shape[pod]]
    beyond = _beyond(snapshot.resources, request, session.total)
    if beyond:
        return f"it asks for more {beyond} than the cluster has"
    over = _over_ceiling(session, session.points.limiting, session.queue_of(pod), request)
    if over:
        return f"it asks for {over}"
    allowed = session.points.allowed_ever(pod)
    if not allowed.any():
        for_ever = (plugin for plugin in session.points.filtering if not plugin.predicate_ever(pod)[0])
        clause = next(filter(None, (plugin.refusal(pod, 0) for plugin in for_ever)), "")
        return f"no node will have it{f' ({clause}, for example)' if clause else ''}"
    roomy = (snapshot.nodes.allocatable[allowed] >= request).all(axis=1)
    shape = snapshot.shapes[snapshot.pods.shape[pod]]
    if shape.device_count:
        devices = snapshot.nodes.devices[allowed]
        roomy &= (devices >= shape.device_milli).sum(axis=1) >= shape.device_count
    if roomy.any():
        return None
    most: Ints = snapshot.nodes.allocatable[allowed].max(axis=0)
    beyond = _beyond(snapshot.resources, request, most)
    if beyond:
        return f"it asks for more {beyond} than any node that would have it has"
    return "no single node that would have it has enough of all that it asks for"


def _why_not_let_in(session: Session, group: int) -> str | None:
    """Why a group that waits outside will not be let in even by an empty cluster, or None if it could be."""
    groups, points = session.snapshot.groups, session.points
    outside = "enqueue" in session.configuration.actions and session.group_phase[group] == GroupPhase.PENDING
    if not outside or not groups.has_min_resources[group] or any(p.name == "sla" for p in points.admitting):
        return None  # whoever waits long enough for sla is let in in the end
    over = _over_ceiling(session, points.admitting, int(groups.queue[group]), groups.min_resources[group])
    return f"its least resources are {over}" if over else None


def _why_not_together(session: Session, group: int, pending: Rows, least: int) -> str | None:
    """Why as many pods as the gang needs could not run at once, or None if nothing speaks against it.

    The gang is thought of as the least demanding pods of the job, each as undemanding in every resource as any of them.
    """
    snapshot, shapes = session.snapshot, session.snapshot.pods.shape
    members = session.members(group)
    phase = snapshot.pods.phase[members]
    needed = least - int((phase == PodPhase.SUCCEEDED).sum())
    living = members[~np.isin(phase, (PodPhase.SUCCEEDED, *GONE))]
    if needed < 2 or len(living) < needed or len(pending) < len(living):
        return None  # where some run already, that is a fact, whatever plugins would say today
    asked = session.request[shapes[living]]
    together: Ints = np.sort(asked, axis=0)[:needed].sum(axis=0)
    gang = f"the {needed} pods that it needs at least ask for"
    beyond = _beyond(snapshot.resources, together, session.total)
    if beyond:
        return f"{gang} more {beyond} than the cluster has"
    over = _over_ceiling(session, session.points.limiting, int(snapshot.groups.queue[group]), together)
    if over:
        return f"{gang} {over}"
    _, first = np.unique(shapes[living], return_index=True)
    allowed: Flags = np.any([session.points.allowed_ever(int(living[row])) for row in first], axis=0)
    undemanding = asked.min(axis=0)
    wanted = undemanding > 0
    room = int((snapshot.nodes.allocatable[allowed][:, wanted] // undemanding[wanted]).min(axis=1).sum())
    if room < needed:
        return f"it needs {needed} pods at least, and the nodes that would have them hold {room}"
    return None


def _over_ceiling(session: Session, plugins: list[Plugin], queue: int, asked: Ints) -> str | None:
    """What of ``asked`` is more than ``plugins`` would ever let the queue have."""
    names = session.snapshot.resources
    for plugin in plugins:
        ceiling = getattr(plugin, "ceiling", None)
        beyond = None if ceiling is None else _beyond(names, asked, ceiling(queue))
        if beyond and plugin.name == "overcommit":
            return f"more {beyond} than the cluster would ever let in"
        if beyond:
            return f"more {beyond} than its queue '{session.snapshot.queues.names[queue]}' may ever have"
    return None


def _beyond(names: tuple[str, ...], request: Ints, most: Ints) -> str | None:
    over = [
        f"{name} ({amount(name, request[r])} against {amount(name, most[r])})"
        for r, name in enumerate(names)
        if request[r] > most[r] and r != PODS
    ]
    return over[0] if over else None


def amount(resource: str, value: int) -> str:
    """An amount as people write it."""
    if is_bytes(resource):
        for unit, size in (("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20)):
            if value >= size:
                return f"{value / size:g} {unit}"
        return f"{value}"
    return f"{int(value) / THOUSANDTHS:g}"
