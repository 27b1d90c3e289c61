"""A federation under government: clocks, autoscalers, rules, drains and quotas have their say, and then it is placed.

In this order.  Clocks and autoscalers say how many replicas there are to be.  A cluster that breaks an enforced rule
takes nothing new.  Who runs on a cluster that is being drained leaves it, if there is somewhere to go.  Then all is placed
within quotas; and where the manifest that a cluster would be told breaks an enforced rule, the workload is placed again
without that cluster, until nothing that goes anywhere breaks one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.draining import Stuck, leave_draining
from skyedge.layers.federation.membership import TAINTS
from skyedge.layers.federation.objects import Cluster, Workload
from skyedge.layers.federation.placing import Placements
from skyedge.layers.federation.policy import Closeness, Resource, closest
from skyedge.layers.federation.policy_centre import Violation, cluster_violations, resource_violations
from skyedge.layers.federation.quota_turns import OverQuota, PlacedWithin, place_within, with_share
from skyedge.layers.federation.reading import FederationReading
from skyedge.layers.federation.scaling import Scaled, scaled_workloads
from skyedge.layers.federation.works import Work, works_of

Bars = Mapping[tuple[int, str], str]
"""Of a workload and a cluster: why it may not go there."""


@dataclass(frozen=True, eq=False)
class Governed:
    """What was decided.

    Attributes:
        reading: what was read, its workloads as they were placed.
        placements: where they run.
        works: what each cluster is told, without manifests that break an enforced rule.
        scaled: what clocks and autoscalers said.
        violations: of rules: by clusters, and by manifests on clusters, those that were kept away among them.
        refused: whom a quota refuses, by row.
        stuck: who should leave a cluster that is being drained, and cannot.
    """

    reading: FederationReading
    placements: Placements
    works: tuple[Work, ...]
    scaled: tuple[Scaled, ...] = ()
    violations: tuple[Violation, ...] = ()
    refused: Mapping[int, OverQuota] = field(default_factory=dict)
    stuck: tuple[Stuck, ...] = ()


def govern(reading: FederationReading) -> Governed:
    """Place what was read, as its government has it.

    Raises:
        InputError: if an override cannot be made, with its place, or rules of placement are not in order.
    """
    governance = reading.governance
    federation = Federation.of(reading.clusters)
    workloads, scaled = scaled_workloads(reading.workloads, governance.scalers, governance.clocks)
    members = [(cluster, governance.plain.get(cluster.name, {})) for cluster in reading.clusters]
    by_clusters = cluster_violations(governance.rules, members)
    workloads = _kept_from(workloads, _new_to(workloads, by_clusters))
    draining = {
        name
        for name, membership in governance.memberships.items()
        if any(taint.effect == "NoExecute" for taint in TAINTS[membership.phase])
    }
    workloads, stuck = leave_draining(federation, workloads, draining)
    placed, works, by_manifests = _placed(reading, federation, workloads)
    return Governed(
        _with_workloads(reading, placed.workloads),
        placed.placements,
        tuple(works),
        tuple(scaled),
        tuple(sorted(by_clusters) + by_manifests),
        placed.refused,
        tuple(stuck),
    )


def fit_to_move(governed: Governed) -> tuple[Workload, ...]:
    """The workloads as they were placed, kept from every cluster where their manifest would break an enforced rule.

    For whoever moves them later: a placement only looks at the manifests of where it puts them.

    Raises:
        InputError: if an override cannot be made on some cluster, with its place.
    """
    reading, workloads = governed.reading, list(governed.reading.workloads)
    rules = [rule for rule in reading.governance.rules if rule.selectors and rule.enforced]
    if not rules:
        return reading.workloads
    clusters = {cluster.name: cluster for cluster in reading.clusters}
    meant = [
        one
        for one in reading.selected
        if any(closest(rule.selectors, one.read.resource) is not Closeness.NONE for rule in rules)
    ]
    everywhere = [dict.fromkeys(clusters, one.workload.replicas) for one in meant]
    works = works_of(replace(reading, selected=tuple(meant), followers=()), everywhere)
    rows = {_title(workload): row for row, workload in enumerate(workloads)}
    bars = {
        (rows[one.resource], one.cluster): _kept_by(one) for one in resource_violations(rules, _as_placed(works, clusters))
    }
    return tuple(_kept_from(workloads, bars))


def _placed(
    reading: FederationReading, federation: Federation, workloads: list[Workload]
) -> tuple[PlacedWithin, list[Work], list[Violation]]:
    """Place within quotas, and again as long as a manifest goes where it breaks an enforced rule."""
    governance = reading.governance
    rules = [rule for rule in governance.rules if rule.selectors]
    clusters = {cluster.name: cluster for cluster in reading.clusters}
    rows = {_title(one): row for row, one in enumerate(workloads)}
    enforced: dict[Violation, None] = {}
    while True:
        placed = place_within(federation, workloads, governance.quotas)
        works = works_of(_with_workloads(reading, placed.workloads), placed.shares)
        broken = resource_violations(rules, _as_placed(works, clusters)) if rules else []
        against = [one for one in broken if one.enforced]
        enforced |= dict.fromkeys(against)
        bars = {
            (rows[one.resource], one.cluster): _kept_by(one)
            for one in against
            if one.resource in rows and one.cluster not in workloads[rows[one.resource]].barred
        }
        if not bars:
            break
        workloads = _kept_from(workloads, bars)
    barred = {(one.cluster, one.resource) for one in against}
    placements = placed.placements
    for cluster, resource in sorted(barred):  # only what a quota refused, and so keeps what runs, or what follows
        if resource in rows:
            share = {name: count for name, count in placements.of(rows[resource]).items() if name != cluster}
            placements = with_share(placements, rows[resource], share)
    works = [work for work in works if (work.cluster, _title_of(work)) not in barred]
    said = sorted({*enforced, *(one for one in broken if not one.enforced)})
    return replace(placed, placements=placements), works, said


def _as_placed(works: Iterable[Work], clusters: Mapping[str, Cluster]) -> list[tuple[Cluster, Resource, Any]]:
    return [(clusters[work.cluster], work.resource, work.manifest) for work in works]


def _new_to(workloads: list[Workload], violations: list[Violation]) -> dict[tuple[int, str], str]:
    """Whom a cluster that breaks an enforced rule is closed to: all that do not run there."""
    rules = {one.cluster: one.rule for one in reversed(violations) if one.enforced}
    return {
        (row, cluster): f"breaks the rule '{rule}'"
        for cluster, rule in rules.items()
        for row, workload in enumerate(workloads)
        if cluster not in workload.scheduled
    }


def _kept_from(workloads: list[Workload], bars: Bars) -> list[Workload]:
    result = list(workloads)
    for (row, cluster), why in bars.items():
        result[row] = replace(result[row], barred={**result[row].barred, cluster: why})
    return result


def _with_workloads(reading: FederationReading, workloads: Iterable[Workload]) -> FederationReading:
    selected = [replace(one, workload=workload) for one, workload in zip(reading.selected, workloads, strict=True)]
    return replace(reading, selected=tuple(selected))


def _kept_by(violation: Violation) -> str:
    return f"is kept from its manifest by the rule '{violation.rule}'"


def _title(workload: Workload) -> str:
    """As a violation calls it."""
    return f"{workload.resource.kind} {workload.name}"


def _title_of(work: Work) -> str:
    resource = work.resource
    return f"{resource.kind} {f'{resource.namespace}/' if resource.namespace else ''}{resource.name}"
