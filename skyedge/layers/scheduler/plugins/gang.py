"""Gang: a job starts with enough of its pods or not at all (Volcano's plugin ``gang``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skyedge.layers.scheduler.columns import Flags
from skyedge.layers.scheduler.objects import PodPhase
from skyedge.layers.scheduler.plugin import Key, Plugin, Vote

if TYPE_CHECKING:
    from skyedge.layers.scheduler.session import Session

GONE = (PodPhase.FAILED, PodPhase.RELEASING)
"""Phases in which a pod no longer counts."""


class Gang(Plugin):
    """All or nothing, up to the job's ``min_member``, and to its roles' own if these ask for no more than that."""

    name = "gang"

    def open(self, session: Session) -> None:
        super().open(session)
        groups = session.snapshot.groups
        self._least = groups.min_member.tolist()
        self._could_spare: Flags = np.array(session.alive) > groups.min_member
        self._roles: dict[int, Mapping[str, int]] = {
            group: roles
            for group, roles in enumerate(groups.min_task_member)
            if roles and self._least[group] >= sum(roles.values())
        }

    def job_valid(self, group: int) -> str | None:
        alive = self.session.alive[group]
        if alive < self._least[group]:
            return f"has {alive} of the {self._least[group]} pods that it needs at least"
        if group in self._roles:
            pods, members = self.session.snapshot.pods, self.session.members(group)
            alive = members[~np.isin(self.session.pod_phase[members], GONE)]
            there = Counter(pods.role[pod] for pod in alive)
            for role, least in self._roles[group].items():
                if there[role] < least:
                    return f"has {there[role]} of the {least} pods of role '{role}' that it needs at least"
        return None

    def job_order(self, group: int) -> Key:
        """Jobs that are not ready go before those that are."""
        return self.job_ready(group)

    def job_ready(self, group: int) -> bool:
        session = self.session
        if session.occupied[group] + session.pending_best_effort[group] < self._least[group]:
            return False
        return group not in self._roles or self._roles_have(group, session.role_occupied[group])

    def pods_until_ready(self, group: int, role: str) -> int:
        session = self.session
        return max(1, self._least[group] - session.occupied[group] - session.pending_best_effort[group])

    def job_pipelined(self, group: int) -> Vote:
        session = self.session
        held = session.occupied[group] + session.waiting[group] + session.pending_best_effort[group]
        have = Counter(session.role_occupied.get(group, Counter())) + session.role_waiting.get(group, Counter())
        return Vote.PERMIT if held >= self._least[group] and self._roles_have(group, have) else Vote.REJECT

    def job_starving(self, group: int) -> bool:
        return self.session.occupied[group] + self.session.waiting[group] < self._least[group]

    def may_lose(self, pod: int) -> Flags:
        return self._could_spare

    def preemptable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        """A job may lose what it has beyond its least number."""
        group_of = self.session.snapshot.pods.group
        left: dict[int, int] = {}
        victims = []
        for victim in candidates:
            group = int(group_of[victim])
            if left.setdefault(group, self.session.occupied[group]) > self._least[group]:
                left[group] -= 1
                victims.append(victim)
        return victims

    def reclaimable(self, pod: int, candidates: Sequence[int]) -> list[int] | None:
        """The same across queues."""
        return self.preemptable(pod, candidates)

    def _roles_have(self, group: int, have: Mapping[str, int]) -> bool:
        roles = self._roles.get(group)
        return roles is None or all(have.get(role, 0) >= least for role, least in roles.items())
