"""Several schedulers over one cluster: each decides on a cached view, and commits are optimistic.

This is shared-state scheduling (Schwarzkopf, Konwinski, Abd-El-Malek and Wilkes, "Omega", EuroSys 2013), which CCE Turbo
offers beside Volcano.  In a round every scheduler looks at the same view, decides about its own jobs, and commits them one
job at a time; a job whose place was taken by another scheduler in the same round is a *conflict*: nothing of it is
committed, and its scheduler tries again on the next round's view.

The price of going parallel is conflicts, and packing makes them common, for all schedulers see the same best node.
``sharding`` is the cure: each scheduler prefers its own share of the nodes (soft) or keeps to it (hard).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Rows, Snapshot
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.decision import Decision, decide, schedule
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.session import Operation, Session

Sharding = Literal["none", "soft", "hard"]


@dataclass(frozen=True, eq=False)
class SharedDecision:
    """What several schedulers came to together.

    Attributes:
        decision: what is to be done, all schedulers' commits together.
        rounds: how often views were taken.
        commits: jobs that were committed, by scheduler.
        conflicts: jobs that lost their place to another scheduler, by scheduler.
        busiest: in each round, the most pods that one scheduler decided about: what the round would last if all
            schedulers ran side by side.
    """

    decision: Decision
    rounds: int
    commits: tuple[int, ...]
    conflicts: tuple[int, ...]
    busiest: tuple[int, ...]

    def conflict_share(self) -> float:
        """Conflicts ÷ tries to commit."""
        tries = sum(self.commits) + sum(self.conflicts)
        return sum(self.conflicts) / tries if tries else 0.0


def schedule_shared(
    snapshot: Snapshot,
    configuration: Configuration,
    schedulers: int,
    *,
    sharding: Sharding = "none",
    batch_pods: int | None = None,
    owner: Rows | None = None,
    explain: bool = False,
) -> SharedDecision:
    """Let ``schedulers`` work until nothing more finds a place.

    Args:
        batch_pods: how many pods a scheduler decides about before it commits; all of its own if None.  A smaller batch
            means a fresher view.
        owner: which scheduler has each group, (groups,); dealt in turn if None.
    """
    owners = np.arange(len(snapshot.groups)) % schedulers if owner is None else owner
    shard = np.arange(len(snapshot.nodes)) % schedulers
    cluster = _Cluster(snapshot, configuration, schedulers)
    open_groups: Flags = np.ones(len(snapshot.groups), np.bool_)
    busiest: list[int] = []
    view = snapshot
    while open_groups.any():
        batches = [_batch(view, (owners == scheduler) & open_groups, batch_pods) for scheduler in range(schedulers)]
        decisions = [
            _decide(view, configuration, batch, shard == scheduler, sharding) for scheduler, batch in enumerate(batches)
        ]
        busiest.append(max(len(decision.bound_pods) for decision in decisions))
        before = len(cluster.pods)
        lost = [cluster.commit(decision, scheduler) for scheduler, decision in enumerate(decisions)]
        cluster.let_in(decisions)
        tried = np.any(batches, axis=0)
        # What found no place on a view finds none on a fuller one; what lost its place, or got a part, tries again.
        again = [group for some in lost for group in some]
        again += [group for decision in decisions for group in np.unique(view.pods.group[decision.bound_pods])]
        open_groups &= ~tried
        open_groups[again] = True
        if not tried.any():
            break
        view = replace(view, groups=replace(view.groups, phase=cluster.session.group_phase.copy()))
        view = _after(view, cluster.pods[before:], cluster.nodes[before:])
    return SharedDecision(
        decision=decide(cluster.session, explain=explain),
        rounds=len(busiest),
        commits=tuple(cluster.commits),
        conflicts=tuple(cluster.conflicts),
        busiest=tuple(busiest),
    )


class _Cluster:
    """The truth that all schedulers commit to: nodes that may be full by now, queues that may have their share."""

    def __init__(self, snapshot: Snapshot, configuration: Configuration, schedulers: int) -> None:
        self.session = Session(snapshot, configuration)
        self.pods: list[Rows] = []
        self.nodes: list[Rows] = []
        self.commits = [0] * schedulers
        self.conflicts = [0] * schedulers

    def commit(self, decision: Decision, scheduler: int) -> list[int]:
        """Take a scheduler's jobs one by one, each whole or not at all; the groups that conflict."""
        session, group_of = self.session, self.session.snapshot.pods.group
        order = np.argsort(group_of[decision.bound_pods], kind="stable")
        rows, places = decision.bound_pods[order], decision.bound_nodes[order]
        firsts = np.flatnonzero(np.diff(group_of[rows], prepend=-1))
        lost = []
        for pods, nodes in zip(np.split(rows, firsts[1:]), np.split(places, firsts[1:]), strict=True):
            if not len(pods):
                continue
            if not self._take(pods, nodes):
                session.rollback(0)
                self.conflicts[scheduler] += 1
                lost.append(int(group_of[pods[0]]))
                continue
            session.commit()
            self.commits[scheduler] += 1
            self.pods.append(pods)
            self.nodes.append(nodes)
        return lost

    def let_in(self, decisions: Sequence[Decision]) -> None:
        """Groups that a scheduler has let in are in."""
        for decision in decisions:
            np.maximum(self.session.group_phase, decision.session.group_phase, out=self.session.group_phase)

    def _take(self, pods: Rows, nodes: Rows) -> bool:
        """Enter the pods of one job into the accounts, as far as there is room; whether it was for all of them."""
        session = self.session
        shapes = session.snapshot.pods.shape[pods]
        queue = session.queue_of(int(pods[0]))
        for shape in np.unique(shapes):
            alike = np.flatnonzero(shapes == shape)
            alike = alike[np.argsort(nodes[alike], kind="stable")]
            touched, counts = np.unique(nodes[alike], return_counts=True)
            wanted = session.request[shape][:, None] * counts
            full = (session.idle[:, touched] < wanted).any()
            if full or session.points.allocatable(queue, int(shape)) < len(alike):
                return False
            session.do(Operation.ALLOCATE, pods[alike], touched, counts)
        return True


def _batch(view: Snapshot, groups: Flags, batch_pods: int | None) -> Flags:
    """Of ``groups``, those with waiting pods, the oldest first, up to ``batch_pods`` pods."""
    waiting = np.bincount(view.pods.group[view.pods.phase == PodPhase.PENDING], minlength=len(view.groups))
    chosen: Flags = groups & (waiting > 0)
    if batch_pods is not None:
        ahead = np.cumsum(np.where(chosen, waiting, 0)) - waiting
        chosen &= ahead < batch_pods
    return chosen


def _decide(view: Snapshot, configuration: Configuration, groups: Flags, shard: Flags, sharding: Sharding) -> Decision:
    """What one scheduler, alone with the view, would do about ``groups``."""
    if not groups.any():
        return decide(Session(view, replace(configuration, actions=())))
    own = replace(view, pods=replace(view.pods, gated=view.pods.gated | ~groups[view.pods.group]))
    if sharding == "none":
        return schedule(own, configuration)
    elsewhere = replace(own, nodes=replace(own.nodes, unschedulable=own.nodes.unschedulable | ~shard))
    first = schedule(elsewhere, configuration)
    if sharding == "hard":
        return first
    rest = schedule(_after(own, [first.bound_pods], [first.bound_nodes]), configuration)
    return replace(
        rest,
        bound_pods=np.concatenate([first.bound_pods, rest.bound_pods]),
        bound_nodes=np.concatenate([first.bound_nodes, rest.bound_nodes]),
    )


def _after(view: Snapshot, pods: list[Rows], nodes: list[Rows]) -> Snapshot:
    """The view when ``pods`` are bound."""
    phase, node = view.pods.phase.copy(), view.pods.node.copy()
    for some, places in zip(pods, nodes, strict=True):
        phase[some], node[some] = PodPhase.BOUND, places
    return replace(view, pods=replace(view.pods, phase=phase, node=node))
