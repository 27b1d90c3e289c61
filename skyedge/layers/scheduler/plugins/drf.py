"""Dominant resource fairness between jobs (``drf``), and, with ``hierarchy``, down a tree of queues (HDRF).

A job's share is the largest of its shares of any resource (Ghodsi et al., NSDI 2011); the job with the least share goes
first.  The hierarchical form is in :mod:`skyedge.layers.scheduler.plugins.hierarchical_drf`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import Ints
from skyedge.layers.scheduler.plugin import Key, Plugin
from skyedge.layers.scheduler.plugins.hierarchical_drf import ShareTree
from skyedge.layers.scheduler.plugins.proportion import largest_share

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

SHARE_SLACK = 1e-6


class Drf(Plugin):
    """Jobs by dominant share; a job may preempt one that would still be ahead of it afterwards."""

    name = "drf"

    def open(self, session: Session) -> None:
        super().open(session)
        self._divisor = np.where(session.total > 0, session.total, np.inf)  # of what there is none, nobody holds any
        self._tree = ShareTree(session) if self.hierarchy else None

    def job_order(self, group: int) -> Key:
        session = self.session
        if not session.occupied[group] and not session.waiting[group]:
            return 0.0  # most jobs, most of the time
        return self._share(session.group_allocated[group])

    def _share(self, allocated: Ints) -> float:
        return float((allocated / self._divisor).max())

    def queue_order(self, queue: int) -> Key:
        return () if self._tree is None else self._tree.key(queue)

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        session, pods = self.session, self.session.snapshot.pods
        mine = session.group_allocated[pods.group[pod]] + session.request[pods.shape[pod]]
        wanted = self._share(mine)
        held: dict[int, Ints] = {}
        victims = []
        for victim in candidates:
            group = int(pods.group[victim])
            allocated = held.setdefault(group, session.group_allocated[group].copy())
            allocated -= session.request[pods.shape[victim]]
            if wanted <= self._share(allocated) + SHARE_SLACK:
                victims.append(victim)
        return victims


def dominant_share(allocated: Ints, total: Ints) -> float:
    """The largest share of any resource; of a resource that there is none of, any amount is all of it."""
    return largest_share(allocated, np.where(total > 0, total, allocated))
