"""The world of one seed: who flies where, what is photographed, and what the pictures look like.

Made once and shared by all arms: an arm changes what is done with a scene, never the scene.  Where a user's own folder
of tiles stands for the Earth, the fleet takes its pictures where and when it would, and each shows one of the tiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.earth import CALIBRATE, CLASSES, EVALUATE, TRAIN
from skyedge.earth.camera import Camera, plan_captures
from skyedge.earth.cloud import CloudField
from skyedge.earth.imagery import Earth
from skyedge.earth.scenes import SceneTable, degrade, render, scene_table, sky_over, with_clouds
from skyedge.earth.tile_folder import TileFolder, open_sealed
from skyedge.errors import InputError, nearest
from skyedge.experiment.spec import Experiment
from skyedge.resources import find
from skyedge.space.constellation import Constellation, load_elements
from skyedge.space.contacts import elevation_deg, find_contacts, require_contacts
from skyedge.space.eclipse import sunlit_seconds
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import LIGHT_KM_S, to_geodetic
from skyedge.space.link import LinkProfile
from skyedge.space.plan import ContactPlan, Outage, plan_contacts
from skyedge.space.power import PowerProfile
from skyedge.space.sites import Sites
from skyedge.space.sun import sun_elevation_deg
from skyedge.streams import stream
from skyedge.time import DAY, SECOND, Instant, parse_duration, parse_utc
from skyedge.yaml_files import read_yaml

CLOUD = "cloud"
STRIP_SCENES = 10


@dataclass(frozen=True, eq=False)
class World:
    """All that the arms of one seed share."""

    seed: int
    start: Instant
    end: Instant
    constellation: Constellation
    sites: Sites
    ephemeris: Ephemeris
    plan: ContactPlan
    light_time_us: NDArray[np.int64]  # one way, by session
    camera: Camera
    power: PowerProfile
    sunlight_times_us: NDArray[np.int64]
    sunlit_s: NDArray[np.float64]  # (satellites, samples)
    scenes: SceneTable
    pictures: NDArray[np.uint8]  # (scenes, size, size, 3)
    classes: tuple[str, ...] = CLASSES  # what the scenes' labels stand for

    def view(self, name: str) -> NDArray[np.uint8]:
        """The pictures in a view: as taken, or compressed."""
        return degrade(self.pictures, name)

    def pictures_digest(self) -> str:
        """Identifies the pictures."""
        return hashlib.sha256(self.pictures.tobytes()).hexdigest()

    def strips_of(self, satellite: int) -> tuple[tuple[Instant, NDArray[np.int32]], ...]:
        """Captures of one satellite in strips of up to ten: when a strip is complete, and its scenes."""
        scenes = np.flatnonzero(self.scenes.satellite == satellite).astype(np.int32)
        at = self.scenes.captured_at[scenes]
        # A gap of two minutes ends a strip, and so does its tenth scene.
        new = np.concatenate([[True], np.diff(at) > 120 * SECOND]) if len(at) else np.empty(0, bool)
        run = np.cumsum(new)
        place = np.arange(len(at)) - np.flatnonzero(new)[run - 1] if len(at) else run
        strip = run * 100_000 + place // STRIP_SCENES
        cuts = np.flatnonzero(np.diff(strip)) + 1
        return tuple((int(self.scenes.captured_at[part[-1]]) + SECOND, part) for part in np.split(scenes, cuts) if len(part))


def make_world(experiment: Experiment, seed: int) -> World:
    """Fly the fleet of ``experiment`` for one seed and take its pictures.

    Raises:
        InputError: if a file is missing or wrong, or a satellite never sees a station.
    """
    sky = make_sky(experiment, seed)
    earth = Earth.load()
    scenes = _captures(sky, earth)
    if not len(scenes):
        raise InputError(
            "the camera never takes a picture: within the run there is no daylight over land in its area "
            "with one kind of it pure enough",
            where="imagery.camera",
        )
    clouds = CloudField(seed)
    opacity = sky_over(scenes, clouds, sky.camera)
    scenes = with_clouds(scenes, opacity, experiment.imagery.clouds.cloudy_above)
    folder = tile_folder(experiment)
    if folder is not None:
        shown = tiles_shown(folder, scenes, sky.constellation.names, seed)
        scenes = replace(scenes, label=folder.label[shown])
        ground = folder.tiles(sky.camera.thumbnail_px)[shown]
    else:
        ground = earth.tiles(
            scenes.lat_deg,
            scenes.lon_deg,
            scenes.captured_at,
            sky.camera.swath_km,
            sky.camera.thumbnail_px,
            accept_blend=experiment.imagery.accept_blend,
        )
    pictures = render(ground, opacity, scenes.sun_elevation_deg, seed)
    classes = CLASSES if folder is None else folder.classes
    return World(**{**sky.__dict__, "scenes": scenes, "pictures": pictures, "classes": classes})


def tile_folder(experiment: Experiment) -> TileFolder | None:
    """The user's own imagery, if the experiment has any.

    Raises:
        InputError: if it is missing or wrong, or its content is not what it was when the experiment was read.
    """
    imagery = experiment.imagery
    if imagery.folder is None:
        return None
    if imagery.folder_digest is None:
        return TileFolder.open(Path(imagery.folder))
    return open_sealed(Path(imagery.folder), imagery.folder_digest)


def tiles_shown(folder: TileFolder, scenes: SceneTable, satellites: Sequence[str], seed: int) -> NDArray[np.intp]:
    """Which tile each scene shows, (scenes,): one of the split of its footprint, drawn by a stream of its own.

    A footprint that reaches into two splits is never scored; it shows a train tile, so that no tile to be examined on is
    seen outside of the examination.
    """
    shown = np.empty(len(scenes), np.intp)
    rows_of = {split: folder.rows_of(split) for split in (TRAIN, CALIBRATE, EVALUATE)}
    for scene, (satellite, at, split) in enumerate(zip(scenes.satellite, scenes.captured_at, scenes.split, strict=True)):
        rows = rows_of[max(int(split), TRAIN)]
        shown[scene] = rows[stream(seed, f"{satellites[satellite]} at {at}", "tile").integers(len(rows))]
    return shown


def make_sky(experiment: Experiment, seed: int) -> World:
    """The world without its scenes: orbits, contacts, sunlight."""
    space = experiment.space
    start, end = flight_of(experiment, seed)
    constellation = read_constellation(space.constellation)
    sites = read_sites(space.sites)
    link = _profile(LinkProfile, space.link, "space.link")
    power = _profile(PowerProfile, space.spacecraft, "space.spacecraft")
    camera = Camera.from_mapping(experiment.imagery.camera, where="imagery.camera")
    _check_node_names(constellation, sites)
    check_fault_targets(experiment, constellation, sites)
    ephemeris = Ephemeris.of(constellation, start, end)
    contacts = find_contacts(ephemeris, sites, start, end, space.mask_deg)
    require_contacts(contacts, constellation.names)
    first = parse_utc(experiment.time.start)
    outages = []
    for fault in experiment.faults:
        if fault.kind == "station-outage":
            begin = start + parse_duration(fault.after)
            outages.append(Outage(fault.target, begin, begin + parse_duration(fault.duration)))
    antennas = experiment.layers.antennas
    rules = antennas.rules(space.antennas_per_site) if antennas else None
    plan = plan_contacts(
        ephemeris,
        sites,
        contacts,
        constellation.names,
        link,
        antennas=space.antennas_per_site,
        seed=seed + 7_919 * ((start - first) // DAY),
        outages=outages,
        policy=rules.for_plan(ephemeris, sites, link) if rules else None,
    )
    _, range_km = elevation_deg(ephemeris, sites, plan.satellite, plan.site, plan.opens_us)
    times, sunlit = sunlit_seconds(ephemeris)
    return World(
        seed,
        start,
        end,
        constellation,
        sites,
        ephemeris,
        plan,
        np.ceil(range_km / LIGHT_KM_S * SECOND).astype(np.int64),
        camera,
        power,
        times,
        sunlit,
        scenes=SceneTable.empty(),
        pictures=np.empty(0, np.uint8),
    )


def flight_of(experiment: Experiment, seed: int) -> tuple[Instant, Instant]:
    """When the fleet of ``seed`` flies."""
    start = parse_utc(experiment.time.start)
    spread = experiment.time.departure_spread_days
    start += int(stream(seed, "fleet", "departure").integers(0, spread + 1)) * DAY
    return start, start + parse_duration(experiment.time.duration)


def _check_node_names(constellation: Constellation, sites: Sites) -> None:
    """Check that no two nodes would have one name: messages find their way by it."""
    taken = {CLOUD: "the cloud pool"}
    for site in sites.names:
        for name in (site, edge_of(site)):
            if name in taken:
                raise InputError(f"a site cannot be called '{site}': that is the name of {taken[name]}", where="space.sites")
        taken |= {site: "a site", edge_of(site): f"the edge node of {site}"}
    for name in constellation.names:
        if name in taken:
            raise InputError(
                f"a satellite cannot be called '{name}': that is the name of {taken[name]}", where="space.constellation"
            )


def check_fault_targets(experiment: Experiment, constellation: Constellation, sites: Sites) -> None:
    """Check that every planned mishap befalls something that there is.

    Raises:
        InputError: naming the first that does not.
    """
    federation = experiment.layers.federation
    clusters = tuple(federation.names()) if federation is not None else ()
    names = {"reboot": constellation.names, "station-outage": sites.names, "cluster-outage": clusters}
    lasting: dict[str, int] = {}
    for number, fault in enumerate(experiment.faults):
        if fault.target not in names[fault.kind]:
            hint = nearest(fault.target, names[fault.kind])
            where = f"faults.{number}.target"
            raise InputError(f"there is no '{fault.target}' to suffer a {fault.kind}", where=where, nearest=hint)
        length = parse_duration(fault.duration)
        # A satellite takes as long to come back each time.
        if fault.kind == "reboot" and lasting.setdefault(fault.target, length) != length:
            where = f"faults.{number}.duration"
            raise InputError(f"the reboots of {fault.target} last differently long; one duration is needed", where=where)


def edge_of(site: str) -> str:
    """The name of the edge node at a station."""
    return f"{site}-edge"


def read_constellation(source: str | Mapping[str, Any]) -> Constellation:
    """A constellation from a file or from a mapping in the experiment."""
    if not isinstance(source, str):
        return Constellation.from_mapping(source, where="space.constellation")
    path = find(source, kind="orbit")
    if path.suffix in (".yaml", ".yml"):
        return Constellation.from_mapping(read_yaml(path), where=path)
    return load_elements(path)


def read_sites(source: str | list[dict[str, Any]]) -> Sites:
    """Sites from a CSV file or from rows in the experiment."""
    if isinstance(source, str):
        return Sites.from_csv(find(source, kind="orbit"))
    return Sites.from_rows([(row, f"space.sites.{number}") for number, row in enumerate(source)])


def _profile(profile: Any, source: str | Mapping[str, Any], key: str) -> Any:
    """A profile from figures in the experiment (at ``key``) or in a file."""
    if isinstance(source, str):
        path = find(source, kind="orbit")
        return profile.from_mapping(read_yaml(path), where=path)
    return profile.from_mapping(source, where=key)


def _captures(sky: World, earth: Earth) -> SceneTable:
    camera = sky.camera
    columns: list[tuple[NDArray[Any], ...]] = []
    for satellite in range(len(sky.constellation)):
        position = sky.ephemeris.positions_km[satellite, 0]
        speed = float(np.linalg.norm(sky.ephemeris.velocities_km_s[satellite], axis=-1).mean())
        ground_speed = speed * 6371.0 / float(np.linalg.norm(position))
        step = round(camera.swath_km / ground_speed * SECOND)
        times = np.arange(sky.start, sky.end, step, dtype=np.int64)
        lat, lon, _ = to_geodetic(sky.ephemeris.at(satellite, times))
        captures = plan_captures(times, lat, lon, sun_elevation_deg(lat, lon, times), earth, camera)
        which = np.full(len(captures.at_us), satellite, np.int16)
        columns.append(
            (
                which,
                captures.at_us,
                captures.lat_deg,
                captures.lon_deg,
                captures.label,
                captures.water_share,
                captures.sun_elevation_deg,
            )
        )
    return scene_table(earth, camera.swath_km, *(np.concatenate(column) for column in zip(*columns, strict=True)))
