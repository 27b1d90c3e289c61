"""What happens when clusters fail, told row by row: detected, tainted, evicted, replaced, healthy, and what stays behind.

For one federation as it stands and failures that are made up.  Copies go where the workloads' own policies let them;
reports arrive when they should, and containers start as those of :mod:`skyedge.layers.elastic.profile` do.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.aftermath import Aftermath, aftermath
from skyedge.layers.federation.detection import Sighting, Spells, Weather, watch
from skyedge.layers.federation.failover import evicted_after_s
from skyedge.layers.federation.failover_events import Event
from skyedge.layers.federation.failover_loop import run_failover
from skyedge.layers.federation.failover_settings import SKYEDGE, FailoverSettings
from skyedge.layers.federation.objects import Cluster, Taint, Workload
from skyedge.layers.federation.quotas import Quota
from skyedge.layers.federation.scene import Scene, TimelineRow

NOT_READY = Taint("cluster.karmada.io/not-ready", "", "NoExecute", 0.0)
"""What a dead cluster is tainted with."""

PATIENCE_S = 600.0
"""After the last failure began or ended, reports are looked at for so long."""

SENTENCES: dict[Event, str | None] = {
    Event.DOWN: "{cluster} is gone",
    Event.TAINTED: "{cluster} is tainted: nothing new goes there, and what does not tolerate it leaves",
    Event.EVICTED: "{replicas} of {workload} {leave} {cluster}",
    Event.NOWHERE: "{replicas} of {workload} {have} no home but {cluster}",
    Event.REPLACED: "{replicas} of {workload} {go} to {cluster}",
    Event.DATA_THERE: None,  # of data nothing is known here
    Event.STARTED: "{replicas} of {workload} {have} started on {cluster}",
    Event.HEALTHY: "{replicas} of {workload} {serve} on {cluster}",
    Event.DELETED: "{replicas} of {workload} {are} deleted on {cluster}",
    Event.KEPT: "{replicas} of {workload} {stay} on {cluster}, which is back",
    Event.CALLED_OFF: "{replicas} of {workload} {are} not needed on {cluster}",
    Event.UP: "{cluster} is back",
    Event.RECOVERED: "{cluster} is taken for well again",
}
"""What is said of each; of doubts :data:`DOUBTS` tells."""

GIVEN_UP = "{replicas} of {workload} {are} given up on {cluster}, which is gone"
"""Of a copy that is deleted where nobody answers."""


GONE_WITH = "{cluster} is gone, and its own copies of {bound} with it"
"""Of a cluster that goes with copies that do not move."""

DOUBTS: dict[str, dict[Event, str | None]] = {
    "probed": {
        Event.SUSPECTED: "a probe of {cluster} has no answer (Push)",
        Event.DETECTED: "{cluster} is taken for dead: its probes have had no answer for long enough (Push)",
    },
    "leased": {
        Event.SUSPECTED: None,  # a lease that has run out is not asked twice
        Event.DETECTED: "{cluster} is taken for dead: it has not renewed its lease for long enough (Pull)",
    },
    "beating": {
        Event.SUSPECTED: "heartbeats of {cluster} are missed, and witnesses are asked",
        Event.DETECTED: "{cluster} is taken for dead: no witness has an answer either",
    },
}
"""By how a cluster is watched (:class:`skyedge.layers.federation.health.HealthSettings`): what is said of it."""


@dataclass(frozen=True)
class Failure:
    """A cluster that is gone from ``at_s`` until ``until_s``; for good by default."""

    cluster: str
    at_s: float = 0.0
    until_s: float = math.inf


@dataclass(frozen=True)
class Failover:
    """What happens when clusters fail.

    Attributes:
        rows: in the order of time.
        aftermath: what every workload that has replicas is left with.
        end_s: until when the aftermath was looked at, on the clock of whoever asked.
    """

    rows: tuple[TimelineRow, ...]
    aftermath: tuple[Aftermath, ...]
    end_s: float


def failover_timeline(
    clusters: Sequence[Cluster],
    workloads: Sequence[Workload],
    placements: Mapping[str, Mapping[str, int]],
    failures: Sequence[Failure],
    settings: FailoverSettings = SKYEDGE,
    *,
    quotas: Sequence[Quota] = (),
    seed: int = 0,
) -> Failover:
    """What happens, and what is left.

    Args:
        clusters: all of the federation, as before the failures; their pools hold what is left beside ``placements``.
        workloads: those that run.
        placements: replicas by name of the workload and of the cluster.
        failures: what fails when.
        settings: who answers, and how; see :mod:`skyedge.layers.federation.failover_settings`.
        quotas: within which new homes are found.
        seed: keys the moments at which reports are due and how long containers take to start.

    Raises:
        InputError: if a failure or a placement names what is not there, or a failure ends before it begins.
    """
    scene = Scene.of(clusters, workloads, placements)
    _check(scene.number, failures)
    # Of two at one moment the first by name.
    failures = sorted(failures, key=lambda failure: (failure.at_s, failure.cluster))
    # Reports begin at nothing, and a cluster that fails then must have reported before.
    first_s = min((failure.at_s for failure in failures), default=0.0)
    down = Spells.of(
        [(scene.number[failure.cluster], failure.at_s - first_s, failure.until_s - first_s) for failure in failures]
    )
    moments = [time_s for spell in (down.from_s, down.until_s) for time_s in spell.tolist() if time_s < math.inf]
    until_s = max(moments, default=0.0) + PATIENCE_S
    clusters_seen = len(scene.names)
    leased = _leased(scene, settings)
    seen = _seen(clusters_seen, leased, settings, Weather(down), until_s, seed) if settings.watched else []
    timeline = run_failover(
        settings,
        scene.copies(),
        clusters_seen,
        down,
        seen,
        scene.homes(quotas),
        scene.starting(seed),
        np.array([evicted_after_s([NOT_READY], workload.rules.tolerations, 0.0) for workload in scene.workloads]),
    )

    def sentence(event: Event, at_s: float, cluster: int) -> str | None:
        if event is Event.DOWN and scene.bound_to(scene.names[cluster]):
            return GONE_WITH
        if event is Event.DELETED and down.holds(np.array([cluster]), np.array([[at_s]])).any():
            return GIVEN_UP
        if event in (Event.SUSPECTED, Event.DETECTED):
            return DOUBTS["leased" if cluster in leased else settings.health.watched][event]
        return SENTENCES[event]

    rows = tuple(replace(row, at_s=first_s + row.at_s) for row in scene.told(timeline, sentence, {}))
    end_s = max(until_s, float(timeline.at_s.max(initial=0.0)))
    return Failover(rows, aftermath(scene, timeline.copies, down, end_s), first_s + end_s)


def _seen(
    clusters: int, leased: Collection[int], settings: FailoverSettings, weather: Weather, until_s: float, seed: int
) -> list[Sighting]:
    """What is seen of so many clusters, each watched in its way, in order of time and cluster."""
    seen = watch(settings.health, clusters, weather, until_s, seed)
    if settings.pulled_health is None or not leased:
        return seen
    by_lease = watch(settings.pulled_health, clusters, weather, until_s, seed)
    mixed = [one for one in seen if one.cluster not in leased] + [one for one in by_lease if one.cluster in leased]
    return sorted(mixed, key=lambda one: (one.suspected_at_s, one.cluster))


def _leased(scene: Scene, settings: FailoverSettings) -> set[int]:
    """Numbers of the clusters that are watched by their lease, as they pull."""
    if settings.pulled_health is None:
        return set()
    return {scene.number[cluster.name] for cluster in scene.clusters if cluster.pulls}


def _check(number: Mapping[str, int], failures: Sequence[Failure]) -> None:
    for failure in failures:
        if failure.cluster not in number:
            raise InputError(f"there is no cluster '{failure.cluster}'", nearest=nearest(failure.cluster, number))
        if not 0 <= failure.at_s < failure.until_s:
            raise InputError(
                f"{failure.cluster} is gone from {failure.at_s:g} s to {failure.until_s:g} s, which is no span of time"
            )
