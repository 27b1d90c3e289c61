"""Why each pod is where it is, or why it waits: said after the cycle, from the accounts as they then stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.objects import THOUSANDTHS, GroupPhase, PodPhase, is_bytes
from skyedge.layers.scheduler.snapshot import PODS, Ints

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
    known: dict[tuple[int, int], str] = {}
    for row in waiting.tolist():
        if row in committed:
            continue
        key = (int(snapshot.pods.group[row]), int(snapshot.pods.shape[row]))
        if key not in known:
            known[key] = _waits(session, row)
        pods[snapshot.pods.names[row]] = known[key]
        groups.setdefault(snapshot.groups.names[key[0]], _group_waits(session, key[0]))
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


def _group_waits(session: Session, group: int) -> str:
    causes = [cause for cause, _ in session.refused.get(group, [])]
    least, held = int(session.snapshot.groups.min_member[group]), session.occupied[group]
    if session.group_phase[group] == GroupPhase.PENDING and "enqueue" in session.configuration.actions:
        return _CAUSES["enqueue"]
    invalid = session.points.job_invalid(group)
    if invalid:
        return invalid
    for cause in ("topology", "gang", "overused", "reservation", "behind"):
        if cause in causes:
            return f"{_CAUSES[cause]} ({held} of {least} placed)"
    return f"{held} of {least} placed"


def _waits(session: Session, pod: int) -> str:
    snapshot = session.snapshot
    if snapshot.pods.gated[pod]:
        return "waits: it has scheduling gates"
    group = int(snapshot.pods.group[pod])
    causes = [cause for cause, _ in session.refused.get(group, [])]
    reasons = []
    never = why_never(session, pod)
    if never:
        return f"can never run: {never}"
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
    reasons += [f"{text}" for cause, text in _CAUSES.items() if cause in causes and cause not in ("enqueue", "overused")]
    nodes = _nodes_refuse(session, pod)
    if nodes:
        reasons.append(nodes)
    return "waits: " + ("; ".join(reasons) if reasons else "others were served first")


def _over_its_share(session: Session, queue: int, pod: int) -> str | None:
    request = session.request[session.snapshot.pods.shape[pod]]
    for plugin in session.points.plugins:
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


def _nodes_refuse(session: Session, pod: int) -> str | None:
    """How many nodes refuse for which reason, and an example of each."""
    snapshot = session.snapshot
    counts: Counter[str] = Counter()
    request = session.request[snapshot.pods.shape[pod]]
    allowed = session.rankings.of(pod).allowed
    for node in np.flatnonzero(~allowed).tolist():
        clauses = (plugin.refusal(pod, node) for plugin in session.points.plugins)
        counts[next((clause for clause in clauses if clause), "a plugin refuses it")] += 1
    left = allowed.copy()
    for resource in np.flatnonzero(request):
        short = left & (session.idle[resource] < request[resource])
        if short.any():
            counts[f"not enough {snapshot.resources[resource]} idle"] += int(short.sum())
            left &= ~short
    shape = snapshot.shapes[snapshot.pods.shape[pod]]
    if shape.device_count and left.any():
        short = left & ((session.devices_free >= shape.device_milli).sum(axis=1) < shape.device_count)
        if short.any():
            counts[f"no {shape.device_count} devices with {shape.device_milli} thousandths free"] += int(short.sum())
    if not counts:
        return None
    parts = [f"{many} {'node' if many == 1 else 'nodes'}: {text}" for text, many in counts.most_common(MOST_EXAMPLES)]
    more = len(counts) - MOST_EXAMPLES
    return ", ".join(parts) + (f", and {more} other reasons" if more > 0 else "")


def why_never(session: Session, pod: int) -> str | None:
    """Why ``pod`` could not run even in an empty cluster, or None if it could."""
    snapshot = session.snapshot
    request = session.request[snapshot.pods.shape[pod]]
    queue = session.queue_of(pod)
    for plugin in session.points.plugins:
        ceiling = getattr(plugin, "ceiling", None)
        over = None if ceiling is None else _beyond(snapshot.resources, request, ceiling(queue))
        if over:
            return f"it asks for more {over} than its queue '{snapshot.queues.names[queue]}' may ever have"
    allowed = session.rankings.of(pod).allowed
    if not len(snapshot.nodes):
        return "there are no nodes"
    if not allowed.any():
        clause = next(filter(None, (plugin.refusal(pod, 0) for plugin in session.points.plugins)), "")
        return f"no node will have it{f' ({clause}, for example)' if clause else ''}"
    roomy = (snapshot.nodes.allocatable[allowed] >= request).all(axis=1)
    shape = snapshot.shapes[snapshot.pods.shape[pod]]
    if shape.device_count:
        devices = snapshot.nodes.devices[allowed]
        roomy &= (devices >= shape.device_milli).sum(axis=1) >= shape.device_count
    if roomy.any():
        return None
    most: Ints = snapshot.nodes.allocatable[allowed].max(axis=0)
    over = _beyond(snapshot.resources, request, most)
    if over:
        return f"it asks for more {over} than any node that would have it has"
    return "no single node that would have it has enough of all that it asks for"


def impossible_groups(session: Session) -> dict[str, str]:
    """Groups that can never run as they stand, and why: of the pods that they need at least, too few ever could."""
    snapshot = session.snapshot
    groups, pods = snapshot.groups, snapshot.pods
    pending = np.flatnonzero(session.pod_phase == PodPhase.PENDING)
    # Pods of one kind in one queue share their fate.
    fate: dict[Hashable, str | None] = {}
    never: dict[int, str] = {}
    lost: Counter[int] = Counter()
    pairs, first, many = np.unique(
        np.stack([pods.group[pending], pods.shape[pending]]), axis=1, return_index=True, return_counts=True
    )
    for group, row, count in zip(pairs[0].tolist(), pending[first].tolist(), many.tolist(), strict=True):
        key = (int(groups.queue[group]), session.points.kind(row))
        if key not in fate:
            fate[key] = why_never(session, row)
        reason = fate[key]
        if reason:
            lost[group] += count
            never.setdefault(group, reason)
    return {
        groups.names[group]: reason
        for group, reason in never.items()
        if session.alive[group] - lost[group] < max(1, int(groups.min_member[group]))
    }


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
