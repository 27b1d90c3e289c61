"""Planned moves of clusters: drained to be empty, to be upgraded, or to leave; told row by row.

The life of a cluster (:mod:`skyedge.layers.federation.membership`) says what may follow on what.  A drain is an eviction
from a cluster that is well: new copies start elsewhere, in room that was looked for first, and an old copy goes when all
that replace it are healthy, so that no request is lost.  Only a cluster that is empty is upgraded, or leaves; what has
nowhere to go stays, the drain ends there, and it is told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from skyedge.layers.federation.detection import Sighting, Spells
from skyedge.layers.federation.failover import evicted_after_s
from skyedge.layers.federation.failover_events import Event as Happening
from skyedge.layers.federation.failover_events import Timeline
from skyedge.layers.federation.failover_loop import run_failover
from skyedge.layers.federation.failover_settings import SKYEDGE
from skyedge.layers.federation.membership import TAINTS, Event, Membership, Phase
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.quotas import Quota
from skyedge.layers.federation.scene import Scene, TimelineRow
from skyedge.layers.federation.timeline import SENTENCES
from skyedge.wording import counted

UPGRADE_S = 600.0
"""How long a control plane is upgraded once its cluster is empty (assumed)."""


class Purpose(Enum):
    """What a cluster is emptied for."""

    DRAIN = "drain"
    UPGRADE = "upgrade"
    LEAVE = "leave"


@dataclass(frozen=True)
class PlannedMove:
    """A cluster that is drained from ``at_s`` on."""

    cluster: str
    purpose: Purpose
    at_s: float = 0.0


PLANNED_SENTENCES: dict[Happening, str | None] = SENTENCES | {
    Happening.TAINTED: None,  # the drain is the taint
    Happening.DETECTED: "{cluster} is drained: nothing new goes there",
    Happening.EVICTED: "{replicas} of {workload} {leave} {cluster} once others serve",
    Happening.RECOVERED: "{cluster} is upgraded, and takes work again",
}
"""What a row says of a cluster that is well."""

PLANNED_NAMES = {Happening.DETECTED: "draining", Happening.EVICTED: "leaving", Happening.RECOVERED: "upgraded"}


def planned_timeline(
    clusters: Sequence[Cluster],
    workloads: Sequence[Workload],
    placements: Mapping[str, Mapping[str, int]],
    moves: Sequence[PlannedMove],
    memberships: Mapping[str, Membership],
    *,
    quotas: Sequence[Quota] = (),
    seed: int = 0,
    upgrade_s: float = UPGRADE_S,
) -> tuple[TimelineRow, ...]:
    """What happens, in the order of time.

    Args:
        clusters: all of the federation, as before the moves; their pools hold what is left beside ``placements``.
        workloads: those that run.
        placements: replicas by name of the workload and of the cluster.
        moves: which clusters are moved; each at most once.
        memberships: of every cluster.
        quotas: within which new homes are found.
        seed: keys how long containers take to start.
        upgrade_s: how long a control plane is upgraded.

    Raises:
        InputError: if a placement names what is not there, or the life of a cluster does not let it be moved so.
    """
    moves = sorted(moves, key=lambda move: (move.at_s, move.cluster))  # of two at one moment the first by name
    begun = {move.cluster: _begun(memberships[move.cluster], move) for move in moves}
    scene = Scene.of(clusters, workloads, placements)
    # An upgraded cluster is back some time after it was empty, and when that is, is known only when it was played: so it is
    # played again with the first of them back, then with the second.  What comes before a return is the same each time.
    upgraded_s: dict[str, float] = {}
    while True:
        back_s = {name: empty_s + upgrade_s for name, empty_s in upgraded_s.items()}
        timeline = _played(scene, moves, back_s, quotas, seed)
        # What runs on a cluster that is back does not make it any less empty before.
        emptied_s = {move.cluster: _emptied_s(scene, timeline, move) for move in moves} | upgraded_s
        waiting = [
            (emptied_s[move.cluster], move.cluster)
            for move in moves
            if move.purpose is Purpose.UPGRADE and move.cluster not in upgraded_s and emptied_s[move.cluster] < math.inf
        ]
        if not waiting:
            break
        first_s, name = min(waiting)
        upgraded_s[name] = first_s
    rows = scene.told(timeline, lambda event, *_: PLANNED_SENTENCES[event], PLANNED_NAMES)
    for move in moves:
        rows += _ends(scene, timeline, move, begun[move.cluster], emptied_s[move.cluster])
    return tuple(sorted(rows, key=lambda row: row.at_s))


def _begun(membership: Membership, move: PlannedMove) -> Membership:
    """The membership when the drain begins.

    Raises:
        InputError: if the table of its life does not let it, or will not let it do what it is drained for.
    """
    if move.purpose is not Purpose.DRAIN:
        # What can never be is said before anything is moved for it.
        after = {Purpose.UPGRADE: Event.UPGRADE, Purpose.LEAVE: Event.LEAVE}[move.purpose]
        replace(membership, phase=Phase.DRAINED).on(after, move.at_s)
        if membership.phase in (Phase.DRAINING, Phase.DRAINED):
            return membership
    return membership.on(Event.DRAIN, move.at_s)


def _played(
    scene: Scene, moves: Sequence[PlannedMove], back_s: Mapping[str, float], quotas: Sequence[Quota], seed: int
) -> Timeline:
    """The moves played, with those clusters back that are known to be."""
    (driving,) = (taint for taint in TAINTS[Phase.DRAINING] if taint.effect == "NoExecute")
    driving = replace(driving, added_at_s=0.0)
    tolerated_s = [evicted_after_s([driving], workload.rules.tolerations, 0.0) for workload in scene.workloads]
    drained = [
        Sighting(scene.number[move.cluster], math.inf, move.at_s, back_s.get(move.cluster, math.inf)) for move in moves
    ]
    return run_failover(
        SKYEDGE,
        scene.copies(),
        len(scene.names),
        Spells(),
        drained,
        scene.homes(quotas),
        scene.starting(seed),
        np.array(tolerated_s),
    )


def _emptied_s(scene: Scene, timeline: Timeline, move: PlannedMove) -> float:
    """When the last copy had gone; infinite: it never did."""
    copies = timeline.copies
    there = (copies.cluster == scene.number[move.cluster]) & (copies.deleted_at_s > move.at_s)
    mine = copies.deleted_at_s[there]
    return max(move.at_s, float(mine.max(initial=-math.inf)))


def _ends(scene: Scene, timeline: Timeline, move: PlannedMove, begun: Membership, emptied_s: float) -> list[TimelineRow]:
    """What becomes of the cluster itself."""
    name = move.cluster
    if emptied_s == math.inf:
        return [_stuck(scene, timeline, move, begun)]
    drained = begun if begun.phase is Phase.DRAINED else begun.on(Event.EMPTY, emptied_s)
    bound = scene.bound_to(name)
    empty = f"empty but for its own copies of {bound}" if bound else "empty"
    rows = [TimelineRow(emptied_s, "emptied", name, "", 0, f"{name} is {empty}, and {drained.phase.value}")]
    if move.purpose is Purpose.UPGRADE:
        drained.on(Event.UPGRADE, emptied_s).on(Event.UPGRADED, emptied_s)
        rows.append(TimelineRow(emptied_s, "upgrading", name, "", 0, f"{name} is being upgraded"))
    if move.purpose is Purpose.LEAVE:
        drained.on(Event.LEAVE, emptied_s)
        too = f", and its own copies of {bound} are gone with it" if bound else ""
        rows.append(TimelineRow(emptied_s, "left", name, "", 0, f"{name} has left the federation{too}"))
    return rows


def _stuck(scene: Scene, timeline: Timeline, move: PlannedMove, begun: Membership) -> TimelineRow:
    copies = timeline.copies
    stay = np.flatnonzero((copies.cluster == scene.number[move.cluster]) & (copies.deleted_at_s == math.inf))
    left: dict[str, int] = {}
    for row in stay.tolist():
        workload = scene.workloads[int(copies.workload[row])].name
        left[workload] = left.get(workload, 0) + int(copies.replicas[row])
    listed = ", ".join(f"{counted(count, 'replica(s)')} of {workload}" for workload, count in sorted(left.items()))
    hope = {Purpose.DRAIN: "", Purpose.UPGRADE: ", and is not upgraded", Purpose.LEAVE: ", and does not leave"}
    words = f"{move.cluster} stays {begun.phase.value}{hope[move.purpose]}: nowhere else to go for {listed}"
    at_s = max([move.at_s, *timeline.at_s.tolist()])
    return TimelineRow(at_s, "stuck", move.cluster, "", sum(left.values()), words)
