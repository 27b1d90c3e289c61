"""What is an elastic pool worth to a constellation whose pictures come in bursts, one burst a pass?

Two questions.  *The burst*: so many cores are asked for at once of a platform at rest; how long until their containers run,
and until the model is loaded?  *The flight*: over a real contact plan each pass lands its pictures, every picture is work
for the big model, and a pool answers them; what does it cost a day, and how long do answers wait, against a pool that is
always there?  Both come out of the constants of :mod:`skyedge.layers.elastic.profile`; what flies, when passes open and how
many bytes they carry is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from skyedge.errors import InputError
from skyedge.experiment.fleet import read_device
from skyedge.experiment.inputs import find_device
from skyedge.experiment.study_subject import Findings, Listing, Metric, Series, Subject
from skyedge.experiment.world import read_constellation, read_sites
from skyedge.layers.elastic import ElasticPool, Fixed, Outlook, PoolProfile, autoscaler_from, burst, seconds_until
from skyedge.layers.elastic.bill import InstanceTable, make_bill
from skyedge.layers.elastic.contact_plan import largest_need, mean_need
from skyedge.layers.elastic.passes import outlook, pictures_that_land
from skyedge.layers.elastic.profile import Billing, InstanceType
from skyedge.learning.card import read_card
from skyedge.profiles import Part
from skyedge.resources import find
from skyedge.space.contacts import find_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.link import LinkProfile
from skyedge.space.plan import ContactPlan, plan_contacts
from skyedge.streams import stream
from skyedge.time import DAY, HOUR, SECOND, Instant, parse_utc
from skyedge.yaml_files import read_yaml

PATIENCE_DAYS = 30
"""After the last pass a pool may work on for so long, unbilled, so that every answer's waiting is known."""

CHART_HOURS = 24


class Flight(Part):
    """Which passes there are."""

    constellation: str = "constellations/tiansuan.yaml"
    sites: str = "sites/tiansuan.csv"
    link: str = "links/x-band-cubesat.yaml"
    mask_deg: float = Field(default=5.0, ge=-10, le=90)
    antennas_per_site: int = Field(default=1, ge=1, le=100)
    start: str = "2023-01-06"
    departure_spread_days: int = Field(default=6, ge=0, le=365, description="The seed draws the day of departure.")
    days: int = Field(default=1, ge=0, le=60, description="0 flies nothing: only the burst.")
    filled: float = Field(default=1.0, ge=0, le=1, description="Of what a pass can carry; a full link is assumed.")
    picture_bytes: float = Field(default=4.5e6, gt=0, le=1e12, description="4,000² pixels, 3 bands of 12 bits, 16 to 1.")


class Inference(Part):
    """What one picture costs an instance: the big model's work for all of the picture's pixels."""

    model: str = "ground-large"
    product_px: int = Field(default=4000, ge=1, le=10**6)
    thumbnail_px: int = Field(default=16, ge=1, le=512, description="Of which the model's card states the work.")
    device: str | None = Field(default=None, description="A profile of models/devices; if none, the instance's own cores.")
    macs_per_vcpu_s: float = Field(
        default=2e10, gt=0, le=1e15, description="1.7e10 to 3.8e10 measured: ground-large, one thread of an AMD EPYC."
    )
    overhead_s: float = Field(default=0.1, ge=0, le=3600, description="A picture, besides the network; assumed.")


class ElasticBurstParameters(Part):
    """A flight, a pool that answers, and a burst."""

    flight: Flight = Flight()
    inference: Inference = Inference()
    pool: PoolProfile = PoolProfile()
    fixed: Literal["no", "peak", "mean"] = Field(
        default="no",
        description="A pool that is always there, for the largest pass or for the mean, in place of autoscalers.",
    )
    wait_s: float = Field(default=30.0, ge=0, le=86_400, description="The peak is what lets no picture wait longer.")
    autoscalers: dict[str, dict[str, Any]] = Field(
        default={"ContactPlan": {}}, description="By name or as package.module:Class, with parameters; of several, the most."
    )
    burst_cores: int = Field(default=8000, ge=0, le=10**6, description="0 asks for no burst.")


class ElasticBurst(Subject):
    """Asks for a burst of cores, and flies a pool over a contact plan."""

    Parameters = ElasticBurstParameters
    metrics = {  # noqa: RUF012 - a class attribute of the protocol, never changed
        "cores_running_s": Metric("all cores run after", "s", "less"),
        "cores_serving_s": Metric("and serve after", "s", "less"),
        "start_p50_s": Metric("start p50", "s", "less"),
        "start_p95_s": Metric("start p95", "s", "less"),
        "start_p99_s": Metric("start p99", "s", "less"),
        "start_max_s": Metric("start at most", "s", "less"),
        "serving_p99_s": Metric("start and load p99", "s", "less"),
        "cost_per_day": Metric("cost a day", "USD", "less"),
        "waited_p50_s": Metric("answer waits p50", "s", "less"),
        "waited_p95_s": Metric("answer waits p95", "s", "less"),
        "idle_share": Metric("idle", "%", "less"),
        "instance_hours_per_day": Metric("instance hours a day", "", "less"),
        "peak_instances": Metric("instances at most", "", "less"),
        "cold_starts_per_day": Metric("cold starts a day", "", "less"),
        "redone_share": Metric("work done twice", "%", "less"),
        "pictures_per_day": Metric("pictures a day"),
    }

    def input_files(self, parameters: ElasticBurstParameters) -> Iterator[Path]:
        """The orbit, the sites, the link and the model's card."""
        flight = parameters.flight
        yield from (find(name, kind="orbit") for name in (flight.constellation, flight.sites, flight.link))
        yield read_card(parameters.inference.model)[1]
        if parameters.inference.device is not None:
            yield find_device(parameters.inference.device)

    def run(self, parameters: ElasticBurstParameters, seed: int) -> Findings:
        """Run the burst and the flight, either of which may be left out; its figures are then NaN.

        A start is counted from the admission by the platform, as a vendor would; how long admission takes shows in
        ``cores_running_s``.
        """
        figures = dict.fromkeys(self.metrics, math.nan)
        series: dict[str, Series] = {}
        if parameters.burst_cores:
            series |= _run_burst(parameters, seed, figures)
        if parameters.flight.days:
            series |= _run_flight(parameters, seed, figures)
        return Findings(
            figures, series, {"The constants": Listing(("constant", "value", "source"), list(_constants(parameters)))}
        )


def _run_burst(parameters: ElasticBurstParameters, seed: int, figures: dict[str, float]) -> dict[str, Series]:
    profile = parameters.pool
    count = math.ceil(parameters.burst_cores / profile.instance.vcpu)
    if count > 10**6:
        raise InputError(f"a burst of {count:,} instances is more than can be; take larger ones")
    timeline = burst(profile, count, name="burst", seed=seed)
    started_s = (timeline.started_us - timeline.admitted_us) / SECOND
    served_s = (timeline.ready_us - timeline.admitted_us) / SECOND
    figures["cores_running_s"] = seconds_until(timeline.started_us, count)
    figures["cores_serving_s"] = seconds_until(timeline.ready_us, count)
    figures["start_p50_s"], figures["start_p95_s"], figures["start_p99_s"] = np.percentile(started_s, [50, 95, 99]).tolist()
    figures["start_max_s"] = float(started_s.max())
    figures["serving_p99_s"] = float(np.percentile(served_s, 99))
    shown = np.unique(np.linspace(0, count - 1, 300).astype(int))
    running_s = np.sort(timeline.started_us)[shown] / SECOND
    cores = (shown + 1) * profile.instance.vcpu
    return {"Cores that run after a burst": Series(running_s, cores, "seconds since they were asked for", "cores")}


def _run_flight(parameters: ElasticBurstParameters, seed: int, figures: dict[str, float]) -> dict[str, Series]:
    profile, days = parameters.pool, parameters.flight.days
    flown = _fly(_without_prices(parameters).model_dump_json(), seed)
    bill = make_bill(profile, flown.instances, flown.start, flown.end, flown.redone_us, flown.interruptions)
    if len(flown.waited_s):
        figures["waited_p50_s"], figures["waited_p95_s"] = np.percentile(flown.waited_s, [50, 95]).tolist()
    figures["cost_per_day"] = bill.cost_per_day
    figures["idle_share"] = bill.idle_share
    figures["instance_hours_per_day"] = bill.instance_s / 3600 / days
    figures["peak_instances"] = float(flown.size.max())
    figures["cold_starts_per_day"] = bill.cold_starts / days
    figures["redone_share"] = bill.redone_s / bill.worked_s if bill.worked_s else 0.0
    figures["pictures_per_day"] = len(flown.waited_s) / days
    shown = flown.size_at_us <= flown.start + CHART_HOURS * HOUR
    hours = (flown.size_at_us[shown] - flown.start) / HOUR
    return {"Instances that are ready": Series(hours, flown.size[shown], "hours of flight", "instances", steps=True)}


@dataclass(frozen=True, eq=False)
class _Flown:
    """What a pool did, whatever it costs."""

    start: Instant
    end: Instant
    instances: InstanceTable
    redone_us: int
    interruptions: int
    waited_s: NDArray[np.float64]
    size_at_us: NDArray[np.int64]
    size: NDArray[np.int64]


def _without_prices(parameters: ElasticBurstParameters) -> ElasticBurstParameters:
    """Parameters that fly alike look alike: a search over a price flies once."""
    instance = InstanceType(vcpu=parameters.pool.instance.vcpu)
    pool = parameters.pool.model_copy(update={"instance": instance, "billing": Billing()})
    return parameters.model_copy(update={"pool": pool, "burst_cores": 0})


@lru_cache(maxsize=256)
def _fly(parameters_json: str, seed: int) -> _Flown:
    parameters = ElasticBurstParameters.model_validate_json(parameters_json)
    flight, profile = parameters.flight, parameters.pool
    plan, start = contact_plan(flight, seed)
    end = start + flight.days * DAY
    picture_s = seconds_per_picture(parameters)
    landed = pictures_that_land(plan, flight.picture_bytes, flight.filled)
    ahead = outlook(plan, flight.picture_bytes, picture_s, profile, filled=flight.filled)
    pool = ElasticPool(profile, _autoscaler(parameters, ahead, len(landed) * picture_s), name="pool", seed=seed, start=start)
    pool.offer(np.arange(len(landed)), landed.at_us, np.full(len(landed), picture_s), start)
    done = pool.advance(end)
    instances, (at_us, size) = pool.instances(), pool.size_log()
    redone_us, interruptions = pool.redone_us, pool.interruptions
    later = pool.advance(end + PATIENCE_DAYS * DAY)
    if pool.unfinished:
        raise InputError(f"the pool still has {pool.unfinished} pictures {PATIENCE_DAYS} days after the last pass")
    waited_s = np.concatenate([(part.finished_us - part.arrived_us) / SECOND for part in (done, later)])
    return _Flown(start, end, instances, redone_us, interruptions, waited_s, at_us, size)


def seconds_per_picture(parameters: ElasticBurstParameters) -> float:
    """What one instance works at one picture.

    Raises:
        InputError: if the model's card states no work, or a file is missing.
    """
    inference = parameters.inference
    card, path = read_card(inference.model)
    work = (card.measured or {}).get("multiply_accumulates")
    if not work:
        raise InputError(f"the card of {card.name} states no multiply_accumulates yet; train it first", where=path)
    macs = work * (inference.product_px / inference.thumbnail_px) ** 2
    if inference.device is not None:
        return read_device(inference.device).seconds(macs)
    return macs / (parameters.pool.instance.vcpu * inference.macs_per_vcpu_s) + inference.overhead_s


def _autoscaler(parameters: ElasticBurstParameters, ahead: Outlook, work_s: float) -> Any:
    if parameters.fixed == "peak":
        return Fixed(max(1, largest_need(ahead, parameters.wait_s)))
    if parameters.fixed == "mean":
        return Fixed(max(1, mean_need(work_s, parameters.flight.days * DAY / SECOND)))
    return autoscaler_from(parameters.autoscalers, ahead, where="parameters.autoscalers")


@lru_cache(maxsize=64)
def contact_plan(flight: Flight, seed: int) -> tuple[ContactPlan, Instant]:
    """Passes and the start of the flight; kept, because a search over a constant flies the same again and again."""
    link = find(flight.link, kind="orbit")
    constellation, sites = read_constellation(flight.constellation), read_sites(flight.sites)
    day = int(stream(seed, "fleet", "departure").integers(0, flight.departure_spread_days + 1))
    start = parse_utc(flight.start) + day * DAY
    end = start + flight.days * DAY
    ephemeris = Ephemeris.of(constellation, start, end)
    contacts = find_contacts(ephemeris, sites, start, end, flight.mask_deg)
    profile = LinkProfile.from_mapping(read_yaml(link), where=link)
    plan = plan_contacts(
        ephemeris, sites, contacts, constellation.names, profile, antennas=flight.antennas_per_site, seed=seed
    )
    if not len(plan):
        raise InputError("no satellite sees a site during the flight", where="parameters.flight")
    return plan, start


def _constants(parameters: ElasticBurstParameters) -> Iterator[tuple[str, Any, str]]:
    yield "seconds for one picture", round(seconds_per_picture(parameters), 3), "from the model's card and the rate below"
    yield from _described("", parameters, ElasticBurstParameters())


def _described(prefix: str, part: BaseModel, default: BaseModel) -> Iterator[tuple[str, Any, str]]:
    for name, field in type(part).model_fields.items():
        value, usual = getattr(part, name), getattr(default, name)
        if isinstance(value, BaseModel):
            yield from _described(f"{prefix}{name}.", value, usual)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", value, (field.description or "a choice") if value == usual else "set in the file"
