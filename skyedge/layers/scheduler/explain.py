"""Why each pod is where it is, or why it waits: said after the cycle, from the accounts as they then stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import PODS
from skyedge.layers.scheduler.impossible import amount, impossible_groups, why_never
from skyedge.layers.scheduler.objects import GroupPhase, PodPhase
from skyedge.layers.scheduler.plugin import Plugin

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Explanations:
    """Sentences by name."""

    pods: Mapping[str, str]
    groups: Mapping[str, str]


_CAUSES = {
    "enqueue": "was not let in: its least resources do not fit what its queue, or the cluster, may still take",
    "overused": "its queue has all that it deserves",
    "never": "may not preempt others (preemptionPolicy: Never)",
    "reservation": "is next and has a reservation",
    "behind": "would delay the job that is next",
    "no victims": "found no pods that it may evict to make room",
    "topology": "no network domain that it allows holds all of it",
    "soon": "has its place, and waits for those of its gang that have a reservation",
    "gang": "is all or nothing, and not enough of it fits",
}


def explain_all(session: Session) -> Explanations:
    """A sentence for each pod that was placed, evicted or left waiting, and for each group that waits."""
    snapshot, pods = session.snapshot, {}
    groups: dict[str, str] = {}
    for row in np.flatnonzero(session.pod_phase != snapshot.pods.phase).tolist():
        pods[snapshot.pods.names[row]] = _placed(session, row)
    committed = {int(pod) for change in session.committed for pod in change.pods}
    waiting = np.flatnonzero(snapshot.pods.phase == PodPhase.PENDING)
    never = impossible_groups(session)
    known: dict[tuple[int, int], str] = {}
    for row in waiting.tolist():
        if row in committed:
            continue
        key = (int(snapshot.pods.group[row]), int(snapshot.pods.shape[row]))
        if key not in known:
            known[key] = _waits(session, row, never)
        pods[snapshot.pods.names[row]] = known[key]
        groups.setdefault(snapshot.groups.names[key[0]], _group_waits(session, key[0], never))
    return Explanations(pods, groups)


def _placed(session: Session, pod: int) -> str:
    node = session.snapshot.nodes.names[session.pod_node[pod]]
    phase = session.pod_phase[pod]
    if phase == PodPhase.RELEASING:
        return f"evicted from {node} to make room"
    scores = _scores(session, pod)
    why = f" ({scores})" if scores else ""
    if phase == PodPhase.PIPELINED:
        return f"has a reservation on {node}, on what is being released there{why}"
    if phase == PodPhase.ALLOCATED:
        devices = session.devices_of.get(pod)
        return f"goes to {node}{f', devices {devices}' if devices else ''}{why}"
    return f"stays on {node}"


def _scores(session: Session, pod: int) -> str:
    """What each plugin that has an opinion thinks of the pod's node, the pod itself taken off it."""
    node = int(session.pod_node[pod])
    room = session.pipelined if session.pod_phase[pod] == PodPhase.PIPELINED else session.idle
    own = session.request[session.snapshot.pods.shape[pod]] * (-1 if room is session.pipelined else 1)
    room[:, node] += own
    scores = {plugin.name: float(plugin.node_order(pod, np.array([node]))[0]) for plugin in session.points.scoring}
    room[:, node] -= own
    return ", ".join(f"{name} {score:.1f}" for name, score in scores.items() if score)


def _group_waits(session: Session, group: int, impossible: Mapping[str, str]) -> str:
    if session.snapshot.groups.names[group] in impossible:
        return f"can never run: {impossible[session.snapshot.groups.names[group]]}"
    causes = [cause for cause, _ in session.refused.get(group, [])]
    least, held = int(session.snapshot.groups.min_member[group]), session.occupied[group]
    if session.group_phase[group] == GroupPhase.PENDING and "enqueue" in session.configuration.actions:
        return _CAUSES["enqueue"]
    invalid = session.points.job_invalid(group)
    if invalid:
        return invalid
    for cause in ("topology", "soon", "gang", "overused", "reservation", "behind"):
        if cause in causes:
            return f"{_CAUSES[cause]} ({held} of {least} placed)"
    return f"{held} of {least} placed"


def _waits(session: Session, pod: int, impossible: Mapping[str, str]) -> str:
    snapshot = session.snapshot
    if snapshot.pods.gated[pod]:
        return "waits: it has scheduling gates"
    group = int(snapshot.pods.group[pod])
    causes = [cause for cause, _ in session.refused.get(group, [])]
    reasons = []
    never = why_never(session, pod)
    if never:
        return f"can never run: {never}"
    if snapshot.groups.names[group] in impossible:
        return f"can never run with its group: {impossible[snapshot.groups.names[group]]}"
    if session.group_phase[group] == GroupPhase.PENDING and "enqueue" in session.configuration.actions:
        return f"waits: its group {_CAUSES['enqueue']}"
    invalid = session.points.job_invalid(group)
    if invalid:
        return f"waits: its group {invalid}"
    queue = session.queue_of(pod)
    queue_name = snapshot.queues.names[queue]
    if not snapshot.queues.open[queue]:
        reasons.append(f"the queue '{queue_name}' is not open")
    else:
        over = _over_its_share(session, queue, pod)
        if over:
            reasons.append(over)
        elif "overused" in causes:
            reasons.append(f"the queue '{queue_name}' has all that it deserves")
    for cause, text in _CAUSES.items():
        if cause in causes and cause not in ("enqueue", "overused"):
            reasons.append(text + (_who_spares(session, pod) if cause == "no victims" else ""))
    nodes, fits = _nodes_refuse(session, pod)
    if fits and not reasons:
        reasons.append(_no_turn(session, pod))
    if nodes:
        reasons.append(nodes)
    return f"waits: {'; '.join(reasons)}"


def _no_turn(session: Session, pod: int) -> str:
    """Why nobody has looked at the pod in this cycle."""
    actions, group = session.configuration.actions, int(session.snapshot.pods.group[pod])
    placing = ("backfill",) if session.pod_is_best_effort[pod] else ("allocate", "easy-backfill")
    last = max((row for row, action in enumerate(actions) if action in placing), default=-1)
    if last < 0:
        what = "pods that ask for nothing" if session.pod_is_best_effort[pod] else "pods"
        return f"no action of this cycle places {what} ({' or '.join(placing)} would)"
    if session.snapshot.groups.phase[group] == GroupPhase.PENDING and "enqueue" in actions[last:]:
        return "its group was let in when pods had already been placed"
    return "others were served first"


def _over_its_share(session: Session, queue: int, pod: int) -> str | None:
    request = session.request[session.snapshot.pods.shape[pod]]
    for plugin in session.points.limiting:
        limit = getattr(plugin, "deserved" if plugin.name == "proportion" else "ceiling", None)
        if limit is None or plugin.allocatable(queue, int(session.snapshot.pods.shape[pod])) > 0:
            continue
        held, top = session.queue_allocated[queue], limit(queue)
        word = "deserves" if plugin.name == "proportion" else "may have"
        for resource, name in enumerate(session.snapshot.resources):
            if request[resource] and resource != PODS and held[resource] + request[resource] > top[resource]:
                amounts = f"{amount(name, held[resource])} of {amount(name, top[resource])} of {name} that it {word}"
                return f"the queue '{session.snapshot.queues.names[queue]}' is over its share: it holds {amounts}"
    return None


def _nodes_refuse(session: Session, pod: int) -> tuple[str, bool]:
    """How many nodes refuse for which reason, with the first of each; and whether some node would have the pod."""
    snapshot = session.snapshot
    refused: dict[str, list[int]] = {}
    request = session.request[snapshot.pods.shape[pod]]
    allowed = session.rankings.of(pod).allowed
    for node in np.flatnonzero(~allowed).tolist():
        refused.setdefault(_clause(session.points.plugins, pod, node), []).append(node)
    left, idle = allowed.copy(), session.idle_unreserved()
    for resource in np.flatnonzero(request):
        short = left & (idle[resource] < request[resource])
        if short.any():
            refused[f"not enough {snapshot.resources[resource]} idle"] = np.flatnonzero(short).tolist()
            left &= ~short
    shape = snapshot.shapes[snapshot.pods.shape[pod]]
    if shape.device_count and left.any():
        short = left & ((session.devices_free >= shape.device_milli).sum(axis=1) < shape.device_count)
        if short.any():
            text = f"no {shape.device_count} devices with {shape.device_milli} thousandths free"
            refused[text] = np.flatnonzero(short).tolist()
            left &= ~short
    nodes = np.flatnonzero(left)
    welcome = session.points.allowed_now(pod, nodes)
    for node in nodes[~welcome].tolist():
        refused.setdefault(_clause(session.points.filtering_now, pod, node), []).append(node)
    ordered = sorted(refused.items(), key=lambda item: (-len(item[1]), item[0]))
    parts = []
    for text, who in ordered[:MOST_EXAMPLES]:
        first = snapshot.nodes.names[who[0]]
        parts.append(f"1 node ({first}): {text}" if len(who) == 1 else f"{len(who)} nodes ({first} …): {text}")
    more = len(ordered) - MOST_EXAMPLES
    return ", ".join(parts) + (f", and {more} other reasons" if more > 0 else ""), bool(welcome.any())


def _clause(plugins: Sequence[Plugin], pod: int, node: int) -> str:
    """Which plugin refuses a node, and why."""
    for plugin in plugins:
        clause = plugin.refusal(pod, node)
        if clause:
            return f"{plugin.name}: {clause}"
    return "a plugin refuses it"


def _who_spares(session: Session, pod: int) -> str:
    """Which plugins let none of the pods go that ``pod`` might evict in its queue."""
    pods = session.snapshot.pods
    others = (session.snapshot.groups.queue[pods.group] == session.queue_of(pod)) & (pods.group != pods.group[pod])
    running = np.flatnonzero(others & pods.preemptable & (session.pod_phase == PodPhase.RUNNING)).tolist()
    if not running:
        return " (no other pod of its queue runs that may be evicted)"
    names = [plugin.name for plugin in session.points.judging_victims if plugin.preemptable(pod, running) == []]
    return f" ({' and '.join(names)} spare{'s' if len(names) == 1 else ''} all of them)" if names else ""
