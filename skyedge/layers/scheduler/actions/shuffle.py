"""Shuffle: send away running pods that a plugin wants gone, such as those on nodes whose hours are over (tdm)."""

from __future__ import annotations

import numpy as np

from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.session import Operation, Session


def shuffle(session: Session) -> None:
    """Evict the victims that the plugins name among the running pods, by (age, name)."""
    running = np.flatnonzero(session.pod_phase == PodPhase.RUNNING)
    for pod in session.points.victims(running):
        session.do(Operation.EVICT, np.array([pod]), [int(session.pod_node[pod])], [1])
        session.commit()
