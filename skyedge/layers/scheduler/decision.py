"""From a snapshot to a decision: the scheduler as a function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.scheduler.actions import ACTION
from skyedge.layers.scheduler.columns import Rows, Snapshot
from skyedge.layers.scheduler.configuration import Configuration
from skyedge.layers.scheduler.explain import Explanations, explain_all
from skyedge.layers.scheduler.impossible import impossible_groups
from skyedge.layers.scheduler.objects import GroupPhase, PodPhase
from skyedge.layers.scheduler.session import Change, Operation, Session


@dataclass(frozen=True, eq=False)
class Decision:
    """What is to be done, as rows of the snapshot's columns.

    Attributes:
        bound_pods, bound_nodes: pods that are to start, and where.
        pipelined_pods, pipelined_nodes: pods with a reservation on what is being released.
        evicted_pods: pods that are to leave.
        group_phase: phase of each group after the cycle, (groups,).
        devices: for a pod that was bound, the devices of its node that it gets.
        explanations: why, if it was asked for.
    """

    session: Session
    bound_pods: Rows
    bound_nodes: Rows
    pipelined_pods: Rows
    pipelined_nodes: Rows
    evicted_pods: Rows
    group_phase: NDArray[np.int8]
    devices: dict[int, list[int]] = field(default_factory=dict)
    explanations: Explanations | None = None

    @property
    def snapshot(self) -> Snapshot:
        """What the decision is about."""
        return self.session.snapshot

    @cached_property
    def impossible(self) -> dict[str, str]:
        """Groups that can never run as they stand, however long they wait, and why."""
        return impossible_groups(self.session)

    def binds(self) -> Iterator[tuple[str, str]]:
        """Pairs of pod and node by name."""
        pods, nodes = self.snapshot.pods.names, self.snapshot.nodes.names
        for pod, node in zip(self.bound_pods.tolist(), self.bound_nodes.tolist(), strict=True):
            yield pods[pod], nodes[node]

    def pipelined(self) -> Iterator[tuple[str, str]]:
        """Pairs of pod and node by name."""
        pods, nodes = self.snapshot.pods.names, self.snapshot.nodes.names
        for pod, node in zip(self.pipelined_pods.tolist(), self.pipelined_nodes.tolist(), strict=True):
            yield pods[pod], nodes[node]

    def evicted(self) -> list[str]:
        """Names of the pods that are to leave."""
        return [self.snapshot.pods.names[pod] for pod in self.evicted_pods]

    def phases(self) -> dict[str, GroupPhase]:
        """Phase of each group by name."""
        return {name: GroupPhase(p) for name, p in zip(self.snapshot.groups.names, self.group_phase, strict=True)}


def schedule(snapshot: Snapshot, configuration: Configuration, *, explain: bool = False) -> Decision:
    """Run one cycle.

    Raises:
        InputError: for a plugin or an argument that is not known.
    """
    session = Session(snapshot, configuration)
    for action in configuration.actions:
        ACTION[action](session)
    return decide(session, explain=explain)


def decide(session: Session, *, explain: bool = False) -> Decision:
    """The decision that a session has come to."""
    bound = [change for change in session.committed if change.operation is Operation.ALLOCATE]
    reserved = [change for change in session.committed if change.operation is Operation.PIPELINE]
    evicted = [change for change in session.committed if change.operation is Operation.EVICT]
    bound_pods, pipelined_pods = _rows(bound), _rows(reserved)
    return Decision(
        session=session,
        bound_pods=bound_pods,
        bound_nodes=session.pod_node[bound_pods],
        pipelined_pods=pipelined_pods,
        pipelined_nodes=session.pod_node[pipelined_pods],
        evicted_pods=_rows(evicted),
        group_phase=_phases_after(session, bound_pods),
        devices=session.devices_of,
        explanations=explain_all(session) if explain else None,
    )


def _rows(changes: list[Change]) -> Rows:
    return np.sort(np.concatenate([change.pods for change in changes])) if changes else np.zeros(0, np.intp)


def _phases_after(session: Session, bound: Rows) -> NDArray[np.int8]:
    """A group runs when as many of its pods as it needs are bound; without the enqueue action it counts as let in."""
    groups, pods = session.snapshot.groups, session.snapshot.pods
    phase = session.group_phase.copy()
    if "enqueue" not in session.configuration.actions:
        phase[phase == GroupPhase.PENDING] = GroupPhase.INQUEUE
    placed = np.isin(pods.phase, (PodPhase.BOUND, PodPhase.RUNNING, PodPhase.SUCCEEDED))
    placed[bound] = True
    many = np.bincount(pods.group[placed], minlength=len(groups))
    enough = (many >= groups.min_member) & (many > 0) & (phase == GroupPhase.INQUEUE)
    phase[enough] = GroupPhase.RUNNING
    return phase
