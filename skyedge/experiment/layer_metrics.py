"""What the pools of the control plane did and cost, from a run's record; nothing where no layer ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.experiment.federation_metrics import ALL_FEDERATION_METRICS, federation_figures
from skyedge.experiment.records import RunRecord
from skyedge.time import DAY, HOUR, MINUTE, SECOND, Instant

POOL_METRICS = ("pool_wait_p50_s", "pool_wait_p95_s", "pool_unanswered")
"""How long a picture that reached a pool waited for its answer, and how many did not get one by the end."""

ELASTIC_METRICS = (
    "cost_per_day",
    "cost_per_answer",
    "cost_reduction",
    "idle_share",
    "instance_hours_per_day",
    "most_instances",
    "cold_starts_per_day",
    "interruptions_per_day",
)
"""Cost is in the currency of the pool; ``cost_reduction`` is 1 - cost ÷ cost of having the most instances all the time."""

SCHEDULER_METRICS = (
    "gpu_utilisation",
    "gpu_lost_share",
    "job_wait_mean_min",
    "job_wait_p95_min",
    "jobs_not_begun",
    "training_completed",
    "evaluation_completed",
    "preemptions",
    "scheduling_cycles",
)
"""Jobs are those beside the bursts.  One that has not begun by the end has waited until then; ``gpu_lost_share`` is the
part of the devices' held time whose work was lost with an evicted pod; ``preemptions`` counts evicted pods."""

LAYER_METRICS = (*POOL_METRICS, *ELASTIC_METRICS, *SCHEDULER_METRICS, *ALL_FEDERATION_METRICS)


def layer_figures(record: RunRecord, answers: int, end: Instant) -> dict[str, float]:
    """The figures of the layers that ran; ``answers`` is how many scenes were answered in time."""
    federated = federation_figures(record, end)
    if not record.pools:
        return federated
    days = (end - record.start_us) / DAY
    waited_s = (record.served["finished_us"] - record.served["arrived_us"]) / SECOND if record.served else np.empty(0)
    figures = {
        **{f"pool_wait_p{percent}_s": _percentile(waited_s, percent) for percent in (50, 95)},
        "pool_unanswered": float(sum(pool["unfinished"] for pool in record.pools)),
    }
    elastic = [pool for pool in record.pools if "cost" in pool]
    if elastic:
        total = {name: sum(pool[name] for pool in elastic) for name in ("cost", "instance_s", "worked_s", "most_instances")}
        always = sum(pool["most_instances"] * pool["price_per_hour"] for pool in elastic) * (end - record.start_us) / HOUR
        figures |= {
            "cost_per_day": total["cost"] / days,
            "cost_per_answer": total["cost"] / answers if answers else float("nan"),
            "cost_reduction": 1 - total["cost"] / always if always else float("nan"),
            "idle_share": 1 - total["worked_s"] / total["instance_s"] if total["instance_s"] else float("nan"),
            "instance_hours_per_day": total["instance_s"] * SECOND / HOUR / days,
            "most_instances": total["most_instances"],
            "cold_starts_per_day": sum(pool["cold_starts"] for pool in elastic) / days,
            "interruptions_per_day": sum(pool["interruptions"] for pool in elastic) / days,
        }
    scheduled = [pool for pool in record.pools if "gpu_used_s" in pool]
    if scheduled:
        figures |= _scheduler_figures(record, scheduled, end)
    return figures | federated


def _scheduler_figures(record: RunRecord, pools: Sequence[Mapping[str, Any]], end: Instant) -> dict[str, float]:
    used_s, lost_s = (sum(pool[name] for pool in pools) for name in ("gpu_used_s", "gpu_lost_s"))
    there_s = sum(pool["gpus"] for pool in pools) * (end - record.start_us) / SECOND
    jobs = record.jobs
    beside = jobs["kind"] != "burst" if jobs else np.empty(0, bool)
    columns = {
        name: jobs[name][beside] if jobs else np.empty(0) for name in ("kind", "arrived_at", "started_at", "ended_at")
    }
    waited_min = (np.minimum(columns["started_at"], end) - columns["arrived_at"]) / MINUTE
    ended = columns["ended_at"] <= end
    return {
        "gpu_utilisation": used_s / there_s if there_s else float("nan"),
        "gpu_lost_share": lost_s / used_s if used_s else 0.0,
        "job_wait_mean_min": float(waited_min.mean()) if len(waited_min) else float("nan"),
        "job_wait_p95_min": _percentile(waited_min, 95),
        "jobs_not_begun": float((columns["started_at"] > end).sum()),
        **{f"{kind}_completed": float((ended & (columns["kind"] == kind)).sum()) for kind in ("training", "evaluation")},
        "preemptions": float(sum(pool["evictions"] for pool in pools)),
        "scheduling_cycles": float(sum(pool["cycles"] for pool in pools)),
    }


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else float("nan")
