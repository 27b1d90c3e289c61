"""What a federation and its mesh did, from a run's record and the truth of its settings; nothing where there is none.

Bytes × hops by purpose come from the ledger: whoever sends is a cluster, a user, the control plane, or else a ground site.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skyedge.events import KIND_RESULT, KIND_SCENE
from skyedge.experiment.records import RunRecord
from skyedge.nodes.user_city import EMPTY, LOST, SERVED
from skyedge.time import FOREVER, HOUR, SECOND, Instant

JOULES_PER_KWH = 3.6e6

FEDERATION_METRICS = (
    "picture_mb_hops",
    "image_mb_hops",
    "control_mb_hops",
    "pictures_lost",
    "answers_lost",
    "kept_share",
    "sent_again",
    "kept_back",
    "waiting_at_end",
    "clusters_serving",
    "busiest_cluster_share",
    "ground_carbon_g",
    "ground_cost",
)
"""``picture_mb_hops`` is of pictures from ground sites to clusters; ``pictures_lost`` and ``answers_lost`` (of satellites
and edge nodes) were given up, and ``kept_share`` is of what was not; ``sent_again`` counts every further try, ``kept_back``
what had to wait at its ground site because nobody served anywhere.  Carbon is of the joules of inference; cost of the hours
of replicas times the cores of each; both only where every cluster that served says its own figure."""

FAILOVER_METRICS = ("failover_declared_s", "failover_serving_s", "failovers")
"""From a cluster's outage to its declaration, and until what it ran serves elsewhere: means of those that came to that."""

REQUEST_METRICS = (
    "requests",
    "requests_served",
    "requests_lost",
    "requests_fetched",
    "request_p50_ms",
    "request_p99_ms",
    "request_age_p50_min",
    "request_mb_hops",
)
"""Shares are of all questions: served with an answer, given up, and with one that another cluster held.  A question that
finds no answer over its zone yet is neither.  Age is from the picture to the question."""

TRAINING_METRICS = ("trainings_done", "training_moved_mb", "training_mb_hops", "training_wait_p50_min")
"""Of propagated trainings: turns that ended, bytes that had to move for them, and from the order to the last of its data."""

ALL_FEDERATION_METRICS = (*FEDERATION_METRICS, *FAILOVER_METRICS, *REQUEST_METRICS, *TRAINING_METRICS)


def federation_figures(record: RunRecord, end: Instant) -> dict[str, float]:
    """The figures of a federation that ran until ``end``."""
    clusters = record.federation.get("clusters", [])
    if not clusters:
        return {}
    names = {str(row["cluster"]) for row in clusters}
    by_class = _byte_hops(record, names)
    lost_kind = record.lost.get("kind", np.empty(0))
    dispatchers = record.federation.get("dispatchers", [])
    landed = sum(row["landed"] for row in dispatchers)
    answered = np.array([row["answered"] for row in clusters], float)
    figures = {
        "picture_mb_hops": by_class.get("pictures", 0.0),
        "image_mb_hops": by_class.get("images", 0.0),
        "control_mb_hops": by_class.get("control", 0.0),
        "pictures_lost": float((lost_kind == KIND_SCENE).sum()),
        "answers_lost": float((lost_kind == KIND_RESULT).sum()),
        "kept_share": 1 - len(lost_kind) / landed if landed else float("nan"),
        "sent_again": float(sum(row["sent_again"] for row in dispatchers)),
        "kept_back": float(sum(row["kept_back"] for row in dispatchers)),
        "waiting_at_end": float(sum(row["left"] for row in dispatchers)),
        "clusters_serving": float((answered > 0).sum()),
        "busiest_cluster_share": float(answered.max() / answered.sum()) if answered.any() else float("nan"),
        **_bills(record, clusters),
    }
    if failovers := record.federation.get("failovers", []):
        figures |= _failover_figures(failovers)
    if record.requests:
        figures |= {**_request_figures(record), "request_mb_hops": by_class.get("requests", 0.0)}
    trainings = record.federation.get("trainings", [])
    if trainings:
        waited_min = [(row["begun_at"] - row["asked_at"]) * 60 / HOUR for row in trainings]
        figures |= {
            "trainings_done": float(sum(row["done_at"] <= end for row in trainings)),
            "training_moved_mb": sum(row["moved_bytes"] for row in trainings) / 1e6,
            "training_mb_hops": by_class.get("trainings", 0.0),
            "training_wait_p50_min": float(np.median(waited_min)),
        }
    return figures


def _byte_hops(record: RunRecord, clusters: set[str]) -> dict[str, float]:
    """Megabytes × hops offered to the ground, by purpose."""
    users = set(record.requests["city"].tolist()) if record.requests else set()
    sums: dict[str, float] = {}
    for row in record.ledger.rows():
        link = row.link
        if row.state != "offered" or link.segment != "terrestrial":
            continue
        if link.traffic == "model":
            purpose = "images"
        elif link.traffic == "scene":
            purpose = "trainings" if link.source in clusters else "pictures"
        elif link.source in users or link.destination in users or (link.traffic == "result" and link.source in clusters):
            purpose = "requests"
        else:
            purpose = "answers" if link.traffic == "result" else "control"
        sums[purpose] = sums.get(purpose, 0.0) + row.size_bytes * link.hops / 1e6
    return sums


def _bills(record: RunRecord, clusters: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    carbon_g, cost = 0.0, 0.0
    for row in clusters:
        if not row["replica_s"]:
            continue
        joules = record.energy.get(f"{row['cluster']}/inference", 0.0)
        carbon_g += joules / JOULES_PER_KWH * row.get("carbon_g_per_kwh", float("nan"))
        hours = row["replica_s"] * SECOND / HOUR
        cost += hours * row["cores_per_replica"] * row.get("price_per_core_h", float("nan"))
    figures = {"ground_carbon_g": carbon_g, "ground_cost": cost}
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _failover_figures(failovers: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    serving_s = [(row["serving_at"] - row["out_at"]) / SECOND for row in failovers if row["serving_at"] < FOREVER]
    return {
        "failover_declared_s": float(np.mean([(row["declared_at"] - row["out_at"]) / SECOND for row in failovers])),
        "failover_serving_s": float(np.mean(serving_s)) if serving_s else float("nan"),
        "failovers": float(len(failovers)),
    }


def _request_figures(record: RunRecord) -> dict[str, float]:
    requests = record.requests
    fate, served = requests["fate"], requests["fate"] == SERVED
    latency_ms = requests["latency_us"][(fate == SERVED) | (fate == EMPTY)] / 1000
    age_min = (requests["at"] - requests["captured_at"])[served] * 60 / HOUR
    percentile = {50: float("nan"), 99: float("nan")}
    if len(latency_ms):
        percentile = {percent: float(np.percentile(latency_ms, percent)) for percent in percentile}
    return {
        "requests": float(len(fate)),
        "requests_served": float(served.mean()),
        "requests_lost": float((fate == LOST).mean()),
        "requests_fetched": float((requests["fetched"] & served).mean()),
        **{f"request_p{percent}_ms": value for percent, value in percentile.items()},
        "request_age_p50_min": float(np.median(age_min)) if len(age_min) else float("nan"),
    }
