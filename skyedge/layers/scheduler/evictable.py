"""Where room could be made: the pods that might be evicted, by node, and what each node would regain without them.

A preemptor could look at every node and ask who would have to leave; with thousands of nodes and preemptors that is
the whole cost of a cycle.  So what each node would regain is summed up once for a set of groups and kept up to date on
the nodes that have been touched since, and only nodes where the sum is enough are looked at.  The sum is an upper
bound: which of the pods may really be evicted, plugins say node by node.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Ints, Rows
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.session import Session


class Evictable:
    """Pods in one of ``phases`` that allow it to be evicted."""

    def __init__(self, session: Session, phases: tuple[PodPhase, ...]) -> None:
        self._session = session
        self._counts_in: Flags = np.zeros(len(PodPhase), np.bool_)
        self._counts_in[list(phases)] = True
        pods = session.snapshot.pods
        rows = np.flatnonzero(pods.preemptable & self._counts_in[session.pod_phase])
        self._rows = rows[np.argsort(pods.node[rows], kind="stable")]
        self._first = np.searchsorted(pods.node[self._rows], np.arange(len(session.snapshot.nodes) + 1))
        self._key: Hashable = None
        self._freed: Ints = np.zeros((0, 0), np.int64)
        self._many: Ints = np.zeros(0, np.int64)
        self._version = -1

    def on(self, node: int, groups: Flags, *, best_effort_only: bool) -> list[int]:
        """Pods of ``groups`` on ``node``."""
        rows = self._still(self._rows[self._first[node] : self._first[node + 1]], groups, best_effort_only)
        listed: list[int] = rows.tolist()
        return listed

    def regained(self, groups: Flags, *, best_effort_only: bool) -> tuple[Ints, Ints]:
        """What each node would regain if all its pods of ``groups`` left, (resources, nodes), and how many they are."""
        session = self._session
        nodes = len(session.snapshot.nodes)
        key = (groups.tobytes(), best_effort_only)
        if key != self._key:
            self._freed, self._many = np.zeros((len(session.snapshot.resources), nodes), np.int64), np.zeros(nodes, np.int64)
            self._add(self._still(self._rows, groups, best_effort_only))
            self._key = key
        elif session.version != self._version:
            touched = np.flatnonzero(session.touched_at > self._version)
            self._freed[:, touched], self._many[touched] = 0, 0
            rows = [self._rows[self._first[node] : self._first[node + 1]] for node in touched]
            self._add(self._still(np.concatenate([np.zeros(0, np.intp), *rows]), groups, best_effort_only))
        self._version = session.version
        return self._freed, self._many

    def _still(self, rows: Rows, groups: Flags, best_effort_only: bool) -> Rows:
        """Those of ``rows`` that are of ``groups`` and have not been evicted in this cycle."""
        session = self._session
        rows = rows[groups[session.snapshot.pods.group[rows]]]
        rows = rows[self._counts_in[session.pod_phase[rows]]]
        return rows[session.pod_is_best_effort[rows]] if best_effort_only else rows

    def _add(self, rows: Rows) -> None:
        pods = self._session.snapshot.pods
        nodes, needs = pods.node[rows], self._session.request[pods.shape[rows]]
        self._many += np.bincount(nodes, minlength=len(self._many))
        for resource in np.flatnonzero(needs.any(axis=0)):
            # Exact below 2^53, which no node reaches.
            freed = np.bincount(nodes, weights=needs[:, resource], minlength=len(self._many))
            self._freed[resource] += freed.astype(np.int64)
