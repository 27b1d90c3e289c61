"""From the world and an arm to nodes, channels and hosts: the wiring of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from skyedge.earth.scenes import product_bytes
from skyedge.experiment.calibration import Calibration, settled_miner
from skyedge.experiment.federated_ground import FederatedGround, federated_ground
from skyedge.experiment.fleet import Fleet, read_device
from skyedge.experiment.forecast import outlook_of
from skyedge.experiment.inputs import DEVICE_KEYS
from skyedge.experiment.layers import Elastic
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import CLOUD, World, check_fault_targets, edge_of
from skyedge.inference.device import DeviceProfile
from skyedge.layers.elastic import Outlook
from skyedge.learning.zoo import Model
from skyedge.nodes.answering import ModelService, PictureServer, Server
from skyedge.nodes.backhaul import Backhaul, BackhaulProfile
from skyedge.nodes.cloud_pool import CloudPool
from skyedge.nodes.edge_node import EdgeNode
from skyedge.nodes.elastic_server import ElasticServer
from skyedge.nodes.ground_station import GroundStation, GroundStationProfile, PlannedSession
from skyedge.nodes.node import Node
from skyedge.nodes.onward import Onward
from skyedge.nodes.satellite import Satellite
from skyedge.nodes.satellite_profile import OnBoardModel, SatelliteProfile, Session
from skyedge.nodes.scheduled_server import ScheduledServer
from skyedge.nodes.workload import Site
from skyedge.runtime.horizon import AlwaysOpen, Channel, Downlink, Uplink
from skyedge.runtime.host import Executor, Host, Reboot
from skyedge.runtime.model_executor import ModelExecutor
from skyedge.space.power import Battery
from skyedge.time import MILLISECOND, SECOND, Instant, parse_duration

UNLIMITED_BYTES_S = 1e12
UNLIMITED_BURST_US = 300 * SECOND


@dataclass(frozen=True, eq=False)
class ServerPlan:
    """What looks at the pictures of a node, as a plan: a host builds the server itself, for it is changed by its work.

    With ``elastic`` it is a pool of instances, told ``outlook``; with ``cluster`` a scheduler shares it out; with neither it
    is always there.
    """

    service: ModelService
    seed: int
    start: Instant
    end: Instant
    elastic: Elastic | None = None
    outlook: Outlook | None = None
    cluster: Site | None = None

    def build(self, node: str) -> PictureServer:
        """A fresh server for ``node``."""
        if self.elastic is not None and self.outlook is not None:
            autoscaler = self.elastic.autoscaler.make(self.outlook)
            return ElasticServer(node, self.service, self.elastic.pool, autoscaler, seed=self.seed, start=self.start)
        if self.cluster is not None:
            return ScheduledServer(node, self.service, self.cluster, seed=self.seed, start=self.start, end=self.end)
        return Server(node, self.service)


@dataclass(frozen=True, eq=False)
class Assembly:
    """The nodes of one run as plans, from which any host can build those that it carries.

    With ``federated`` regional clusters and a mesh stand in the place of the one cloud.
    """

    satellites: tuple[SatelliteProfile, ...]
    batteries: tuple[tuple[Any, ...], ...]
    stations: tuple[GroundStationProfile, ...]
    edge_servers: dict[str, ServerPlan]
    edge_options: dict[str, Any]
    cloud_server: ServerPlan
    tiers: dict[str, str]
    channels: tuple[Channel, ...]
    reboots: tuple[Reboot, ...]
    start: Instant
    end: Instant
    exchange_quantum_us: int
    federated: FederatedGround | None = None

    @property
    def names(self) -> list[str]:
        """All nodes; the order ranks simultaneous events."""
        edges = [profile.edge for profile in self.stations if profile.edge]
        middle = [CLOUD] if self.federated is None else self.federated.names
        return [*middle, *(profile.name for profile in self.stations), *edges, *(s.name for s in self.satellites)]

    def host_of(self, hosting: str, hosts: int) -> dict[str, int]:
        """Which host carries each node: the ground on the first, the satellites dealt over the others."""
        if hosting == "per-node":
            return {name: number for number, name in enumerate(self.names)}
        sky = {profile.name: number for number, profile in enumerate(self.satellites)}
        if hosts == 1:
            return dict.fromkeys(self.names, 0)
        return {name: 1 + sky[name] % (hosts - 1) if name in sky else 0 for name in self.names}

    def build(self, carried: Sequence[str], executor: Executor) -> Host:
        """The host of the nodes called ``carried``."""
        wanted = set(carried)
        nodes: list[Node] = []
        if self.federated is not None:
            nodes += [self.federated.build(name) for name in self.federated.names if name in wanted]
        elif CLOUD in wanted:
            nodes.append(CloudPool(CLOUD, self.cloud_server.build(CLOUD), self.tiers))
        for profile in self.stations:
            if profile.name in wanted:
                nodes.append(GroundStation(profile, self._onward(profile.name, profile.backhaul)))
            if profile.edge is not None and profile.edge in wanted:
                server = self.edge_servers[profile.edge].build(profile.edge)
                onward = self._onward(profile.edge, profile.backhaul)
                nodes.append(EdgeNode(profile.edge, server, onward, **self.edge_options))
        for satellite, battery in zip(self.satellites, self.batteries, strict=True):
            if satellite.name in wanted:
                nodes.append(Satellite(satellite, Battery(*battery)))
        ranks = {name: rank for rank, name in enumerate(self.names)}
        return Host(nodes, ranks, executor, self.start, self.end, self.exchange_quantum_us, self.reboots)

    def _onward(self, node: str, backhaul: BackhaulProfile) -> Onward:
        """The way from a station or an edge node to whoever answers."""
        return Backhaul(node, CLOUD, backhaul) if self.federated is None else self.federated.dispatcher(node)

    def builders(self, host_of: dict[str, int], executor: Executor) -> list[partial[Host]]:
        """What makes each host, wherever it is to live."""
        carried: list[list[str]] = [[] for _ in range(max(host_of.values()) + 1)]
        for name, host in host_of.items():
            carried[host].append(name)
        return [partial(self.build, names, executor) for names in carried]


def assemble(
    experiment: Experiment, world: World, fleet: Fleet, calibration: Calibration, executor: ModelExecutor
) -> Assembly:
    """Wire one arm (an experiment with its overrides applied) into the world of a seed.

    Raises:
        InputError: if the arm names a miner, a device or a target that is not there.
    """
    pipeline = experiment.pipeline
    role = pipeline.on_board_model
    devices = {name: read_device(getattr(experiment.models, name)) for name in DEVICE_KEYS}
    work = world.camera.work_factor
    on_board = None
    if pipeline.mode != "bent-pipe":
        on_board = _on_board(role, getattr(fleet, role), devices["satellite_device"], work)
    filtering = on_board is not None and pipeline.cloud_filter == "network"
    miner = settled_miner(experiment, world, calibration, executor)
    mine_first = miner is not None and pipeline.mining_mode == "mining-then-inference"
    worth = None
    if miner is not None and miner.uses_truth:
        small = executor.table(role, "camera").argmax(axis=1)
        big = executor.table("ground", pipeline.scene_view).argmax(axis=1)
        worth = (small != world.scenes.label) & (big == world.scenes.label) & ~world.scenes.cloudy
    deadline = parse_duration(pipeline.deadline)
    sessions, planned = _sessions(world, unlimited=pipeline.unlimited_links)
    burst = UNLIMITED_BURST_US if pipeline.unlimited_links else parse_duration(experiment.runtime.transfer_burst)
    reboots, down_us = _reboots(experiment, world)
    satellites = tuple(
        SatelliteProfile(
            name=name,
            seed=world.seed,
            strips=world.strips_of(number),
            captured_at=world.scenes.captured_at,
            cloud_network=_on_board("cloud_filter", fleet.cloud_filter, devices["satellite_device"], work)
            if filtering
            else None,
            cloud_filter=calibration.cloud_filter if filtering else None,
            model=on_board,
            miner=miner,
            mine_first=mine_first,
            worth_sending=worth,
            temperature=calibration.temperature[role],
            scene_bytes=product_bytes(world.camera, pipeline.scene_view),
            result_bytes=pipeline.result_bytes,
            scene_expiry_us=deadline,
            result_expiry_us=deadline,
            storage_bytes=round(pipeline.storage_gb * 1e9),
            transfer_burst_us=burst,
            transmit_w=world.power.transmit_w,
            reboot_us=down_us.get(name, 0),
            sessions=sessions[number],
        )
        for number, name in enumerate(world.constellation.names)
    )
    batteries = tuple((world.power, world.sunlight_times_us, world.sunlit_s[number]) for number in range(len(satellites)))
    terrestrial = experiment.terrestrial
    backhaul = BackhaulProfile(
        terrestrial.backhaul_mbps, max(1, round(terrestrial.latency_ms * MILLISECOND)), terrestrial.hops
    )
    stations = tuple(
        GroundStationProfile(
            name,
            CLOUD,
            edge_of(name) if pipeline.edge_node else None,
            backhaul,
            tuple(planned[number]),
            experiment.space.control_bytes_per_pass,
        )
        for number, name in enumerate(world.sites.names)
    )
    edge_servers: dict[str, ServerPlan] = {}
    if pipeline.edge_node:
        macs = fleet.edge.multiply_accumulates * work
        device = devices["edge_device"]
        service = ModelService("edge", pipeline.scene_view, device.seconds(macs), device.joules(macs))
        for name in world.sites.names:
            cluster = _cluster(experiment, name)
            edge_servers[edge_of(name)] = ServerPlan(service, world.seed, world.start, world.end, cluster=cluster)
    macs, device = fleet.ground.multiply_accumulates * work, devices["ground_device"]
    replicas = experiment.cloud.replicas
    service = ModelService("ground", pipeline.scene_view, device.seconds(macs), device.joules(macs), replicas)
    quantum = parse_duration(terrestrial.exchange_quantum)
    federated = federated_ground(experiment, world, service) if experiment.layers.federation is not None else None
    return Assembly(
        satellites,
        batteries,
        stations,
        edge_servers,
        {
            "accept_confidence": pipeline.edge_accept_confidence,
            "temperature": calibration.temperature["edge"],
            "result_bytes": pipeline.result_bytes,
        },
        _cloud_server(experiment, world, service),
        {edge_of(profile.name): "edge" for profile in stations},
        _channels(satellites, stations, world, planned, backhaul.latency_us, quantum, federated),
        reboots,
        world.start,
        world.end,
        quantum,
        federated,
    )


def _cloud_server(experiment: Experiment, world: World, service: ModelService) -> ServerPlan:
    elastic = experiment.layers.elastic
    plan = partial(ServerPlan, service, world.seed, world.start, world.end)
    if elastic is None:
        return plan(cluster=_cluster(experiment, CLOUD))
    picture_bytes = product_bytes(world.camera, service.view)
    outlook = outlook_of(world, picture_bytes, elastic.expected_share, service.seconds_per_scene, elastic.pool)
    return plan(elastic=elastic, outlook=outlook)


def _cluster(experiment: Experiment, site: str) -> Site | None:
    scheduler = experiment.layers.scheduler
    return scheduler.cluster(site) if scheduler is not None and site in scheduler.sites() else None


def _on_board(role: str, model: Model, device: DeviceProfile, work: float) -> OnBoardModel:
    macs = model.multiply_accumulates * work
    return OnBoardModel(role, device.seconds(macs), device.joules(macs))


def _sessions(world: World, *, unlimited: bool) -> tuple[list[dict[int, Session]], list[list[PlannedSession]]]:
    """Sessions by satellite and contact, and by station in order of call."""
    plan, names = world.plan, world.constellation.names
    by_satellite: list[dict[int, Session]] = [{} for _ in names]
    by_station: list[list[PlannedSession]] = [[] for _ in world.sites.names]
    if unlimited:
        times = np.array([world.start, world.end], np.int64)
        volume = np.array([0.0, (world.end - world.start) / SECOND * UNLIMITED_BYTES_S])
        for number, name in enumerate(names):
            by_satellite[number][number] = Session(world.end, times, volume, 0.0, 1)
            by_station[0].append(PlannedSession(number, name, world.start, world.start + SECOND, world.end, 1e6))
        return by_satellite, by_station
    for session in range(len(plan)):
        satellite = int(plan.satellite[session])
        times, cumulative = plan.curve(session)
        closes = int(plan.closes_us[session])
        retransmitted, light = float(plan.retransmitted_share[session]), int(world.light_time_us[session])
        by_satellite[satellite][session] = Session(closes, times, cumulative, retransmitted, light)
        calls, opens = int(plan.calls_us[session]), int(plan.opens_us[session])
        by_station[int(plan.site[session])].append(
            PlannedSession(session, names[satellite], calls, opens, closes, plan.uplink_mbps)
        )
    return by_satellite, by_station


def _channels(
    satellites: Sequence[SatelliteProfile],
    stations: Sequence[GroundStationProfile],
    world: World,
    planned: Sequence[Sequence[PlannedSession]],
    latency_us: int,
    quantum_us: int,
    federated: FederatedGround | None,
) -> tuple[Channel, ...]:
    senders = [name for station in stations for name in (station.name, station.edge) if name]
    if federated is None:
        channels: list[Channel] = [AlwaysOpen(sender, CLOUD, latency_us, quantum_us) for sender in senders]
    else:
        channels = federated.channels(senders)
    for station, sessions in zip(stations, planned, strict=True):
        if station.edge:
            channels.append(AlwaysOpen(station.name, station.edge, 1, quantum_us))
        by_satellite: dict[str, list[PlannedSession]] = {}
        for session in sessions:
            by_satellite.setdefault(session.satellite, []).append(session)
        for satellite in satellites:
            if mine := by_satellite.get(satellite.name):
                opens = tuple(session.opens_at for session in mine)
                # What was sent just before the end of a pass arrives a light time after it.
                closes = tuple(session.closes_at + SECOND for session in mine)
                channels.append(Downlink(satellite.name, station.name, opens, closes))
                channels.append(Uplink(station.name, satellite.name, opens))
    return tuple(channels)


def _reboots(experiment: Experiment, world: World) -> tuple[tuple[Reboot, ...], dict[str, int]]:
    check_fault_targets(experiment, world.constellation, world.sites)
    reboots, down = [], dict[str, int]()
    for fault in experiment.faults:
        if fault.kind == "reboot":
            reboots.append(Reboot(fault.target, world.start + parse_duration(fault.after)))
            down[fault.target] = parse_duration(fault.duration)
    return tuple(reboots), down
