"""What `skyedge federate` says of how a federation is governed: members, rules, quotas, autoscalers, drains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skyedge.layers.federation.governing import Governed
from skyedge.layers.federation.quota_turns import OverQuota
from skyedge.layers.scheduler.impossible import amount


def governance_rows(governed: Governed) -> dict[str, list[dict[str, Any]]]:
    """Rows by name; a name is there only if it has any.

    ``members`` says of each cluster whose file mentions it where it comes from and in which phase it is; ``scaled`` what
    autoscalers want; ``violations`` who breaks a rule; ``refused`` whom a quota keeps at what it has; ``stuck`` what cannot
    leave a cluster that is being drained.
    """
    reading = governed.reading
    names = [f"{one.read.resource.kind} {one.workload.name}" for one in reading.selected]
    members = [
        {"cluster": name, "origin": membership.origin.value, "phase": membership.phase.value}
        for name, membership in sorted(reading.governance.memberships.items())
        if name in reading.governance.registered
    ]
    scaled = [
        {
            "resource": names[one.row],
            "autoscaler": one.scaler,
            "replicas": one.before,
            "wanted": one.after,
            "because": one.why,
        }
        for one in governed.scaled
    ]
    violations = [
        {
            "rule": one.rule,
            "cluster": one.cluster,
            "resource": one.resource,
            "enforced": "yes" if one.enforced else "no",
            "what": one.what,
        }
        for one in governed.violations
    ]
    refused = [
        {
            "resource": names[row],
            "quota": over.quota,
            "cluster": over.cluster,
            "of": over.resource,
            "asked": amount(over.resource, over.asked),
            "left": amount(over.resource, over.left),
            "words": f"{names[row]} {refusal_words(over, reading.selected[row].workload.scheduled)}",
        }
        for row, over in sorted(governed.refused.items())
    ]
    stuck = [
        {"resource": names[one.row], "cluster": one.cluster, "replicas": one.replicas, "because": one.why}
        for one in governed.stuck
    ]
    rows: dict[str, list[dict[str, Any]]] = {
        "members": members,
        "scaled": scaled,
        "violations": violations,
        "refused": refused,
        "stuck": stuck,
    }
    return {name: found for name, found in rows.items() if found}


def refusal_words(over: OverQuota, scheduled: Mapping[str, int]) -> str:
    """Why a quota refuses a workload, and what becomes of it."""
    where = f" on {over.cluster}" if over.cluster else ""
    asked, left = amount(over.resource, over.asked), amount(over.resource, over.left)
    stays = "what runs stays" if any(scheduled.values()) else "nothing of it runs"
    asks = f"it asks for {asked} more {over.resource}{where}, and {left} is left"
    return f"would go beyond the quota {over.quota}: {asks}; {stays}"
