"""The status of a workload in a federation, from what its clusters report: counters are summed, outcomes are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from skyedge.errors import InputError, nearest

COUNTERS = {
    "Deployment": ("replicas", "ready_replicas", "updated_replicas", "available_replicas", "unavailable_replicas"),
    "StatefulSet": ("replicas", "ready_replicas", "updated_replicas", "available_replicas", "current_replicas"),
    "DaemonSet": (
        "current_number_scheduled",
        "desired_number_scheduled",
        "number_available",
        "number_misscheduled",
        "number_ready",
        "updated_number_scheduled",
        "number_unavailable",
    ),
    "Job": ("active", "succeeded", "failed"),
}
"""What is summed, by kind of workload."""

FAILED, COMPLETE = "Failed", "Complete"
FAILURE_TARGET, SUCCESS_CRITERIA_MET = "FailureTarget", "SuccessCriteriaMet"
"""Of a Job: how it ended, and that it will have failed or succeeded when its last pods are gone."""


@dataclass(frozen=True)
class ReportedStatus:
    """What one cluster reports.

    Attributes:
        counters: figures by name; None if nothing was reported yet.
        conditions: of a Job, those that are true.
    """

    cluster: str
    counters: Mapping[str, int] | None = None
    conditions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class AggregatedStatus:
    """What the federation says.

    Attributes:
        counters: sums of what was reported.
        conditions: of a Job, in the order in which they came about.
        failed_clusters: where a Job failed, in the order of the reports.
    """

    counters: Mapping[str, int]
    conditions: tuple[str, ...] = ()
    failed_clusters: tuple[str, ...] = field(default=())


def aggregate_status(kind: str, reports: Sequence[ReportedStatus]) -> AggregatedStatus:
    """The status of a workload from those of its clusters.

    A Job has failed, or will have, if it is so anywhere, and is complete only if it is everywhere; a cluster that reports
    nothing yet stands against that.

    Raises:
        InputError: if the kind of workload is not known, or a counter is none of it.
    """
    if kind not in COUNTERS:
        raise InputError(f"the status of a {kind} cannot be put together", nearest=nearest(kind, COUNTERS))
    counters = dict.fromkeys(COUNTERS[kind], 0)
    for report in reports:
        for name, count in (report.counters or {}).items():
            if name not in counters:
                raise InputError(f"a {kind} has no counter '{name}'", where=report.cluster, nearest=nearest(name, counters))
            counters[name] += count
    if kind != "Job":
        return AggregatedStatus(counters)
    failed = tuple(report.cluster for report in reports if FAILED in report.conditions)
    conditions = [FAILURE_TARGET] if any(FAILURE_TARGET in report.conditions for report in reports) else []
    conditions += [FAILED] if failed else []
    if reports and all(COMPLETE in report.conditions for report in reports):
        conditions.append(COMPLETE)
        if all(SUCCESS_CRITERIA_MET in report.conditions for report in reports):
            conditions.append(SUCCESS_CRITERIA_MET)
    return AggregatedStatus(counters, tuple(conditions), failed)


def plain_status(status: AggregatedStatus) -> dict[str, Any]:
    """The status as plain data; conditions and failures only where there are any."""
    plain: dict[str, Any] = dict(status.counters)
    if status.conditions:
        plain["conditions"] = list(status.conditions)
    if status.failed_clusters:
        plain["failed_clusters"] = list(status.failed_clusters)
    return plain
