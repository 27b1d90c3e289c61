"""Overcommit: let in a little more than the cluster holds, and no more (Volcano's plugin ``overcommit``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import Ints
from skyedge.layers.scheduler.objects import GroupPhase
from skyedge.layers.scheduler.plugin import Arguments, Plugin, Vote
from skyedge.layers.scheduler.plugins.proportion import admitted_before

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

DEFAULT_FACTOR = 1.2
FACTOR_OF = "overcommit-factor."


class Overcommit(Plugin):
    """Admits a job while its least resources fit into factor × total − used − let in but not placed.

    Arguments: ``overcommit-factor``, and ``overcommit-factor.RESOURCE`` for one of them; below 1 it is taken for 1.2.
    """

    name = "overcommit"
    known_arguments = ("overcommit-factor", FACTOR_OF)

    def __init__(self, arguments: Arguments, hierarchy: bool = False) -> None:
        super().__init__(arguments, hierarchy)
        self._usual = self.number("overcommit-factor", DEFAULT_FACTOR)
        self._factor_of = {
            key.removeprefix(FACTOR_OF): self.number(key, self._usual) for key in arguments if FACTOR_OF in key
        }

    def open(self, session: Session) -> None:
        super().open(session)
        factor = np.array([self._factor_of.get(name, self._usual) for name in session.snapshot.resources])
        factor[factor < 1] = DEFAULT_FACTOR
        used = session.snapshot.nodes.allocatable.sum(axis=0) - session.idle.sum(axis=1)
        before = admitted_before(session, deduct_allocated=False).sum(axis=0)
        self._most: Ints = np.floor(session.total * factor).astype(np.int64)
        self._idle = self._most - used - before

    def job_enqueued(self, group: int) -> Vote:
        groups = self.session.snapshot.groups
        if not groups.has_min_resources[group]:
            return Vote.PERMIT
        idle = self._idle - self.session.queue_inqueue.sum(axis=0)
        if groups.phase[group] == GroupPhase.INQUEUE:
            idle = idle + groups.min_resources[group]
        least = groups.min_resources[group]
        return Vote.PERMIT if (least <= idle)[least > 0].all() else Vote.REJECT

    def ceiling(self, queue: int) -> Ints:
        """The most that any queue could have let in, were the cluster empty, (resources,)."""
        return self._most
