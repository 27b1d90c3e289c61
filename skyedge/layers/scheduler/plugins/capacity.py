"""Capacity: queues deserve what the user says, may borrow beyond it, and give back what others deserve (``capacity``).

With ``hierarchy`` queues form a tree: jobs stand in its leaves, every ancestor must have room, and victims are taken from
the nearest relatives first.  ``ancestorReclaimLevel`` says how many levels of ancestors have a say in reclaiming.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.scheduler.columns import PODS, Flags, Ints
from skyedge.layers.scheduler.plugin import Arguments, Key, Plugin, Vote
from skyedge.layers.scheduler.plugins.proportion import (
    admitted_before,
    fits_where_asked,
    largest_share,
    positive_ceilings,
    real_capability,
    room,
)
from skyedge.layers.scheduler.queue_tree import QueueTree

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session


class Capacity(Plugin):
    """Queues with a deserved amount, a guarantee and a ceiling."""

    name = "capacity"
    known_arguments = ("ancestorReclaimLevel",)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        level = self.number("ancestorReclaimLevel", 0)
        if level != int(level):
            raise InputError(f"the argument 'ancestorReclaimLevel' of 'capacity' should be a whole number, not {level}")
        self._level = max(0, int(level))

    def open(self, session: Session) -> None:
        super().open(session)
        queues = session.snapshot.queues
        self._tree = QueueTree(queues, nested=self.hierarchy)
        ceilings = positive_ceilings(queues.capability)
        if self.hierarchy:
            self._ceiling = self._tree.ceilings(ceilings, queues.guarantee)
            self._deserved = self._tree.deserved(np.maximum(queues.deserved, queues.guarantee))
        else:
            self._ceiling = real_capability(session.total, ceilings, queues.guarantee)
            there = session.total > 0
            bounded = np.where(there, np.minimum(queues.deserved, self._ceiling), queues.deserved)
            self._deserved = np.maximum(bounded, queues.guarantee)
        self._inqueue = admitted_before(session, deduct_allocated=True)
        in_use = np.unique(session.snapshot.groups.queue)
        self._sound = not self.hierarchy or not any(self._tree.children[queue] for queue in in_use)

    def ceiling(self, queue: int) -> Ints:
        """The most that the queue can ever have, (resources,)."""
        return self._ceiling[queue]

    def deserved(self, queue: int) -> Ints:
        """What the queue deserves, (resources,)."""
        return self._deserved[queue]

    def _held(self, queue: int) -> Ints:
        """What the queue and all below it hold."""
        return self._tree.sum_below(self.session.queue_allocated, queue)

    def _lineage(self, queue: int) -> list[int]:
        return [queue, *self._tree.ancestors(queue)]

    def queue_order(self, queue: int) -> Key:
        priority = -int(self.session.snapshot.queues.priority[queue])
        line = [self._share_key(branch) for branch in reversed(self._lineage(queue)[: self._tree.depth(queue) + 1])]
        return (priority, bool(self._tree.children[queue]), tuple(line))

    def _share_key(self, queue: int) -> tuple[float, bool, int]:
        deserved = self._deserved[queue]
        # A queue between two that are compared is the same in both; its row keeps strangers apart.
        row = queue if self.hierarchy else 0
        return (queue_share(self._held(queue), deserved, deserved > 0), not deserved.any(), row)

    def victim_queue_order(self, queue: int, preemptor_queue: int) -> Key:
        """Nearer relatives of the preemptor's queue give first."""
        return -self._tree.common_levels(queue, preemptor_queue) if self.hierarchy else 0

    def allocatable(self, queue: int, shape: int) -> int:
        session = self.session
        if not session.snapshot.queues.open[queue] or not self._sound or self._tree.children[queue]:
            return 0
        request = session.request[shape]
        return min(room(self._ceiling[above], self._held(above), request) for above in self._lineage(queue))

    def job_enqueued(self, group: int) -> Vote:
        session, groups = self.session, self.session.snapshot.groups
        queue = int(groups.queue[group])
        if not self._sound or self._tree.children[queue] or not session.snapshot.queues.open[queue]:
            return Vote.REJECT
        if not groups.has_min_resources[group]:
            return Vote.PERMIT
        least = groups.min_resources[group]
        held = session.queue_allocated + self._inqueue + session.queue_inqueue - session.queue_elastic
        for above in self._lineage(queue):
            if not fits_where_asked(least + self._tree.sum_below(held, above), self._ceiling[above], least):
                return Vote.REJECT
        return Vote.PERMIT

    def preemptive(self, queue: int, pod: int) -> bool:
        session = self.session
        if not self._sound or not session.snapshot.queues.open[queue]:
            return False
        request = session.request[session.snapshot.pods.shape[pod]]
        if not fits_where_asked(self._held(queue) + request, self._ceiling[queue], request):
            return False
        candidates = [queue, *self._tree.ancestors(queue)[: self._level]]
        return any(self._has_a_claim(candidate, request) for candidate in candidates)

    def _has_a_claim(self, queue: int, request: Ints) -> bool:
        """Whether, on some resource asked for, the queue stays within what it deserves."""
        if self._tree.is_root(queue):
            return False
        deserved = self._deserved[queue]
        asked = (request > 0) & (deserved > 0)
        return bool((self._held(queue) + request <= deserved)[asked].any())

    def reclaimable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        if not self._sound:
            return []
        session = self.session
        shapes = session.snapshot.pods.shape
        wanted = session.request[shapes[pod]]
        mine = session.queue_of(pod)
        held: dict[int, Ints] = {}
        victims = []
        for victim in session.points.victim_order(candidates, pod):
            request, queue = session.request[shapes[victim]], session.queue_of(victim)
            if not _beside_slots((request > 0) & (wanted > 0)).any():
                continue
            allocated = held.setdefault(queue, self._held(queue).copy())
            if (allocated - request < session.snapshot.queues.guarantee[queue]).any():
                continue
            if not (request[self._deserved[queue] > 0] > 0).any():
                if self._near_relatives(queue, mine) and not (wanted[self._deserved[mine] > 0] > 0).any():
                    continue
            elif not self._exceeds(allocated, queue, request):
                continue
            above = self._ancestors_with_a_say(queue, mine)
            held.update({a: self._held(a).copy() for a in above if a not in held})
            if not all(self._gives(held[a], a, request) for a in above):
                continue
            for changed in (queue, *above):
                held[changed] -= request
            victims.append(victim)
        return victims

    def _exceeds(self, allocated: Ints, queue: int, request: Ints) -> bool:
        """Whether the queue holds more than it deserves of something that the victim has."""
        deserved = self._deserved[queue]
        return bool((allocated > deserved)[(request > 0) & (deserved > 0)].any())

    def _gives(self, allocated: Ints, ancestor: int, request: Ints) -> bool:
        claims = (request[self._deserved[ancestor] > 0] > 0).any()
        return not claims or self._exceeds(allocated, ancestor, request)

    def _ancestors_with_a_say(self, queue: int, mine: int) -> list[int]:
        """Ancestors of a victim's queue that are not also the preemptor's at the same level."""
        theirs, own = self._tree.ancestors(queue), self._tree.ancestors(mine)
        levels = range(min(self._level, len(theirs)))
        return [
            theirs[n] for n in levels if not self._tree.is_root(theirs[n]) and not (n < len(own) and own[n] == theirs[n])
        ]

    def _near_relatives(self, queue: int, mine: int) -> bool:
        if not self.hierarchy or not self._level:
            return False
        shared = set(self._tree.ancestors(queue)[: self._level]).intersection(self._tree.ancestors(mine)[: self._level])
        return any(not self._tree.is_root(ancestor) for ancestor in shared)


def queue_share(allocated: Ints, deserved: Ints, says_deserved: Flags) -> float:
    """The largest share of what the queue deserves; 1 for a queue that deserves nothing, so that it comes last."""
    there = says_deserved & (deserved > 0)
    return largest_share(allocated[there], deserved[there]) if there.any() else 1.0


def _beside_slots(flags: Flags) -> Flags:
    flags[PODS] = False
    return flags
