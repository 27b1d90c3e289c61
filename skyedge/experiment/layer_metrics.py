"""What the pools of the control plane did and cost, from a run's record; nothing where no layer ran."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.experiment.records import RunRecord
from skyedge.time import DAY, HOUR, SECOND, Instant

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

LAYER_METRICS = (*POOL_METRICS, *ELASTIC_METRICS)


def layer_figures(record: RunRecord, answers: int, end: Instant) -> dict[str, float]:
    """The figures of the layers that ran; ``answers`` is how many scenes were answered in time."""
    if not record.pools:
        return {}
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
    return figures


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else float("nan")
