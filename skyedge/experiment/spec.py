"""The experiment file, as types: every key that a user may write, with its unit, its range and its default.

Frozen, and closed: a key that is not here is an error and not a silent wish.  `skyedge show-config --schema` prints the
same as a JSON Schema for editors.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from skyedge.errors import InputError
from skyedge.experiment.durations import Duration, Length
from skyedge.experiment.layers import Layers
from skyedge.profiles import Part
from skyedge.time import DAY, SECOND, format_utc, parse_duration, parse_utc


def _instant(value: Any) -> Any:
    # YAML turns an unquoted date into a date object.
    text = value.isoformat() if hasattr(value, "isoformat") else value
    if isinstance(text, str):
        try:
            year = format_utc(parse_utc(text))[:4]
        except (InputError, OverflowError) as error:
            raise ValueError(str(error)) from None
        if not FIRST_YEAR <= int(year) <= LAST_YEAR:
            raise ValueError(f"{text} does not lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return text


def _at_most_a_year(value: str) -> str:
    if parse_duration(value) > LONGEST_RUN:
        raise ValueError(f"'{value}' is longer than {LONGEST_RUN // DAY} days")
    return value


def _at_least_a_second(value: str) -> str:
    # Every burst is an event: a very short one would never come to an end.
    if parse_duration(value) < SECOND:
        raise ValueError(f"'{value}' is shorter than a second")
    return value


def _seeds(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if isinstance(value, str):
        seeds: list[int] = []
        for part in value.split(","):
            first, dash, last = part.strip().partition("-")
            if not _is_number(first) or (dash and not _is_number(last)):
                raise ValueError(f"'{value}' is not a list of seeds such as 0-4 or 0,3,7")
            if dash and int(last) < int(first):
                raise ValueError(f"'{part.strip()}' runs backwards")
            if int(last or first) - int(first) >= MOST_SEEDS:
                raise ValueError(f"'{part.strip()}' is more than {MOST_SEEDS:,} seeds")
            seeds += range(int(first), int(last or first) + 1)
        return seeds
    return value


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    # The same seed twice is the same run twice, and an interval over both would be narrower than what is known.
    twice = next((seed for number, seed in enumerate(seeds) if seed in seeds[:number]), None)
    if twice is not None:
        raise ValueError(f"seed {twice} is there twice")
    return seeds


MOST_SEEDS = 10_000
FIRST_YEAR, LAST_YEAR = 1957, 2099
LONGEST_RUN = 366 * DAY
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Moment = Annotated[str, BeforeValidator(_instant)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seeds), AfterValidator(_distinct)]


class Metadata(Part):
    """What the experiment is called and why it exists."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""


class Time(Part):
    """When the fleet flies."""

    start: Moment = Field(description="UTC, ISO 8601.")
    duration: Annotated[Length, AfterValidator(_at_most_a_year)] = Field(description="For example 7d; at most 366d.")
    departure_spread_days: int = Field(
        default=0, ge=0, le=366, description="A seed moves the start by 0 to this many whole days."
    )


class Space(Part):
    """Who flies, over which stations, with which radio and which battery."""

    constellation: str | dict[str, Any] = Field(description="A file (TLE, OMM, YAML) or elements in place.")
    sites: str | list[dict[str, Any]] = Field(description="A CSV file name,lat_deg,lon_deg,height_m or rows in place.")
    antennas_per_site: int = Field(default=1, ge=1, le=1000)
    mask_deg: float = Field(default=5.0, ge=0, lt=90, description="Lowest elevation at which a station can see.")
    link: str | dict[str, Any] = Field(default_factory=dict, description="A file of a link profile, or its figures.")
    spacecraft: str | dict[str, Any] = Field(default_factory=dict, description="A file of a power profile, or figures.")
    control_bytes_per_pass: int = Field(
        20_000, ge=0, le=10**12, description="Sent up in each pass: the plan, acknowledgements."
    )


class Clouds(Part):
    """What counts as cloudy."""

    cloudy_above: float = Field(
        default=0.5, gt=0, lt=1, description="Share of cloud above which a scene is not worth sending."
    )


class Imagery(Part):
    """What the camera sees."""

    camera: dict[str, Any] = Field(default_factory=dict, description="Figures of the camera.")
    clouds: Clouds = Clouds()
    accept_blend: bool = Field(default=False, description="Accept September to December as a blend of August and January.")
    folder: str | None = Field(
        default=None, description="A folder of labelled tiles to see instead of the Earth, found beside this file."
    )
    folder_digest: str | None = Field(
        default=None, description="Names the folder's content. Filled in by skyedge; if given, other content is refused."
    )


class Models(Part):
    """Which model runs where, by card."""

    on_board: str = "flight-small"
    on_board_archive: str = "flight-small-archive"
    cloud_filter: str = "cloud-filter"
    edge: str = "edge-medium"
    ground: str = "ground-large"
    satellite_device: str = "raspberry-pi-4b"
    edge_device: str = "edge-server"
    ground_device: str = "cloud-gpu"


class MinerSpec(Part):
    """A hard-example miner by name, or your own as package.module:Class."""

    name: str = "CrossEntropy"
    parameters: dict[str, Any] = Field(default_factory=dict)
    set_to_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Turn the miner's knob, on calibrate blocks, to send this share of the captures.",
    )


class Pipeline(Part):
    """What happens to a scene."""

    mode: Literal["bent-pipe", "in-orbit", "collaborative"] = "collaborative"
    on_board_model: Literal["flight", "archive"] = "flight"
    cloud_filter: Literal["network", "none"] = "network"
    maximum_clear_loss: float = Field(default=0.05, ge=0, le=1, description="Clear scenes that the cloud filter may drop.")
    mining_mode: Literal["inference-then-mining", "mining-then-inference"] = "inference-then-mining"
    miner: MinerSpec = MinerSpec()
    scene_view: str = Field(default="q50", description="'camera' for raw pictures, or a JPEG quality such as q50.")
    result_bytes: int = Field(default=64, gt=0, le=10**9, description="An answer with its framing.")
    deadline: Length = Field(default="24h", description="An answer later than this after the capture is worth nothing.")
    storage_gb: float = Field(default=32.0, gt=0, le=1e6)
    edge_node: bool = Field(default=False, description="A middle-sized model at each station answers what it is sure of.")
    edge_accept_confidence: float = Field(default=0.8, ge=0, le=1)
    unlimited_links: bool = Field(default=False, description="Every satellite always in touch, at any rate: a bound.")


class Terrestrial(Part):
    """From the stations to the cloud."""

    backhaul_mbps: float = Field(default=100.0, ge=1e-4, le=1e9)
    latency_ms: float = Field(default=40.0, gt=0, le=3.6e6)
    hops: int = Field(default=3, ge=1, le=1000)
    exchange_quantum: Length = Field(default="1s", description="Grid on which links that are always open deliver.")


class Cloud(Part):
    """The pool that runs the big model."""

    replicas: int = Field(default=1, ge=1, le=10**6)


class Fault(Part):
    """A planned mishap."""

    kind: Literal["station-outage", "reboot", "cluster-outage"]
    target: str = Field(description="A station, a satellite, or a cluster of layers.federation.")
    after: Duration = Field(description="From the start of the run.")
    duration: Duration = "1h"


class Runtime(Part):
    """How the run is carried out; no result depends on it."""

    hosting: Literal["in-process", "grouped", "per-node"] = "grouped"
    hosts: int = Field(default=1, ge=1, le=64, description="Hosts per run; 1 leaves a run whole and spreads the runs.")
    workers: int | None = Field(default=None, ge=1, description="Runs at once; the number of cores if not given.")
    checkpoint_every_windows: int = Field(default=200, ge=0)
    transfer_burst: Annotated[Length, AfterValidator(_at_least_a_second)] = Field(
        default="60s", description="A pass is planned anew this often."
    )


class Arm(Part):
    """A variant under comparison: named overrides of anything above."""

    description: str = ""
    set: dict[str, Any] = Field(default_factory=dict)


class Baselines(Part):
    """Which arms the others are measured against."""

    in_orbit: str = "in-orbit"
    in_orbit_archive: str = "in-orbit-archive"
    bent_pipe: str = "bent-pipe"
    bent_pipe_raw: str = "bent-pipe-raw"


class ClaimPart(Part):
    """One bar."""

    metric: str
    at_least: float


class DecidingConstant(Part):
    """A figure of this file that was not measured, and that decides a claim."""

    key: str = Field(pattern=r"^[^.]+(\.[^.]+)+$", description="For example layers.federation.image_mb.")
    source: str = Field(default="assumed", description="Who says what is in the file.")


class Claim(Part):
    """A claim of the field: one and the same arm must meet all its parts."""

    name: str
    parts: tuple[ClaimPart, ...] = Field(min_length=1)
    arms: tuple[str, ...] = Field(default=(), description="Arms that may meet it; all but oracles if empty.")
    source: str = ""
    evidence: Literal["measured", "modelled"] = Field(
        default="measured", description="measured: it came out of the flight; modelled: constants decide it."
    )
    constants: tuple[DecidingConstant, ...] = Field(default=(), description="What decides a claim that is modelled.")

    @model_validator(mode="after")
    def _constants_of_a_model(self) -> Self:
        if (self.evidence == "modelled") is not bool(self.constants):
            raise ValueError("a claim names constants that decide it if it is modelled, and only then")
        return self


class Experiment(Part):
    """One question, one file."""

    apiVersion: Literal["skyedge/v1"]  # noqa: N815
    kind: Literal["Experiment"]
    metadata: Metadata
    time: Time
    space: Space
    imagery: Imagery = Imagery()
    models: Models = Models()
    pipeline: Pipeline = Pipeline()
    terrestrial: Terrestrial = Terrestrial()
    cloud: Cloud = Cloud()
    layers: Layers = Layers()
    faults: tuple[Fault, ...] = ()
    runtime: Runtime = Runtime()
    arms: dict[str, Arm] = Field(min_length=1)
    baselines: Baselines = Baselines()
    seeds: Seeds = Field(default=(0,), min_length=1)
    claims: tuple[Claim, ...] = ()

    @field_validator("arms")
    @classmethod
    def _names_of_arms(cls, arms: dict[str, Arm]) -> dict[str, Arm]:
        for name in arms:
            # --arms separates them by commas, and MLflow refuses what is not plain, after everything has been flown.
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
                raise ValueError(f"'{name}' is no name for an arm: letters, digits, dots, dashes and spaces are")
        return arms
