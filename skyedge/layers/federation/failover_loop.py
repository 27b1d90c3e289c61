"""The failover of many workloads in virtual time: events in order, and at each of them what the rules say.

A *copy* is the replicas of one workload on one cluster.  It serves while its cluster is up, from when it is healthy until it
is deleted.  A copy whose cluster is declared dead is evicted, in its turn: new copies are placed, their data and images
brought, and when all of them are healthy the old copy is deleted, never before (Karmada: or when its time is up).  Nothing
moves back when a cluster returns.

Where copies go, and how long they take, is asked of :class:`~skyedge.layers.federation.failover_events.Homes` and
:class:`~skyedge.layers.federation.failover_events.Starts`.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.detection import Sighting, Spells
from skyedge.layers.federation.failover_events import Copies, Event, Floats, Homes, Starts, Timeline
from skyedge.layers.federation.failover_moves import Copy, Move, Turn
from skyedge.layers.federation.failover_settings import FailoverSettings


def run_failover(
    settings: FailoverSettings,
    running: Copies,
    clusters: int,
    down: Spells,
    seen: Sequence[Sighting],
    homes: Homes,
    starts: Starts,
    tolerated_s: Floats,
    until_s: float = math.inf,
) -> Timeline:
    """Run until nothing more happens, or ``until_s``.

    Args:
        settings: the rules.
        running: copies at the beginning, in the order in which those of one cluster are evicted.
        clusters: how many there are.
        down: when clusters are dead.
        seen: what the control plane sees of it; see :func:`skyedge.layers.federation.detection.watch`.
        homes: where copies go.
        starts: how long they take.
        tolerated_s: how long each workload puts up with a dead cluster, (workloads,); infinite: for ever.  Of
            :func:`skyedge.layers.federation.failover.evicted_after_s`.
        until_s: what comes later is not looked at.
    """
    loop = _Loop(settings, running, clusters, homes, starts, tolerated_s)
    for cluster, from_s, end_s in zip(down.cluster.tolist(), down.from_s.tolist(), down.until_s.tolist(), strict=True):
        loop.plan(from_s, Turn.DOWN, cluster)
        loop.plan(end_s, Turn.UP, cluster)
    for sighting in seen:
        loop.plan(sighting.suspected_at_s, Turn.SUSPECTED, sighting.cluster)
        loop.plan(sighting.declared_at_s, Turn.DECLARED, sighting.cluster)
        loop.plan(sighting.cleared_at_s, Turn.CLEARED, sighting.cluster)
    return loop.run(until_s)


class _Loop:
    def __init__(
        self,
        settings: FailoverSettings,
        running: Copies,
        clusters: int,
        homes: Homes,
        starts: Starts,
        tolerated_s: Floats,
    ) -> None:
        self._settings, self._homes, self._starts, self._tolerated_s = settings, homes, starts, tolerated_s
        columns = (running.workload, running.cluster, running.replicas, running.healthy_at_s, running.deleted_at_s)
        self._copies = [Copy(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        self._on: list[list[Copy]] = [[] for _ in range(clusters)]
        self._of: dict[int, list[Copy]] = {}
        for copy in self._copies:
            self._on[copy.cluster].append(copy)
            self._of.setdefault(copy.workload, []).append(copy)
        self._down, self._suspected, self._declared = (np.zeros(clusters, bool) for _ in range(3))
        self._events: list[tuple[float, Turn, int, object]] = []
        self._planned = 0
        self._queue: deque[Copy] = deque()
        self._next_eviction_s = -math.inf
        self._eviction_planned = False
        self._rows: list[tuple[float, Event, int, int, int]] = []
        self._because: dict[int, str] = {}
        self._deleted_alone = 0
        self._homeless: list[Move] = []

    def plan(self, at_s: float, turn: Turn, what: object = None) -> None:
        """Let something happen; what lies at infinity never does."""
        if at_s < math.inf:
            heapq.heappush(self._events, (at_s, turn, self._planned, what))
            self._planned += 1

    def run(self, until_s: float) -> Timeline:
        """Take events in order of time, turn and when they were planned."""
        steps = {
            Turn.DOWN: self._goes_down,
            Turn.UP: self._comes_up,
            Turn.CLEARED: self._is_cleared,
            Turn.SUSPECTED: self._is_suspected,
            Turn.DECLARED: self._is_declared,
            Turn.PLACED: self._are_placed,
            Turn.HEALTHY: self._may_be_healthy,
            Turn.EXPIRED: self._has_expired,
        }
        while self._events and self._events[0][0] < until_s:
            now_s, turn, _, what = heapq.heappop(self._events)
            if turn is Turn.EVICT:
                if isinstance(what, Copy):
                    self._queue.append(what)
                    continue_at = self._events[0][:2] if self._events else None
                    if continue_at == (now_s, Turn.EVICT):
                        continue  # the queue takes all that is due before it is looked at
                else:
                    self._eviction_planned = False
                self._evict(now_s)
            else:
                steps[turn](now_s, what)  # type: ignore[operator]
        return self._timeline()

    # ------------------------------------------------------------------------------------------- clusters

    def _goes_down(self, now_s: float, cluster: int) -> None:
        self._down[cluster] = True
        self._say(now_s, Event.DOWN, cluster)

    def _comes_up(self, now_s: float, cluster: int) -> None:
        self._down[cluster] = False
        self._say(now_s, Event.UP, cluster)
        for copy in list(self._on[cluster]):
            if copy.expired:
                self._delete(now_s, copy)  # and looked for again once the cluster is ready
            elif not copy.started:  # its cluster died before it ran
                self._start(now_s, [copy])

    def _is_suspected(self, now_s: float, cluster: int) -> None:
        self._suspected[cluster] = True
        self._say(now_s, Event.SUSPECTED, cluster)

    def _is_declared(self, now_s: float, cluster: int) -> None:
        self._declared[cluster] = True
        self._say(now_s, Event.DETECTED, cluster)
        if not self._settings.evicts:
            return
        self._say(now_s, Event.TAINTED, cluster)
        self._plan_evictions(now_s, cluster)

    def _is_cleared(self, now_s: float, cluster: int) -> None:
        was_declared, self._declared[cluster], self._suspected[cluster] = bool(self._declared[cluster]), False, False
        if not was_declared:
            return
        self._say(now_s, Event.RECOVERED, cluster)
        if self._settings.adopts:
            for copy in list(self._on[cluster]):
                if copy.move is not None and not copy.move.over:
                    self._call_off(now_s, copy.move)
        self._try_again(now_s)

    # ---------------------------------------------------------------------------------------------- moves

    def _evict(self, now_s: float) -> None:
        """Take from the queue what the rate lets go, and find homes for all of it at once."""
        rate = self._settings.rate
        if rate is None:
            due = [copy for copy in dict.fromkeys(self._queue) if self._is_to_leave(copy)]  # one may be due twice
            self._queue.clear()
        else:
            while self._queue and not self._is_to_leave(self._queue[0]):
                self._queue.popleft()
            if not self._queue:
                return
            per_s = rate.now_per_s(int(self._declared.sum()), len(self._declared))
            if per_s == 0:
                # A halted queue is looked at again after half an hour, as Karmada's is; in vain, if nothing else is to come.
                if self._events:
                    self._look_again(now_s + 1800.0)
                return
            if now_s < self._next_eviction_s:
                self._look_again(self._next_eviction_s)
                return
            due = [self._queue.popleft()]
            self._next_eviction_s = now_s + 1 / per_s
            if self._queue:
                self._look_again(self._next_eviction_s)
        if due:
            self._find_homes(now_s, due)

    def _look_again(self, at_s: float) -> None:
        if not self._eviction_planned:
            self._eviction_planned = True
            self.plan(at_s, Turn.EVICT)

    def _is_to_leave(self, copy: Copy) -> bool:
        return copy.there and copy.move is None and bool(self._declared[copy.cluster])

    def _find_homes(self, now_s: float, due: list[Copy]) -> None:
        settings = self._settings
        workload = np.array([copy.workload for copy in due], np.intp)
        wanted = np.array([copy.replicas for copy in due], np.int64)
        found = self._homes.find(workload, wanted, self._closed(), whole=not settings.checks_room_first)
        placed: list[Move] = []
        for copy, homes in zip(due, found, strict=True):
            if homes is None:
                if self._others_serve(copy):
                    self._say(now_s, Event.EVICTED, copy.cluster, copy.workload, copy.replicas)
                    self._delete(now_s, copy)
                    self._settle(now_s, copy)
                    continue
                homes = ()
            new = sum(replicas for _, replicas in homes)
            if new < copy.replicas:
                if because := self._homes.why_not(copy.workload):
                    self._because[len(self._rows)] = because
                self._say(now_s, Event.NOWHERE, copy.cluster, copy.workload, copy.replicas - new)
            if settings.checks_room_first:
                if not new:
                    continue
                if new < copy.replicas:  # what has no other home keeps the one it has
                    stays = replace(copy, replicas=copy.replicas - new, move=None)
                    if copy.for_move is not None:
                        copy.for_move.waiting += 1
                        copy.for_move.new.append(stays)
                    self._add(stays)
                    copy.replicas = new
                    if not copy.started:  # it goes on starting
                        self.plan(copy.ready_at_s, Turn.HEALTHY, stays)
            self._say(now_s, Event.EVICTED, copy.cluster, copy.workload, copy.replicas)
            copy.move = Move(copy, homes)
            (placed if homes else self._homeless).append(copy.move)
            self.plan(now_s + settings.graceful_timeout_s, Turn.EXPIRED, copy)
        self.plan(now_s + settings.decision_s, Turn.PLACED, placed)

    def _try_again(self, now_s: float) -> None:
        """There may be room now: for what was evicted without it, and for what was not evicted for want of it."""
        if self._settings.checks_room_first:
            for cluster in np.flatnonzero(self._declared).tolist():
                self._plan_evictions(now_s, cluster)
        # Nobody looks for a home for what still runs where it should not.
        waiting = [move for move in self._homeless if not move.old.there or self._declared[move.old.cluster]]
        if not waiting:
            return
        workload = np.array([move.old.workload for move in waiting], np.intp)
        wanted = np.array([move.old.replicas for move in waiting], np.int64)
        found = self._homes.find(workload, wanted, self._closed(), whole=True)
        for move, homes in zip(waiting, found, strict=True):
            if homes:
                move.homes = homes
                self._homeless.remove(move)
        placed = [move for move in waiting if move.homes]
        self.plan(now_s + self._settings.decision_s, Turn.PLACED, placed)

    def _closed(self) -> NDArray[np.bool_]:
        """Clusters that take nothing new."""
        return self._declared | self._suspected if self._settings.shuns_suspects else self._declared

    def _plan_evictions(self, now_s: float, cluster: int) -> None:
        for copy in self._on[cluster]:
            if copy.move is None:
                self.plan(now_s + float(self._tolerated_s[copy.workload]), Turn.EVICT, copy)

    def _are_placed(self, now_s: float, moves: list[Move]) -> None:
        moves = [move for move in moves if not move.over]
        copies = []
        for move in moves:
            for where, replicas in move.homes:
                copy = Copy(move.old.workload, where, replicas, math.inf, started=False, for_move=move)
                move.new.append(copy)
                move.waiting += 1
                self._add(copy)
                self._say(now_s, Event.REPLACED, where, copy.workload, replicas)
                if not self._down[where]:
                    copies.append(copy)
                # Declared since it was chosen.  A dead cluster of which nobody knows yet is left in its turn.
                if self._declared[where] and self._settings.evicts:
                    self.plan(now_s + float(self._tolerated_s[copy.workload]), Turn.EVICT, copy)
        self._start(now_s, copies)

    def _start(self, now_s: float, copies: list[Copy]) -> None:
        if not copies:
            return
        begun = self._starts.begin(
            now_s,
            np.array([copy.workload for copy in copies], np.intp),
            np.array([copy.cluster for copy in copies], np.intp),
            np.array([copy.replicas for copy in copies], np.int64),
        )
        times = (column.tolist() for column in begun)
        for copy, started_s, data_s, ready_s in zip(copies, *times, strict=True):
            copy.started_at_s, copy.data_at_s, copy.ready_at_s = started_s, data_s, ready_s
            self.plan(ready_s, Turn.HEALTHY, copy)

    def _may_be_healthy(self, now_s: float, copy: Copy) -> None:
        if copy.started or not copy.there or self._down[copy.cluster]:
            return
        copy.started, copy.healthy_at_s = True, now_s
        self._say(copy.data_at_s, Event.DATA_THERE, copy.cluster, copy.workload, copy.replicas)
        self._say(copy.started_at_s, Event.STARTED, copy.cluster, copy.workload, copy.replicas)
        self._say(now_s, Event.HEALTHY, copy.cluster, copy.workload, copy.replicas)
        self._settle(now_s, copy)

    def _settle(self, now_s: float, copy: Copy) -> None:
        """A copy for which a move waited runs, or others run in its place."""
        move, copy.for_move = copy.for_move, None
        if move is None or move.over:
            return
        move.waiting -= 1
        if move.waiting == 0:
            move.over = True
            if move.old.for_move is not None:
                move.old.for_move.new += move.new  # they stand in for it
            self._delete(now_s, move.old)
            self._settle(now_s, move.old)

    def _call_off(self, now_s: float, move: Move) -> None:
        """The old copy is well after all: the new ones, which do not yet serve in its place together, are not needed."""
        self._say(now_s, Event.KEPT, move.old.cluster, move.old.workload, move.old.replicas)
        move.over = True
        move.old.move = None
        if not move.new:  # not even placed
            for cluster, replicas in move.homes:
                self._homes.give_back(move.old.workload, cluster, replicas)
        for copy in move.new:
            if copy.there and (copy.move is None or not copy.move.over):
                if copy.move is not None:
                    self._call_off(now_s, copy.move)
                self._say(now_s, Event.CALLED_OFF, copy.cluster, copy.workload, copy.replicas)
                self._delete(now_s, copy, said=False)

    def _has_expired(self, now_s: float, copy: Copy) -> None:
        if copy.there and copy.move is not None and not copy.move.over:
            if self._down[copy.cluster]:
                copy.expired = True  # nobody there could delete it; it is deleted when the cluster is back
            else:
                self._delete(now_s, copy)
                self._try_again(now_s)

    # --------------------------------------------------------------------------------------------- copies

    def _add(self, copy: Copy) -> None:
        self._copies.append(copy)
        self._on[copy.cluster].append(copy)
        self._of.setdefault(copy.workload, []).append(copy)

    def _delete(self, now_s: float, copy: Copy, said: bool = True) -> None:
        if not copy.there:
            return
        if copy.started and not self._down[copy.cluster] and not self._others_serve(copy):
            self._deleted_alone += copy.replicas
        copy.deleted_at_s = now_s
        self._on[copy.cluster].remove(copy)
        self._of[copy.workload].remove(copy)
        self._homes.give_back(copy.workload, copy.cluster, copy.replicas)
        if said:
            self._say(now_s, Event.DELETED, copy.cluster, copy.workload, copy.replicas)

    def _others_serve(self, copy: Copy) -> bool:
        return any(self._serves(other) for other in self._of[copy.workload] if other is not copy)

    def _serves(self, copy: Copy) -> bool:
        return copy.started and copy.there and not self._down[copy.cluster]

    def _say(self, at_s: float, event: Event, cluster: int, workload: int = -1, replicas: int = 0) -> None:
        self._rows.append((at_s, event, workload, cluster, replicas))

    def _timeline(self) -> Timeline:
        rows = np.array(self._rows, np.float64).reshape(-1, 5)
        order = np.argsort(rows[:, 0], kind="stable")
        rows = rows[order]
        because = {row: self._because[said] for row, said in enumerate(order.tolist()) if said in self._because}
        of = self._copies
        copies = Copies(
            np.array([copy.workload for copy in of], np.intp),
            np.array([copy.cluster for copy in of], np.intp),
            np.array([copy.replicas for copy in of], np.int64),
            np.array([copy.healthy_at_s for copy in of], np.float64),
            np.array([copy.deleted_at_s for copy in of], np.float64),
        )
        return Timeline(
            rows[:, 0],
            rows[:, 1].astype(np.uint8),
            rows[:, 2].astype(np.intp),
            rows[:, 3].astype(np.intp),
            rows[:, 4].astype(np.int64),
            copies,
            self._deleted_alone,
            because,
        )
