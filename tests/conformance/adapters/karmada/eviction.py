"""Cases about who has to leave a cluster, and when the copy that is left behind is deleted."""

from __future__ import annotations

import math

from skyedge.layers.federation import failover

from .objects import Answer, Given, placement_from, plain_task, taint_from, task_from, tolerations_from


def graceful_eviction_task(given: Given) -> Answer:
    """Whether a copy stays."""
    kept, _ = failover.assess_tasks(
        [task_from(given["task"])], placement_from(given), given["now"], given["timeout_seconds"]
    )
    return {"kept": bool(kept)}


def graceful_eviction_tasks(given: Given) -> Answer:
    """Which copies stay."""
    tasks = [task_from(task) for task in given["tasks"]]
    kept, evicted_from = failover.assess_tasks(tasks, placement_from(given), given["now"], given["timeout_seconds"])
    return {"kept": [plain_task(task) for task in kept], "evicted_from": evicted_from}


def graceful_eviction_next_retry(given: Given) -> Answer:
    """When to look again."""
    tasks = [task_from(task) for task in given["tasks"]]
    return {"retry_after_seconds": failover.next_look_s(tasks, given["now"], given["timeout_seconds"])}


def min_toleration_time(given: Given) -> Answer:
    """How long taints are tolerated."""
    taints = [taint_from(taint) for taint in given["no_execute_taints"]]
    seconds = failover.tolerated_for_s(taints, tolerations_from(given["matching_tolerations"]), given["now"])
    return {"seconds": none_for_ever(seconds)}


def need_eviction(given: Given) -> Answer:
    """Whether, and when, a workload has to go."""
    taints = [taint_from(taint) for taint in given["taints"]]
    tolerations = tolerations_from(given["tolerations"])
    seconds = failover.evicted_after_s(taints, tolerations, given["now"], given["eviction_enabled"])
    return {"evict_now": seconds == 0, "evict_after_seconds": none_for_ever(seconds)}


def none_for_ever(seconds: float) -> float | None:
    """For ever is null."""
    return None if math.isinf(seconds) else seconds
