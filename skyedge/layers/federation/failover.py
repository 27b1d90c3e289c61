"""When a workload has to leave a cluster, and when the copy that it leaves behind is deleted.

A ``NoExecute`` taint drives out who does not tolerate it, at once or when a toleration has run out.  Eviction is graceful:
the old copy stays, as a task, until new ones are healthy or time is up.  Times are seconds on any one clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from skyedge.layers.federation.objects import Taint, Toleration
from skyedge.layers.scheduler.labels import tolerates

HEALTHY = "Healthy"

AT_ONCE_S = 1e-9
"""Not 0: there is something to look at."""


@dataclass(frozen=True)
class EvictionTask:
    """A copy that is to go.

    Attributes:
        from_cluster: where it is.
        created_at_s: when it was decided; None: not stamped yet.
        grace_period_s: its own time-out, if it has one.
        suppress_deletion: True keeps it for ever, False deletes it at once; None leaves it to the rules.
    """

    from_cluster: str
    created_at_s: float | None = None
    grace_period_s: float | None = None
    suppress_deletion: bool | None = None


@dataclass(frozen=True)
class Placement:
    """What has become of the workload elsewhere.

    Attributes:
        has_scheduled: whether the scheduler has answered to the eviction yet.
        clusters: where it decided to run the workload.
        health: what each cluster reports; nothing yet, if it is not in it.
    """

    has_scheduled: bool
    clusters: tuple[str, ...] = ()
    health: Mapping[str, str] | None = None

    @property
    def healthy(self) -> bool:
        """Whether all is running elsewhere."""
        health = self.health or {}
        return self.has_scheduled and all(health.get(cluster) == HEALTHY for cluster in self.clusters)


def keeps_task(task: EvictionTask, placement: Placement, now_s: float, timeout_s: float) -> bool:
    """Whether the old copy of a stamped task stays."""
    if task.suppress_deletion is not None:
        return task.suppress_deletion
    return now_s <= _expiry_s(task, now_s, timeout_s) and not placement.healthy


def assess_tasks(
    tasks: Iterable[EvictionTask], placement: Placement, now_s: float, timeout_s: float
) -> tuple[list[EvictionTask], list[str]]:
    """The tasks that stay, and the clusters whose copies are to be deleted now.  A task without a stamp gets one."""
    kept, evicted_from = [], []
    for task in tasks:
        if task.created_at_s is None:
            kept.append(replace(task, created_at_s=now_s))
        elif keeps_task(task, placement, now_s, timeout_s):
            kept.append(task)
        else:
            evicted_from.append(task.from_cluster)
    return kept, evicted_from


def next_look_s(tasks: Iterable[EvictionTask], now_s: float, timeout_s: float) -> float:
    """In how many seconds the first of the tasks runs out: :data:`AT_ONCE_S` if one has, 0 if none will."""
    left_s = [_expiry_s(task, now_s, timeout_s) - now_s for task in tasks if not task.suppress_deletion]
    return max(AT_ONCE_S, min(left_s)) if left_s else 0.0


def tolerated_for_s(taints: Sequence[Taint], tolerations: Sequence[Toleration], now_s: float) -> float:
    """How much longer ``NoExecute`` taints that are all tolerated stay so: infinite for ever, 0 if time is up.

    Args:
        taints: of effect ``NoExecute``.
        tolerations: those that match them; none of them means no toleration.
        now_s: the time.
    """
    if not taints:
        return math.inf
    if not tolerations:
        return 0.0
    ends = [
        taint.added_at_s + toleration.toleration_s
        for toleration in tolerations
        for taint in taints
        if toleration.toleration_s is not None and taint.added_at_s is not None and tolerates([toleration], taint)
    ]
    return max(0.0, min(ends, default=math.inf) - now_s)


def evicted_after_s(
    taints: Iterable[Taint], tolerations: Sequence[Toleration], now_s: float, eviction_enabled: bool = True
) -> float:
    """In how many seconds a workload has to leave a cluster with these taints: 0 for now, infinite for never.

    Args:
        taints: of the cluster, of any effect.
        tolerations: of the workload.
        now_s: the time.
        eviction_enabled: off by default in Karmada, where a dead cluster then moves nothing.
    """
    driving = [taint for taint in taints if taint.effect == "NoExecute"]
    if not eviction_enabled or not driving:
        return math.inf
    matching = []
    for taint in driving:
        # The first that matches speaks for the taint, as its author listed them.
        first = next((toleration for toleration in tolerations if tolerates([toleration], taint)), None)
        if first is None:
            return 0.0
        matching.append(first)
    return tolerated_for_s(driving, matching, now_s)


def _expiry_s(task: EvictionTask, now_s: float, timeout_s: float) -> float:
    created_at_s = now_s if task.created_at_s is None else task.created_at_s
    return created_at_s + (timeout_s if task.grace_period_s is None else task.grace_period_s)
