"""Cases about which cluster counts as ready, who has to leave one, and when the copy that is left behind is deleted."""

from __future__ import annotations

import math

from skyedge.layers.federation import failover
from skyedge.layers.federation.failover_settings import EvictionRate
from skyedge.layers.federation.health import ClusterHealth, Condition, HealthSettings

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


CONDITIONS = {
    (True, True): Condition.READY,
    (True, False): Condition.FAILING,
    (False, False): Condition.NOT_READY,
    (False, True): Condition.PROVING,
}
"""By what is said of a cluster and what is seen of it."""


def cluster_condition(given: Given) -> Answer:
    """What is said of a cluster after another look that sees the same."""
    settings = HealthSettings(
        failure_threshold_s=given["failure_threshold_seconds"], success_threshold_s=given["success_threshold_seconds"]
    )
    before = ClusterHealth(CONDITIONS[given["current"], given["observed"]], -given["seen_for_seconds"])
    return {"ready": before.reported(given["observed"], 0, settings).condition.counts_as_ready}


def eviction_rate(given: Given) -> Answer:
    """How long after one workload the next one leaves; null while none does."""
    rate = EvictionRate(given["per_s"], given["secondary_per_s"], given["unhealthy_share"], given["large_clusters"])
    per_s = rate.now_per_s(given["not_ready"], given["clusters"])
    return {"next_after_seconds": 1 / per_s if per_s else None}
