"""From the world and an arm to nodes, channels and hosts: the wiring of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from skyedge.earth import CALIBRATE, CLASSES, Earth
from skyedge.earth.imagery import MID_MONTH_DAYS, MONTHS, months_at
from skyedge.earth.scenes import degrade, product_bytes
from skyedge.errors import InputError
from skyedge.experiment.inputs import find_device
from skyedge.experiment.loading import resolve_arm
from skyedge.experiment.spec import Experiment
from skyedge.experiment.world import CLOUD, World, check_fault_targets, edge_of, flight_of, make_sky, tile_folder
from skyedge.inference.budget import Budgeted
from skyedge.inference.cloud_filter import CloudFilter, cloud_score
from skyedge.inference.device import DeviceProfile
from skyedge.inference.miners import Examples, Miner, Observation, build_miner
from skyedge.inference.scores import fit_temperature
from skyedge.inference.sweep import knob_of, set_to_share
from skyedge.learning.card import check_classes
from skyedge.learning.data import EarthSource, FolderSource, Pictures, Source
from skyedge.learning.zoo import Model, check_same_classes, load_model
from skyedge.nodes.answering import ModelService
from skyedge.nodes.backhaul import BackhaulProfile
from skyedge.nodes.cloud_pool import CloudPool
from skyedge.nodes.edge_node import EdgeNode
from skyedge.nodes.ground_station import GroundStation, GroundStationProfile, PlannedSession
from skyedge.nodes.node import Node
from skyedge.nodes.satellite import OnBoardModel, Satellite, SatelliteProfile, Session
from skyedge.runtime.horizon import AlwaysOpen, Channel, Downlink, Uplink
from skyedge.runtime.host import Executor, Host, Reboot
from skyedge.runtime.model_executor import ModelExecutor
from skyedge.space.power import Battery
from skyedge.time import DAY, MILLISECOND, SECOND, Instant, day_of_year, parse_duration
from skyedge.yaml_files import read_yaml

UNLIMITED_BYTES_S = 1e12
UNLIMITED_BURST_US = 300 * SECOND
CALIBRATION_PER_CLASS = 250
CALIBRATION_SEED = 400
MOST_REPLICAS = 10


@dataclass(frozen=True)
class Fleet:
    """The models of an experiment by their role, for one seed's replicas."""

    flight: Model
    archive: Model
    cloud_filter: Model
    edge: Model
    ground: Model

    def by_name(self) -> dict[str, Model]:
        """By the names that nodes use."""
        return {role: getattr(self, role) for role in ("flight", "archive", "cloud_filter", "edge", "ground")}


def load_fleet(experiment: Experiment, seed: int, thumbnail_px: int) -> Fleet:
    """The models, replica ``seed`` of each (counted round).

    Raises:
        InputError: if one is missing, they answer different questions, or the user's own imagery asks another.
    """
    names = experiment.models
    fleet = Fleet(
        *(
            load_model(name, seed, thumbnail_px=thumbnail_px)
            for name in (names.on_board, names.on_board_archive, names.cloud_filter, names.edge, names.ground)
        )
    )
    for role, model in fleet.by_name().items():
        if (model.task == "cloud") != (role == "cloud_filter"):
            where = "models." + {"flight": "on_board", "archive": "on_board_archive"}.get(role, role)
            wanted = "tells clouds apart" if role == "cloud_filter" else "tells land covers or a folder's classes apart"
            raise InputError(f"model {model.name} has the task '{model.task}'; one is needed that {wanted}", where=where)
    check_same_classes([fleet.flight, fleet.archive, fleet.edge, fleet.ground])
    folder = tile_folder(experiment)
    check_classes(fleet.flight.name, fleet.flight.classes, folder.classes if folder else CLASSES, experiment.imagery.folder)
    if folder is not None:
        folder.tiles(thumbnail_px)  # a file that is no picture is named here, before anything is run
    return fleet


def check_experiment(experiment: Experiment) -> World:
    """Say what is wrong with any arm before anything is run or written; returns the sky of the first seed.

    Raises:
        InputError: for whatever can be told without flying.
    """
    first, skies, fleets = experiment.seeds[0], dict[str, World](), set[str]()
    for name in experiment.arms:
        arm = resolve_arm(experiment, name)
        key = repr((arm.time, arm.space, arm.imagery, arm.faults))
        if key not in skies:
            skies[key] = make_sky(arm, first)
            if arm.imagery.folder is None:
                for seed in experiment.seeds:
                    start, end = flight_of(arm, seed)
                    months_at(np.arange(start, end, DAY), accept_blend=arm.imagery.accept_blend)
        camera = skies[key].camera
        key = repr((arm.models, arm.imagery, camera.thumbnail_px))
        if key not in fleets:
            # A model with several replicas has another file for the next seed.
            for seed in experiment.seeds[:MOST_REPLICAS]:
                load_fleet(arm, seed, camera.thumbnail_px)
            fleets.add(key)
        for device in _DEVICES:
            read_device(getattr(arm.models, device))
        product_bytes(camera, arm.pipeline.scene_view)
        if parse_duration(arm.pipeline.deadline) >= parse_duration(arm.time.duration):
            raise InputError(
                f"no deadline of {arm.pipeline.deadline} ends within a run of {arm.time.duration}: nothing could be scored",
                where=f"arm {name}: pipeline.deadline",
            )
        if arm.pipeline.mode == "collaborative":
            _checked_miner(arm)
    return next(iter(skies.values()))


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is settled on calibrate blocks, with the archive's pictures of the season of the run."""

    cloud_filter: CloudFilter
    temperature: dict[str, float]
    examples: dict[str, Examples]


def calibrate(experiment: Experiment, fleet: Fleet, world: World, view: str) -> Calibration:
    """Thresholds, temperatures and examples for miners; ``view`` is how hard scenes reach the ground."""
    day = float(day_of_year(world.start))
    month = MONTHS[int(np.abs(MID_MONTH_DAYS - day).argmin())]
    folder = tile_folder(experiment)
    earth = Earth.load()
    source = EarthSource(earth, world.camera) if folder is None else FolderSource(folder, earth, world.camera)
    pictures = _calibration_pictures(source, month)
    scores = cloud_score(fleet.cloud_filter.logits(pictures.tiles))
    cloudy = pictures.cloud_cover > experiment.imagery.clouds.cloudy_above
    clear = pictures.take(~cloudy)
    seen = degrade(clear.tiles, view)
    big = fleet.ground.logits(seen)
    small = {"flight": fleet.flight.logits(clear.tiles), "archive": fleet.archive.logits(clear.tiles)}
    temperature = {role: fit_temperature(logits, clear.label) for role, logits in small.items()}
    temperature["edge"] = fit_temperature(fleet.edge.logits(seen), clear.label)
    return Calibration(
        CloudFilter.for_clear_loss(scores, cloudy, experiment.pipeline.maximum_clear_loss),
        temperature,
        {role: Examples(logits, big, clear.label) for role, logits in small.items()},
    )


@lru_cache(maxsize=2)
def _calibration_pictures(source: Source, month: int) -> Pictures:
    """The pictures of a month, which the seeds of an experiment share."""
    return source.pictures(CALIBRATE, (month,), CALIBRATION_PER_CLASS, CALIBRATION_SEED, clear_only=False)


@dataclass(frozen=True, eq=False)
class Assembly:
    """The nodes of one run as plans, from which any host can build those that it carries."""

    satellites: tuple[SatelliteProfile, ...]
    batteries: tuple[tuple[Any, ...], ...]
    stations: tuple[GroundStationProfile, ...]
    edge_service: ModelService | None
    edge_options: dict[str, Any]
    cloud_service: ModelService
    tiers: dict[str, str]
    channels: tuple[Channel, ...]
    reboots: tuple[Reboot, ...]
    start: Instant
    end: Instant
    exchange_quantum_us: int

    @property
    def names(self) -> list[str]:
        """All nodes; the order ranks simultaneous events."""
        edges = [profile.edge for profile in self.stations if profile.edge]
        return [CLOUD, *(profile.name for profile in self.stations), *edges, *(s.name for s in self.satellites)]

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
        if CLOUD in wanted:
            nodes.append(CloudPool(CLOUD, self.cloud_service, self.tiers))
        for profile in self.stations:
            if profile.name in wanted:
                nodes.append(GroundStation(profile))
            if profile.edge in wanted and self.edge_service is not None:
                nodes.append(EdgeNode(profile.edge, CLOUD, self.edge_service, profile.backhaul, **self.edge_options))
        for satellite, battery in zip(self.satellites, self.batteries, strict=True):
            if satellite.name in wanted:
                nodes.append(Satellite(satellite, Battery(*battery)))
        ranks = {name: rank for rank, name in enumerate(self.names)}
        return Host(nodes, ranks, executor, self.start, self.end, self.exchange_quantum_us, self.reboots)

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
    devices = {name: read_device(getattr(experiment.models, name)) for name in _DEVICES}
    work = world.camera.work_factor
    on_board = None
    if pipeline.mode != "bent-pipe":
        on_board = _on_board(role, getattr(fleet, role), devices["satellite_device"], work)
    filtering = on_board is not None and pipeline.cloud_filter == "network"
    miner = _miner(experiment, world, calibration, executor)
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
    edge_service = None
    if pipeline.edge_node:
        macs = fleet.edge.multiply_accumulates * work
        device = devices["edge_device"]
        edge_service = ModelService("edge", pipeline.scene_view, device.seconds(macs), device.joules(macs))
    macs, device = fleet.ground.multiply_accumulates * work, devices["ground_device"]
    quantum = parse_duration(terrestrial.exchange_quantum)
    return Assembly(
        satellites,
        batteries,
        stations,
        edge_service,
        {
            "accept_confidence": pipeline.edge_accept_confidence,
            "temperature": calibration.temperature["edge"],
            "result_bytes": pipeline.result_bytes,
        },
        ModelService("ground", pipeline.scene_view, device.seconds(macs), device.joules(macs), experiment.cloud.replicas),
        {edge_of(profile.name): "edge" for profile in stations},
        _channels(satellites, stations, world, planned, backhaul.latency_us, quantum),
        reboots,
        world.start,
        world.end,
        quantum,
    )


_DEVICES = ("satellite_device", "edge_device", "ground_device")


def read_device(name: str) -> DeviceProfile:
    """The device profile of that name in ``models/devices/``, or at that path."""
    path = find_device(name)
    return DeviceProfile.from_mapping(read_yaml(path), where=path)


def _on_board(role: str, model: Model, device: DeviceProfile, work: float) -> OnBoardModel:
    macs = model.multiply_accumulates * work
    return OnBoardModel(role, device.seconds(macs), device.joules(macs))


def _checked_miner(experiment: Experiment) -> Miner:
    """The miner of an arm, not yet fitted.

    Raises:
        InputError: if there is no such miner, or it cannot do its work in this pipeline.
    """
    pipeline, where = experiment.pipeline, "pipeline.miner"
    miner = build_miner(pipeline.miner.name, pipeline.miner.parameters, where=where)
    if pipeline.mining_mode == "mining-then-inference" and miner.needs_logits:
        raise InputError(
            f"miner {pipeline.miner.name} needs the on-board model's answer, so it cannot mine before inference", where=where
        )
    if pipeline.unlimited_links and isinstance(miner, Budgeted):
        raise InputError("the budgeted miner shares out passes, and with unlimited_links there are none", where=where)
    if pipeline.miner.set_to_share is not None and not isinstance(miner, Budgeted):
        knob_of(miner)
    return miner


def _miner(experiment: Experiment, world: World, calibration: Calibration, executor: ModelExecutor) -> Miner | None:
    pipeline = experiment.pipeline
    if pipeline.mode != "collaborative":
        return None
    role, share = pipeline.on_board_model, pipeline.miner.set_to_share
    miner = _checked_miner(experiment)
    if hasattr(miner, "fitted"):
        miner = miner.fitted(calibration.examples[role])
    if isinstance(miner, Budgeted):  # its knob is the share itself
        return miner if share is None else replace(miner, share_of_captures=share)
    if share is None:
        return miner
    # What the fleet itself sees over calibrate blocks, without its truth: those scenes are never scored.
    over = np.flatnonzero(world.scenes.split == CALIBRATE)
    seen = over
    if pipeline.cloud_filter == "network":
        seen = over[~calibration.cloud_filter.is_cloudy(cloud_score(executor.table("cloud_filter", "camera")[over]))]
    logits = executor.table(role, "camera")[seen] if miner.needs_logits else None
    return set_to_share(miner, Observation(seen.astype(np.int32), logits), len(over), share)


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
) -> tuple[Channel, ...]:
    channels: list[Channel] = []
    for station, sessions in zip(stations, planned, strict=True):
        channels.append(AlwaysOpen(station.name, CLOUD, latency_us, quantum_us))
        if station.edge:
            channels.append(AlwaysOpen(station.name, station.edge, 1, quantum_us))
            channels.append(AlwaysOpen(station.edge, CLOUD, latency_us, quantum_us))
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
