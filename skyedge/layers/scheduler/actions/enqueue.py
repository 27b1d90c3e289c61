"""Enqueue: let jobs in while there is any hope of resources for them, so that the cluster is not flooded with pods."""

from __future__ import annotations

import numpy as np

from skyedge.layers.scheduler.objects import GroupPhase
from skyedge.layers.scheduler.queueing import Turns
from skyedge.layers.scheduler.session import Session


def enqueue(session: Session) -> None:
    """Move groups from Pending to Inqueue, queue by queue, while the plugins agree.

    A group that names no least resources is let in at once.
    """
    groups = session.snapshot.groups
    turns = Turns(session, np.flatnonzero(session.group_phase == GroupPhase.PENDING).tolist())
    while (queue := turns.next_queue()) is not None:
        group = turns.next_job(queue)
        if group is None:
            continue
        if not groups.has_min_resources[group] or session.points.job_enqueueable(group):
            session.group_phase[group] = GroupPhase.INQUEUE
            session.queue_inqueue[queue] += groups.min_resources[group]
        else:
            members = session.members(group)
            session.refuse(group, "enqueue", int(members[0]) if len(members) else -1)
        turns.put_queue(queue)
