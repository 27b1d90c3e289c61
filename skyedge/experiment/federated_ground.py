"""From ``layers.federation`` and ``layers.mesh`` to the nodes on the ground that stand where the one cloud does.

Where everything is comes first, then where the big model and the trainings go at the start, then who tells whom what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.experiment.federation_layer import CONTROL_PLANE, WHERE, Federation
from skyedge.experiment.mesh_layer import Mesh, user_of
from skyedge.experiment.spec import Experiment, Terrestrial
from skyedge.experiment.world import CLOUD, World, edge_of
from skyedge.layers.federation.detection import Spells, Weather, watch
from skyedge.layers.federation.failover_settings import FailoverSettings
from skyedge.layers.federation.objects import Cluster, Demand, Workload
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.paths.terrestrial import Place, TerrestrialNetwork
from skyedge.nodes.answering import ModelService
from skyedge.nodes.cluster_choice import ClusterChoice, Target
from skyedge.nodes.control_plane import ControlPlane, ControlPlaneProfile, Watched
from skyedge.nodes.dispatcher import Dispatcher
from skyedge.nodes.node import Node
from skyedge.nodes.propagation import PassOutlook, Propagation
from skyedge.nodes.regional_cluster import ClusterProfile, RegionalCluster
from skyedge.nodes.terrestrial_line import LineProfile, TerrestrialLine
from skyedge.nodes.training_desk import TrainingKind
from skyedge.nodes.user_city import Questions, UserCity
from skyedge.runtime.horizon import AlwaysOpen, Channel
from skyedge.streams import stream
from skyedge.time import FOREVER, HOUR, SECOND, Instant, parse_duration

WATCHED_BEFORE_S = 120.0
"""So long before an outage detection is reckoned from, that a cluster has been seen well; and after it."""


@dataclass(frozen=True, eq=False)
class FederatedGround:
    """The ground of one run as plans, from which any host can build the nodes that it carries.

    Attributes:
        mesh: how work finds a cluster.
        network: where everything is.
        clusters: what each is made of, by name.
        control_plane: who places and tells.
        localities: of clusters, stations, edge nodes and users.
        questions: of each user node.
        initial: replicas at the start, by cluster.
        seed: of the run.
    """

    mesh: Mesh
    line: LineProfile
    clusters: Mapping[str, ClusterProfile]
    control_plane: ControlPlaneProfile
    localities: Mapping[str, Locality]
    questions: Mapping[str, Questions]
    initial: Mapping[str, int]
    seed: int

    @property
    def names(self) -> list[str]:
        """All nodes but stations and edge nodes."""
        return [CONTROL_PLANE, *self.clusters, *self.questions]

    def build(self, name: str) -> Node:
        """The node of one of the names."""
        if name == CONTROL_PLANE:
            return ControlPlane(self.control_plane)
        if name in self.clusters:
            return RegionalCluster(self.clusters[name])
        line = TerrestrialLine(name, self.line)
        return UserCity(name, self.questions[name], self._choice(name), line, self.mesh.dispatch())

    def dispatcher(self, node: str) -> Dispatcher:
        """What sends on the answers and pictures of a station or an edge node."""
        return Dispatcher(self._choice(node), TerrestrialLine(node, self.line), self.mesh.dispatch())

    def _choice(self, node: str) -> ClusterChoice:
        targets = [
            Target(name, self.localities[name], self.line.network.path(node, name).latency_us) for name in self.clusters
        ]
        draws = stream(self.seed, node, "mesh")
        return ClusterChoice(targets, self.localities[node], self.mesh.choice(), self.initial, draws)

    def channels(self, senders: Sequence[str]) -> list[Channel]:
        """Both ways between every cluster and everybody; ``senders`` are stations and edge nodes."""
        pairs = [(one, other) for one in self.clusters for other in (*self.questions, *senders)]
        pairs += [(CONTROL_PLANE, other) for other in (*self.clusters, *self.questions, *senders)]
        names = list(self.clusters)
        pairs += [(one, other) for number, one in enumerate(names) for other in names[:number]]
        channels: list[Channel] = []
        for one, other in pairs:
            latency_us = self.line.network.path(one, other).latency_us
            for source, target in ((one, other), (other, one)):
                channels.append(AlwaysOpen(source, target, latency_us, self.line.quantum_us))
        return channels


def federated_ground(experiment: Experiment, world: World, service: ModelService) -> FederatedGround:
    """Wire the federation of an arm into the world of a seed.

    Raises:
        InputError: if the big model or a training finds no place, or a name points to nothing.
    """
    federation, mesh = _checked(experiment, world)
    quantum_us = parse_duration(experiment.terrestrial.exchange_quantum)
    network, localities = _geography(federation, mesh, world)
    line = LineProfile(network, experiment.terrestrial.backhaul_mbps, quantum_us)
    model, trainings = propagations(federation, network, world)
    initial = _placed_at_start(model, world)
    outages = _outages(experiment, world)
    kinds = _kinds(federation, world)
    questions = _questions(mesh, world)
    answer_bytes = round(mesh.users.answer_kb * 1000) if mesh.users is not None else 0
    clusters = {
        one.name: ClusterProfile(
            name=one.name,
            service=replace(service, replicas=1),
            replicas=initial.get(one.name, 0),
            outages=outages.get(one.name, ()),
            start_us=round(federation.start_s * SECOND),
            control_plane=CONTROL_PLANE,
            peers=tuple(name for name in federation.names() if name != one.name),
            line=line,
            tiers={edge_of(site): "edge" for site in world.sites.names},
            zone=world.scenes.block.astype(np.int64),
            captured_at=world.scenes.captured_at,
            announces=mesh.users is not None,
            answer_bytes=answer_bytes,
            trainings=kinds,
            prices=one.prices(federation.needs),
        )
        for one in federation.clusters
    }
    settings = federation.settings()
    informed = [*world.sites.names, *(map(edge_of, world.sites.names) if experiment.pipeline.edge_node else ()), *questions]
    control_plane = ControlPlaneProfile(
        name=CONTROL_PLANE,
        clusters=tuple(clusters),
        informed=tuple(informed),
        initial=initial,
        model=model,
        trainings=tuple(zip(kinds, trainings, strict=True)),
        moves=settings.evicts,
        decision_us=round(settings.decision_s * SECOND),
        image_bytes=round(federation.image_mb * 1e6),
        watched=_watched(settings, outages, world),
        report_period_us=round(settings.health.report_period_s * SECOND) if settings.watched else 0,
        rebalance_us=parse_duration(federation.rebalance),
        line=line,
    )
    return FederatedGround(mesh, line, clusters, control_plane, localities, questions, initial, world.seed)


def check_federated(experiment: Experiment, sky: World) -> None:
    """Check that a federation and its mesh fit together and into the sky of a seed.

    Raises:
        InputError: for whatever can be told without flying.
    """
    federation, mesh = _checked(experiment, sky)
    layers = experiment.layers
    if layers.elastic is not None or (layers.scheduler is not None and CLOUD in layers.scheduler.sites()):
        raise InputError("a federation has no cloud pool that could be elastic or scheduled", where="layers")
    if experiment.cloud.replicas != 1:
        raise InputError("layers.federation says how many replicas there are: leave this out", where="cloud.replicas")
    usual = Terrestrial()
    for key in ("latency_ms", "hops"):
        if getattr(experiment.terrestrial, key) != getattr(usual, key):
            words = "with regional clusters this follows from distances: leave it out, or see layers.federation.network"
            raise InputError(words, where=f"terrestrial.{key}")
    network, _ = _geography(federation, mesh, sky)
    model, _ = propagations(federation, network, sky)
    _placed_at_start(model, sky)


def _checked(experiment: Experiment, world: World) -> tuple[Federation, Mesh]:
    federation, mesh = experiment.layers.federation, experiment.layers.mesh or Mesh()
    assert federation is not None
    stations = world.sites.names
    federation.check(stations)
    regions = [(one.region, one.name) for one in federation.clusters]
    senders = [name for site in stations for name in (site, edge_of(site))]
    taken = [*federation.names(), CONTROL_PLANE, *senders, *world.constellation.names]
    twice = next((name for name in taken[len(federation.clusters) :] if name in federation.names()), None)
    if twice is not None:
        raise InputError(f"a cluster cannot be called '{twice}': something else is", where=f"{WHERE}.clusters")
    mesh.check(regions, taken, parse_duration(experiment.terrestrial.exchange_quantum))
    return federation, mesh


def _placed_at_start(model: Propagation, world: World) -> dict[str, int]:
    found, why = model.explained(world.start)
    if not found:
        raise InputError(f"the big model finds no place: {why}", where=f"{WHERE}.policy")
    return found


def propagations(
    federation: Federation, network: TerrestrialNetwork, world: World
) -> tuple[Propagation, tuple[Propagation, ...]]:
    """Where the big model goes, and each of the trainings.

    Raises:
        InputError: for a policy that is none, or one of a training that no cluster meets.
    """
    demand = _demand(world)
    workloads = [federation.training(number, demand) for number in range(len(federation.trainings))]
    model = federation.model(demand)
    clusters = _clusters(federation, network, world, [model, *workloads])
    ahead = parse_duration(federation.rebalance) or parse_duration(federation.outlook)
    outlook = _outlook(world, network, federation.names(), ahead)
    trainings = tuple(Propagation(clusters, workload, outlook) for workload in workloads)
    for number, training in enumerate(trainings):
        found, why = training.explained(world.start)
        where = f"{WHERE}.trainings.{number}.policy"
        if not found:
            raise InputError(f"the training finds no place: {why}", where=where)
        if len(found) > 1:
            raise InputError(f"a training runs on one cluster, and not on {', '.join(sorted(found))}", where=where)
    return Propagation(clusters, model, outlook), trainings


def _geography(federation: Federation, mesh: Mesh, world: World) -> tuple[TerrestrialNetwork, dict[str, Locality]]:
    sites = world.sites
    places = {
        name: Place(float(lat_deg), float(lon_deg))
        for name, lat_deg, lon_deg in zip(sites.names, sites.lat_deg, sites.lon_deg, strict=True)
    }
    places |= {edge_of(name): places[name] for name in sites.names}
    clusters = {one.name: _place(one.at, one.lat_deg, one.lon_deg, places) for one in federation.clusters}
    if mesh.users is not None:
        places |= {user_of(city.name): Place(city.lat_deg, city.lon_deg) for city in mesh.users.chosen()}
    localities = {one.name: Locality(one.region, one.name) for one in federation.clusters}
    for name, place in places.items():
        # Whoever is no cluster counts to the region, and as the zone, of the nearest one.
        near = min(clusters, key=lambda cluster: (place.km_to(clusters[cluster]), cluster))
        localities[name] = localities[near]
    home = federation.control_plane_at or federation.clusters[0].name
    places |= clusters
    places[CONTROL_PLANE] = clusters[home]
    return TerrestrialNetwork(places, federation.network.rules()), localities


def _place(at: str | None, lat_deg: float | None, lon_deg: float | None, sites: Mapping[str, Place]) -> Place:
    if at is not None:
        return sites[at]
    assert lat_deg is not None
    assert lon_deg is not None
    return Place(lat_deg, lon_deg)


def _demand(world: World) -> tuple[Demand, ...]:
    """Where pictures land: the stations, by what the plan's passes over each can carry."""
    nominal = world.plan.volumes_bytes() / world.plan.pass_yield
    landed = np.bincount(world.plan.site, nominal, len(world.sites))
    rows = zip(world.sites.names, world.sites.lat_deg.tolist(), world.sites.lon_deg.tolist(), landed.tolist(), strict=True)
    return tuple(Demand(name, lat_deg, lon_deg, weight) for name, lat_deg, lon_deg, weight in rows if weight > 0)


def _clusters(
    federation: Federation, network: TerrestrialNetwork, world: World, workloads: Sequence[Workload]
) -> tuple[Cluster, ...]:
    """As the federation sees them, with what they are to each station."""
    shapes = [workload.shape for workload in workloads]
    clusters = []
    for one in federation.clusters:
        place = network.places[one.name]
        cluster = one.cluster(place.lat_deg, place.lon_deg, shapes)
        facts = dict(cluster.facts)
        for site in world.sites.names:
            path = network.path(site, one.name)
            facts |= {f"hops:{site}": float(path.hops), f"latency_ms:{site}": path.latency_us / 1000}
        clusters.append(replace(cluster, facts=facts))
    return tuple(clusters)


def _outlook(world: World, network: TerrestrialNetwork, clusters: Sequence[str], window_us: int) -> PassOutlook:
    """Which passes land nearest to which cluster."""

    def nearest_to(site: str) -> int:
        return min(range(len(clusters)), key=lambda one: (network.path(site, clusters[one]).latency_us, clusters[one]))

    near = np.array([nearest_to(site) for site in world.sites.names], np.intp)
    plan = world.plan
    return PassOutlook(plan.opens_us, near[plan.site], plan.volumes_bytes() / plan.pass_yield, window_us)


def _outages(experiment: Experiment, world: World) -> dict[str, tuple[tuple[Instant, Instant], ...]]:
    """Spans of time in which each cluster is out, those that touch made one."""
    found: dict[str, list[tuple[Instant, Instant]]] = {}
    for fault in experiment.faults:
        if fault.kind == "cluster-outage":
            begin = world.start + parse_duration(fault.after)
            found.setdefault(fault.target, []).append((begin, begin + parse_duration(fault.duration)))
    return {name: _merged(spans) for name, spans in found.items()}


def _merged(spans: Sequence[tuple[Instant, Instant]]) -> tuple[tuple[Instant, Instant], ...]:
    merged: list[tuple[Instant, Instant]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > begin:
            merged.append((begin, end))
    return tuple(merged)


def _watched(
    settings: FailoverSettings, outages: Mapping[str, Sequence[tuple[Instant, Instant]]], world: World
) -> tuple[Watched, ...]:
    """When the control plane sees each outage, and its end."""
    found = []
    for number, name in enumerate(sorted(outages)):
        for begin, end in outages[name]:
            declared, cleared = FOREVER, FOREVER
            if settings.watched:
                length_s = (end - begin) / SECOND
                down = Spells.of([(0, WATCHED_BEFORE_S, WATCHED_BEFORE_S + length_s)])
                until_s = WATCHED_BEFORE_S + length_s + WATCHED_BEFORE_S
                seed = int(stream(world.seed, name, f"watched from {number}").integers(2**31))
                for sighting in watch(settings.health, 1, Weather(down=down), until_s, seed):
                    if sighting.declared_at_s < until_s:
                        declared = begin + round((sighting.declared_at_s - WATCHED_BEFORE_S) * SECOND)
                        if sighting.cleared_at_s < until_s:
                            cleared = begin + round((sighting.cleared_at_s - WATCHED_BEFORE_S) * SECOND)
                        break
            if declared < world.end:
                found.append(Watched(name, begin, end, declared, cleared if cleared < world.end else FOREVER))
            elif begin < world.end:
                found.append(Watched(name, begin, end, FOREVER, FOREVER))
    return tuple(found)


def _kinds(federation: Federation, world: World) -> tuple[TrainingKind, ...]:
    kinds = []
    for one in federation.trainings:
        every_us = parse_duration(one.every)
        kinds.append(TrainingKind(one.name, world.start + every_us, every_us, parse_duration(one.duration)))
    return tuple(kinds)


def _questions(mesh: Mesh, world: World) -> dict[str, Questions]:
    """What users ask for: at random moments, zones by how often they are photographed."""
    if mesh.users is None:
        return {}
    zones, often = np.unique(world.scenes.block, return_counts=True)
    found = {}
    for city in mesh.users.chosen():
        node = user_of(city.name)
        draws = stream(world.seed, node, "questions")
        hours = (world.end - world.start) / HOUR
        count = int(draws.poisson(mesh.users.per_hour * hours))
        at: NDArray[np.int64] = np.sort(draws.integers(world.start, world.end, count))
        zone = draws.choice(zones, count, p=often / often.sum()) if len(zones) else np.zeros(count, np.int64)
        found[node] = Questions(at, zone.astype(np.int64))
    return found
