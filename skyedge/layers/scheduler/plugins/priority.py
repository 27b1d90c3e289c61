"""Priority: the more important goes first and may preempt the less important (Volcano's plugin ``priority``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyedge.layers.scheduler.columns import Flags, Rows
from skyedge.layers.scheduler.plugin import Floats, Key, Plugin


class Priority(Plugin):
    """Jobs by the priority of their pod group, pods by their own."""

    name = "priority"

    def job_order(self, group: int) -> Key:
        return -int(self.session.snapshot.groups.priority[group])

    def task_order(self, pods: Rows) -> Floats:
        return -self.session.snapshot.pods.priority[pods].astype(np.float64)

    def job_starving(self, group: int) -> bool:
        """A job starves while one of its pods has neither a place nor a reservation."""
        return self.session.occupied[group] + self.session.waiting[group] < len(self.session.members(group))

    def may_lose(self, pod: int) -> Flags:
        groups, mine = self.session.snapshot.groups, int(self.session.snapshot.pods.group[pod])
        lesser: Flags = groups.priority < groups.priority[mine]
        lesser[mine] = True
        return lesser

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        pods, groups = self.session.snapshot.pods, self.session.snapshot.groups
        mine = int(pods.group[pod])
        return [
            victim
            for victim in candidates
            if (
                pods.priority[victim] < pods.priority[pod]
                if pods.group[victim] == mine
                else groups.priority[pods.group[victim]] < groups.priority[mine]
            )
        ]
