"""Cases about manifests: what they refer to, where their replicas stand, what is stripped, what statuses add up to."""

from __future__ import annotations

from typing import Any

from skyedge.layers.federation import dependencies, handing_on, status

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


def dependencies_of(given: Given) -> Answer:
    """What follows a workload."""
    found = dependencies.dependencies_of(given["manifest"])
    return {"dependencies": [{"kind": one.kind, "name": one.name} for one in found]}


def revise_replicas(given: Given) -> Answer:
    """The manifest that a cluster gets with its share."""
    return {"manifest": handing_on.with_replicas(given["manifest"], given["replicas"])}


def stripped(given: Given) -> Answer:
    """Whether what stands at some paths is still there; an item of a list goes by its name."""
    manifest = handing_on.stripped(given["manifest"])
    return {"there": [stands_at(manifest, path) for path in given["paths"]]}


def stands_at(part: Any, path: list[str]) -> bool:
    """Whether there is something at the end of a path."""
    for word in path:
        named = {item.get("name"): item for item in part} if isinstance(part, list) else part
        if not isinstance(named, dict) or word not in named:
            return False
        part = named[word]
    return True
