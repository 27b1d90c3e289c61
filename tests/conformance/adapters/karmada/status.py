"""Cases about what the federation says of a workload, from what its clusters report."""

from __future__ import annotations

from skyedge.layers.federation import status

from .objects import Answer, Given


def aggregate_status(given: Given) -> Answer:
    """What the federation says."""
    reports = []
    for item in given["items"]:
        counters = dict(item["status"] or {})
        conditions = frozenset(
            one["type"] if isinstance(one, dict) else one
            for one in counters.pop("conditions", None) or ()
            if not isinstance(one, dict) or one.get("status", "True") == "True"
        )
        reports.append(status.ReportedStatus(item["cluster"], None if item["status"] is None else counters, conditions))
    return {"status": status.plain_status(status.aggregate_status(given["kind"], reports))}
