"""A region dies: how many seconds until it is seen, until its workloads are decided elsewhere, moved, and served again?

A federation of many clusters in some regions; at a random moment all clusters of one region are gone, and later they are
back.  Meanwhile reports get lost, and a few clusters are slow.  Who watches, and what is done, is the arm's; what fails,
what runs where, what data there is and how long each container takes is the seed's alone, so that arms can be compared in
pairs.

What is computed: who sees what when, which copies go where, over which links bytes queue, which requests find nobody.
What is assumed: periods, rates, sizes and the durations of a start; the claims of the file name them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from skyedge.experiment.failover_world import FederationFailoverParameters, World, outage, world_of
from skyedge.experiment.study_subject import Findings, Listing, Metric, Series, Subject
from skyedge.layers.federation.detection import Sighting, Spells, Weather, watch
from skyedge.layers.federation.failover_events import Event, Floats, Timeline
from skyedge.layers.federation.failover_loop import run_failover
from skyedge.layers.federation.failover_settings import SETTINGS, FailoverSettings
from skyedge.layers.federation.health import HealthSettings
from skyedge.layers.federation.service import Service, serve
from skyedge.layers.federation.spare_room import SpareRoom
from skyedge.layers.federation.starting import Starting
from skyedge.profiles import Part
from skyedge.streams import stream


class FederationFailover(Subject):
    """Lets a region die."""

    Parameters = FederationFailoverParameters
    metrics = {  # noqa: RUF012 - a class attribute of the protocol, never changed
        "detected_p50_s": Metric("seen after p50", "s", "less"),
        "detected_max_s": Metric("seen after, at most", "s", "less"),
        "decided_p95_s": Metric("then decided after p95", "s", "less"),
        "data_p95_s": Metric("then data there after p95", "s", "less"),
        "started_p95_s": Metric("containers run after p95", "s", "less"),
        "moved_p95_s": Metric("all of it after p95", "s", "less"),
        "again_p50_s": Metric("served again after p50", "s", "less"),
        "again_p95_s": Metric("served again after p95", "s", "less"),
        "again_p99_s": Metric("served again after p99", "s", "less"),
        "again_max_s": Metric("served again after, at most", "s", "less"),
        "again_share": Metric("served again during the outage", "%"),
        "lost_requests": Metric("requests lost", "", "less"),
        "lost_share": Metric("of the requests of those hit", "%", "less"),
        "homeless_replicas": Metric("replicas without a home", "", "less"),
        "homeless_share": Metric("of those that died", "%", "less"),
        "moved_replicas": Metric("replicas moved"),
        "needless_moves": Metric("replicas moved from clusters that lived", "", "less"),
        "false_alarms": Metric("live clusters declared dead", "", "less"),
        "doubts": Metric("live clusters doubted", "", "less"),
        "deleted_alone": Metric("replicas deleted with no other left", "", "less"),
        "moved_bytes": Metric("data moved", "bytes", "less"),
        "byte_hops": Metric("bytes × hops", "", "less"),
        "recovery_point_p95_s": Metric("data set back by p95", "s", "less"),
        "data_lost": Metric("workloads whose data is lost", "", "less"),
        "reports_per_s": Metric("reports a second", "", "less"),
    }

    def run(self, parameters: FederationFailoverParameters, seed: int) -> Findings:
        """Let the region of a seed die under an arm's failover."""
        world, seen, starting, timeline = let_die(parameters, seed)
        settings = _settings(parameters)
        service = serve(timeline.copies, world.wanted, parameters.headroom, world.down, seen, parameters.horizon_s)
        figures = dict.fromkeys(self.metrics, math.nan)
        figures |= _seen_figures(world, seen, settings)
        figures |= _move_figures(world, timeline, starting, settings.decision_s)
        figures |= _service_figures(world, service, parameters)
        return Findings(figures, {"Requests that are served": _series(world, service, parameters)}, _constants(parameters))


class Death(NamedTuple):
    """What happened to a federation whose region died."""

    world: World
    seen: tuple[Sighting, ...]
    starting: Starting
    timeline: Timeline


def let_die(parameters: FederationFailoverParameters, seed: int) -> Death:
    """Let the region of a seed die: what there was, what the control plane saw, and what was done, row by row."""
    world = _world(_world_parameters(parameters), seed)
    settings = _settings(parameters)
    seen = _seen(_watch_parameters(parameters), seed) if settings.watched else ()
    starting = Starting(
        parameters.start_up,
        parameters.image,
        world.network,
        parameters.workloads,
        seed,
        world.sets,
        world.set_of,
        world.down,
    )
    timeline = run_failover(
        settings,
        world.running,
        parameters.clusters,
        world.down,
        seen,
        SpareRoom(world.room, world.cores, world.waits_s if parameters.data.standby else None),
        starting,
        np.zeros(parameters.workloads),
        parameters.horizon_s,
    )
    return Death(world, seen, starting, timeline)


def _settings(parameters: FederationFailoverParameters) -> FailoverSettings:
    named = SETTINGS[parameters.failover]
    if named.health.watched != "beating":
        return named
    beats = parameters.heartbeats
    health = HealthSettings(
        "beating",
        reprieve_s=beats.reprieve_s,
        report_period_s=beats.period_s,
        missed_heartbeats=beats.missed,
        witness_timeout_s=beats.witness_timeout_s,
        monitor_period_s=beats.monitor_period_s,
    )
    return replace(named, health=health, decision_s=parameters.decision_s)


_FAILURE = ("regions", "clusters", "fails_after_s", "fails_within_s", "outage_s")
_WORLD = ("nodes", "node_cores", "workloads", "median_replicas", "requests_per_s", "room", "data", "links")
_WATCH = ("failover", "heartbeats", "reports", "horizon_s")


def _world_parameters(parameters: FederationFailoverParameters) -> str:
    """Those that decide the world, and no others: what is known need not be worked out again."""
    return parameters.model_dump_json(include={*_FAILURE, *_WORLD})


def _watch_parameters(parameters: FederationFailoverParameters) -> str:
    """Those that decide what is seen."""
    return parameters.model_dump_json(include={*_FAILURE, *_WATCH})


@lru_cache(maxsize=64)
def _world(parameters_json: str, seed: int) -> World:
    return world_of(FederationFailoverParameters.model_validate_json(parameters_json), seed)


@lru_cache(maxsize=256)
def _seen(parameters_json: str, seed: int) -> tuple[Sighting, ...]:
    """What the control plane sees of the outage and of slow clusters."""
    parameters = FederationFailoverParameters.model_validate_json(parameters_json)
    draw = stream(seed, "federation-failover", "slow clusters")
    reports, clusters = parameters.reports, parameters.clusters
    turn = draw.permutation(clusters)
    begins_s = draw.uniform(0.0, parameters.horizon_s, clusters)
    delay_s = reports.slow_delay_s * np.exp(reports.slow_spread * draw.standard_normal(clusters))
    slow = turn[: round(reports.slow_clusters * clusters)]
    spells = Spells(slow, begins_s[slow], begins_s[slow] + reports.slow_for_s, delay_s[slow])
    weather = Weather(outage(parameters, seed), spells, reports.lost_share, reports.delay_s)
    return tuple(watch(_settings(parameters).health, clusters, weather, parameters.horizon_s, seed))


def _seen_figures(world: World, seen: Sequence[Sighting], settings: FailoverSettings) -> dict[str, float]:
    if not settings.watched:
        return {"false_alarms": 0.0, "doubts": 0.0, "reports_per_s": 0.0}
    dead = set(world.down.cluster.tolist())

    def really_dead(sighting: Sighting) -> bool:
        return sighting.cluster in dead and world.fails_at_s <= sighting.declared_at_s < world.returns_at_s

    after_s = [one.declared_at_s - world.fails_at_s for one in seen if really_dead(one)]
    wrong = [one for one in seen if not really_dead(one)]
    return {
        "detected_p50_s": _percentile(after_s, 50),
        "detected_max_s": _percentile(after_s, 100),
        "false_alarms": float(sum(one.declared_at_s < math.inf for one in wrong)),
        "doubts": float(len(wrong)),
        "reports_per_s": len(world.region) / settings.health.report_period_s,
    }


def _move_figures(world: World, timeline: Timeline, starting: Starting, decision_s: float) -> dict[str, float]:
    clusters = len(world.region)
    declared_s = np.full(clusters, np.nan)
    rows = timeline.rows_of(Event.DETECTED)
    declared_s[timeline.cluster[rows[::-1]]] = timeline.at_s[rows[::-1]]  # the first time
    evicted, placed = timeline.rows_of(Event.EVICTED), timeline.rows_of(Event.REPLACED)
    deleted = timeline.rows_of(Event.DELETED)
    lived = ~np.isin(timeline.cluster[deleted], world.down.cluster)
    placed_s = {(timeline.workload[row], timeline.cluster[row]): timeline.at_s[row] for row in placed.tolist()}

    def since_placed(event: Event) -> list[float]:
        rows = timeline.rows_of(event).tolist()
        return [timeline.at_s[row] - placed_s[timeline.workload[row], timeline.cluster[row]] for row in rows]

    moved = starting.moved
    waits_s = timeline.at_s[evicted] - declared_s[timeline.cluster[evicted]] + decision_s
    points_s = np.concatenate([one.recovery_point_s for one in moved]) if moved else np.empty(0)
    return {
        "decided_p95_s": _percentile(waits_s, 95),
        "data_p95_s": _percentile(since_placed(Event.DATA_THERE), 95),
        "started_p95_s": _percentile(since_placed(Event.STARTED), 95),
        "moved_p95_s": _percentile(since_placed(Event.HEALTHY), 95),
        "moved_replicas": float(timeline.replicas[timeline.rows_of(Event.HEALTHY)].sum()),
        "needless_moves": float(timeline.replicas[deleted[lived]].sum()),
        "deleted_alone": float(timeline.deleted_alone),
        "moved_bytes": float(sum(one.size_bytes.sum() for one in moved)),
        "byte_hops": sum(one.byte_hops for one in moved),
        "recovery_point_p95_s": _percentile(points_s[np.isfinite(points_s)], 95),
        "data_lost": float(np.isinf(points_s).sum()),
    }


def _service_figures(world: World, service: Service, parameters: FederationFailoverParameters) -> dict[str, float]:
    workloads = len(world.wanted)
    hit = np.zeros(workloads, bool)
    on_dead = np.isin(world.running.cluster, world.down.cluster)
    hit[world.running.workload[on_dead]] = True
    end_s = min(world.returns_at_s, parameters.horizon_s)
    again_s = service.served_again_s(world.fails_at_s, workloads)[hit] - world.fails_at_s
    again_s = np.minimum(again_s, parameters.horizon_s - world.fails_at_s)
    lost = service.lost_requests(world.demand_rps)
    live = service.live_at(np.nextafter(end_s, 0.0), workloads)
    homeless = np.maximum(world.wanted - live, 0)[hit].sum()
    asked_for = (world.demand_rps[hit] * (end_s - world.fails_at_s)).sum()
    return {
        **{f"again_p{percent}_s": _percentile(again_s, percent) for percent in (50, 95, 99)},
        "again_max_s": _percentile(again_s, 100),
        "again_share": float((again_s < end_s - world.fails_at_s).mean()) if len(again_s) else math.nan,
        "lost_requests": float(lost.sum()),
        "lost_share": float(lost[hit].sum() / asked_for) if asked_for else math.nan,
        "homeless_replicas": float(homeless),
        "homeless_share": float(homeless / max(1, world.running.replicas[on_dead].sum())),
    }


def _series(world: World, service: Service, parameters: FederationFailoverParameters) -> Series:
    until_s = min(parameters.horizon_s - world.fails_at_s, parameters.outage_s + 60)
    after_s = np.unique(np.concatenate([np.arange(-5, 121, 0.5), np.arange(120, until_s, 5.0)]))
    share = service.share_over_time(world.demand_rps, world.fails_at_s + after_s)
    return Series(after_s, share, "seconds since the region died", "share of all requests", steps=True)


def _constants(parameters: FederationFailoverParameters) -> dict[str, Listing]:
    rows: list[tuple[str, float, str]] = []
    parts: Sequence[tuple[str, Part]] = [
        (name, getattr(parameters, name)) for name in ("heartbeats", "reports", "image", "start_up", "data", "links")
    ]
    for prefix, part in [("", parameters), *parts]:
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                rows.append((f"{prefix}.{name}".lstrip("."), value, field.description or "a choice"))
    return {"The constants": Listing(("constant", "value", "source"), rows)}


def _percentile(values: Sequence[float] | Floats, percent: float) -> float:
    return float(np.percentile(values, percent)) if len(values) else math.nan
