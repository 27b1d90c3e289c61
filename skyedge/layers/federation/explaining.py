"""Why a workload runs where it does, cluster by cluster; and why one that does not run anywhere does not.

Asked after the decision, for one workload at a time.  The first filter that turns a cluster away is the one that is named,
in the order in which Karmada's scheduler asks them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.batch import NOT_CANDIDATE, Batch, affinity_tiers, groups_of
from skyedge.layers.federation.objects import KEEPS_OFF, Workload
from skyedge.layers.federation.stages import Failure, Outcome, decide
from skyedge.layers.federation.webster import Flags
from skyedge.layers.scheduler.labels import tolerates
from skyedge.wording import counted

FILTERS = {
    "lost": ("is lost", "are lost"),
    "kind": ("does not know its kind", "do not know its kind"),
    "ready": ("is not ready", "are not ready"),
    "taints": ("has taints that it does not tolerate", "have taints that it does not tolerate"),
    "affinity": ("is not meant by its affinity", "are not meant by its affinity"),
    "spread": ("does not say what it is spread by", "do not say what it is spread by"),
    "eviction": ("drives it out", "drive it out"),
    "barred": ("is closed to it", "are closed to it"),
}
"""In their order, with what is said of one cluster and of several.  That a cluster is not ready is, to Karmada, a taint."""


@dataclass(frozen=True)
class Verdict:
    """What became of one cluster.

    Attributes:
        turned_away: the filter that did, of :data:`FILTERS`; empty: it was a candidate.
        because: in a sentence; empty for a candidate.
        tier: of the affinity group; -1 if it was turned away.
        marks: from 0 to 100.
        room: how many more replicas fit; None: it has no replicas, so that nothing is estimated.
        running: replicas that ran there already.
        chosen: whether it was given any, or holds a workload without replicas.
        replicas: that it was given.
    """

    cluster: str
    turned_away: str
    because: str
    tier: int
    marks: int
    room: int | None
    running: int
    chosen: bool
    replicas: int


def explain(batch: Batch, workload: int, group: int = 0) -> tuple[Verdict, ...]:
    """What became of each cluster when a workload was placed by one of its affinity groups.

    Args:
        batch: the workloads.
        workload: its row.
        group: the number of the affinity group.
    """
    rows, groups = np.array([workload]), np.array([group])
    runs = batch.there(rows)
    there = np.zeros((1, len(batch.federation)), np.int64) if runs is None else runs[0]
    present = None if runs is None else runs[1]
    tiers, marks = batch.tiers(rows, groups, present)[0], batch.marks_of(rows, present)[0]
    room, outcome = batch.room_of(rows)[0], Outcome.blank(batch)
    decide(batch, rows, groups, outcome)
    turned_away = _turned_away(batch, workload, group)
    verdicts = []
    for place, name in enumerate(batch.federation.names):
        reason = turned_away[place]
        verdicts.append(
            Verdict(
                name,
                reason,
                _because(batch, workload, group, place, reason) if reason else "",
                int(tiers[place]),
                int(marks[place]),
                int(room[place]) if batch.replicas[workload] else None,
                int(there[0, place]),
                bool(outcome.targets[workload, place]),
                int(outcome.replicas[workload, place]),
            )
        )
    return tuple(verdicts)


def why_not(batch: Batch, workload: int, group: int, failure: Failure, figure: int) -> str:
    """Why an affinity group did not place a workload, in a sentence."""
    rules, wanted = batch.workloads[workload].rules, counted(int(batch.replicas[workload]), "replica(s)")
    match failure:
        case Failure.NO_CLUSTER:
            return f"no cluster of {len(batch.federation)} will do: {_counts(_turned_away(batch, workload, group))}"
        case Failure.CLUSTERS:
            least, most = int(batch.min_clusters[workload]), int(batch.max_clusters[workload])
            if figure < least:
                return f"it has to run on at least {counted(least, 'cluster(s)')}, and {figure} will do"
            few = counted(most, "cluster(s)") if most else f"all {counted(figure, 'cluster(s)')} that will do"
            return f"it may run on {few}, and no choice of them has room for {wanted}"
        case Failure.REGIONS:
            least, regions = int(batch.min_clusters[workload]), int(batch.min_regions[workload])
            return (
                f"it has to run in at least {counted(regions, 'region(s)')} on at least {counted(least, 'cluster(s)')}, "
                f"and no choice among the {counted(figure, 'cluster(s)')} that will do gives that"
            )
        case Failure.ROOM:
            few = " on the last tier" if any(one.overflow for one in groups_of(rules)) else ""
            find = "finds" if figure == 1 else "find"
            return f"{figure:,} of {wanted} {find} no room{few}"
    return ""


def _turned_away(batch: Batch, workload: int, group: int) -> list[str]:
    """The first filter that turns each cluster away, or nothing, (clusters,)."""
    one, federation = batch.workloads[workload], batch.federation
    rows = np.array([workload])
    runs = batch.there(rows)
    present = np.zeros(len(federation), np.bool_) if runs is None else runs[1][0]
    evicting = np.array([name in one.evicting for name in federation.names], np.bool_)
    ready = np.array([cluster.ready for cluster in federation.clusters], np.bool_)
    tolerated = federation.tolerated(one.rules.tolerations)
    meant = affinity_tiers(federation, groups_of(one.rules)[group]) != NOT_CANDIDATE
    passes: dict[str, Flags | NDArray[np.bool_]] = {
        "lost": np.ones(len(federation), np.bool_) if batch.barred is None else ~batch.barred,
        "kind": np.where(present, federation.may_know_kind(one.api_kind), federation.knows_kind(one.api_kind)),
        "ready": ready | tolerated | present,
        "taints": tolerated | present,
        "affinity": meant,
        "spread": federation.has_fields([constraint.field for constraint in one.rules.spread]),
        "eviction": ~evicting,
        "barred": np.array([name not in one.barred for name in federation.names], np.bool_),
    }
    return [next((name for name in FILTERS if not passes[name][place]), "") for place in range(len(federation))]


def _counts(turned_away: list[str]) -> str:
    told = []
    for name, (singular, plural) in FILTERS.items():
        count = turned_away.count(name)
        if count:
            told.append(f"{count} {singular if count == 1 else plural}")
    return ", ".join(told) or "there are none"


def _because(batch: Batch, workload: int, group: int, place: int, reason: str) -> str:
    one, cluster = batch.workloads[workload], batch.federation.clusters[place]
    match reason:
        case "kind":
            return f"does not know {one.api_kind}"
        case "taints":
            return _taint_text(one, batch, place)
        case "affinity":
            name = groups_of(one.rules)[group].name
            return f"is not meant by the affinity group '{name}'" if name else "is not meant by the affinity"
        case "spread":
            values = {"provider": cluster.provider, "region": cluster.region, "zone": cluster.zones}
            missing = [one.field for one in one.rules.spread if not values.get(one.field, True)]
            return f"does not say its {' and '.join(missing)}"
        case "barred":
            return one.barred[cluster.name]
    return FILTERS[reason][0]


def _taint_text(workload: Workload, batch: Batch, place: int) -> str:
    cluster = batch.federation.clusters[place]
    for taint in cluster.taints:
        if taint.effect in KEEPS_OFF and not tolerates(workload.rules.tolerations, taint):
            value = f"={taint.value}" if taint.value else ""
            return f"has the taint {taint.key}{value}:{taint.effect}, which is not tolerated"
    return "is not ready"
