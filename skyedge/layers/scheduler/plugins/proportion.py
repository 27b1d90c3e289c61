"""Proportion: queues share the cluster by weight, and what one does not need goes to the others (``proportion``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import PODS, UNLIMITED, Ints
from skyedge.layers.scheduler.objects import GroupPhase
from skyedge.layers.scheduler.plugin import Floats, Key, Plugin, Vote

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

SLACK = 0.1
"""Amounts nearer than this are the same (Volcano's least amount of a resource)."""


class Proportion(Plugin):
    """Each queue deserves its share of the cluster by weight, bounded by what it asks for and may have."""

    name = "proportion"

    def open(self, session: Session) -> None:
        super().open(session)
        snapshot = session.snapshot
        queues = snapshot.queues
        has_jobs = np.bincount(snapshot.groups.queue, minlength=len(queues)) > 0
        capability = positive_ceilings(queues.capability)
        self._ceiling = real_capability(session.total, capability, queues.guarantee)
        self._deserved: Ints = np.floor(
            deserved_shares(
                session.total,
                np.where(has_jobs, queues.weight, 0),
                session.queue_request,
                capability,
                queues.guarantee,
            )
            + SLACK
        ).astype(np.int64)
        self._divisor = np.where(self._deserved > 0, self._deserved, np.inf)
        self._inqueue = admitted_before(session, deduct_allocated=False)

    def queue_order(self, queue: int) -> Key:
        """Queues by priority, then by the largest share of what they deserve."""
        share = (self.session.queue_allocated[queue] / self._divisor[queue]).max()
        return (-int(self.session.snapshot.queues.priority[queue]), float(share))

    def overused(self, queue: int) -> bool:
        return bool((self._deserved[queue] <= self.session.queue_allocated[queue]).all())

    def allocatable(self, queue: int, shape: int) -> int:
        if not self.session.snapshot.queues.open[queue]:
            return 0
        return room(self._deserved[queue], self.session.queue_allocated[queue], self.session.request[shape])

    def preemptive(self, queue: int, pod: int) -> bool:
        return self.allocatable(queue, int(self.session.snapshot.pods.shape[pod])) > 0

    def reclaimable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        session = self.session
        held: dict[int, Ints] = {}
        victims = []
        for victim in candidates:
            queue = session.queue_of(victim)
            allocated = held.setdefault(queue, session.queue_allocated[queue].copy())
            if (allocated > self._deserved[queue]).any():
                allocated -= session.request[session.snapshot.pods.shape[victim]]
                victims.append(victim)
        return victims

    def job_enqueued(self, group: int) -> Vote:
        session = self.session
        queue = int(session.snapshot.groups.queue[group])
        if not session.snapshot.queues.open[queue]:
            return Vote.REJECT
        least = session.snapshot.groups.min_resources[group]
        held = session.queue_allocated[queue] + self._inqueue[queue] + session.queue_inqueue[queue]
        wanted = least + held - session.queue_elastic[queue]
        return Vote.PERMIT if fits_where_asked(wanted, self._ceiling[queue], least) else Vote.REJECT

    def ceiling(self, queue: int) -> Ints:
        """The most that the queue can ever have, (resources,)."""
        return self._ceiling[queue]

    def deserved(self, queue: int) -> Ints:
        """What the queue deserves, (resources,)."""
        return self._deserved[queue]


def deserved_shares(total: Ints, weight: Ints, request: Ints, capability: Ints, guarantee: Ints) -> Floats:
    """Weighted water-filling: rounds in which the unmet queues share what is left, until nothing is or nobody wants more.

    Args:
        total: (resources,).
        weight: (queues,); a queue of weight 0 has no part.
        request, capability, guarantee: (queues, resources); a capability of UNLIMITED is none.

    Returns:
        (queues, resources), what each queue deserves.
    """
    ceiling = real_capability(total, capability, guarantee).astype(np.float64)
    remaining = total.astype(np.float64)
    deserved: Floats = np.zeros(request.shape)
    unmet = weight > 0
    while unmet.any():
        part = np.where(unmet, weight, 0) / weight[unmet].sum()
        offer = np.minimum(np.minimum(deserved + remaining * part[:, None], ceiling), request)
        after = np.where(unmet[:, None], np.maximum(offer, guarantee), deserved)
        met = (request <= after + SLACK).all(axis=1) | (after == deserved).all(axis=1)
        change = (after - deserved).sum(axis=0)
        left = np.maximum(remaining - change, 0.0)
        deserved, unmet = after, unmet & ~met
        if (left < SLACK).all() or (left == remaining).all():
            break
        remaining = left
    return deserved


def real_capability(total: Ints, capability: Ints, guarantee: Ints) -> Ints:
    """What each queue can have at most: its capability, and the cluster less what is guaranteed to others."""
    return np.minimum(capability, np.maximum(total - guarantee.sum(axis=0), 0) + guarantee)


def positive_ceilings(capability: Ints) -> Ints:
    """A capability of no CPU or no memory is taken for none given, as in Volcano."""
    ceilings = capability.copy()
    first = ceilings[:, :PODS]
    first[first <= 0] = UNLIMITED
    return ceilings


def largest_share(held: Ints, of: Ints) -> float:
    """The largest of held ÷ of over the resources of which there is any; 0 if there is none."""
    shares = held / np.where(of > 0, of, np.inf)
    return float(shares.max(initial=0.0))


def room(ceiling: Ints, held: Ints, request: Ints) -> int:
    """How many times ``request`` fits between ``held`` and ``ceiling``, on what it asks for, pod slots apart."""
    fits = 1 << 40
    for resource, (need, top, now) in enumerate(zip(request.tolist(), ceiling.tolist(), held.tolist(), strict=True)):
        if need and resource != PODS:
            fits = min(fits, (top - now) // need)
    return max(0, fits)


def fits_where_asked(wanted: Ints, ceiling: Ints, request: Ints) -> bool:
    """Whether ``wanted`` is within ``ceiling`` on what ``request`` asks for, pod slots apart."""
    asked = request > 0
    asked[PODS] = False
    return bool((wanted <= ceiling)[asked].all())


def admitted_before(session: Session, *, deduct_allocated: bool) -> Ints:
    """What groups that were let in earlier still hold back of each queue, (queues, resources).

    A running group holds back what it lacks of its least resources, unless it has lost pods for good; a group that is
    only let in holds back all of them, or with ``deduct_allocated`` what it lacks.
    """
    groups = session.snapshot.groups
    lacking = np.maximum(groups.min_resources - session.group_allocated, 0)
    inqueue = groups.phase == GroupPhase.INQUEUE
    enough = np.array(session.occupied, np.int64) >= groups.min_member
    running = (groups.phase == GroupPhase.RUNNING) & enough
    held = np.where(running[:, None], lacking, 0)
    held[inqueue] = (lacking if deduct_allocated else groups.min_resources)[inqueue]
    held[~groups.has_min_resources] = 0
    out = np.zeros((len(session.snapshot.queues), len(session.snapshot.resources)), np.int64)
    np.add.at(out, groups.queue, held)
    return out
