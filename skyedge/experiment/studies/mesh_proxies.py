"""What do proxies cost a mesh, one a pod, one a node, or one a node and waypoints for HTTP, and how much slower are calls?

Who calls whom is drawn by the seed (:mod:`skyedge.layers.mesh.call_pattern`) and is the same in every arm.  What a proxy
takes comes from the figures of :mod:`skyedge.layers.mesh.proxies`.  Each run makes two bills of the same calls, its own and
that of sidecars, so that *cheaper* and *faster* compare like with like at every load.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import lru_cache
from typing import Any

import numpy as np
from pydantic import Field

from skyedge.errors import InputError
from skyedge.experiment.study_subject import Findings, Listing, Metric, Series, Subject
from skyedge.layers.mesh.call_pattern import MeshShape, draw_pattern
from skyedge.layers.mesh.proxies import FIGURES, SIDECARS_BY_VERSION, SOURCES, ProxyFigures
from skyedge.layers.mesh.proxy_bill import Architecture, Bill, CallPattern, Conditions, Proxies, make_bill
from skyedge.profiles import Part
from skyedge.streams import stream

GIB = 2**30
DAY_S = 86_400
LOADS_RPS = np.geomspace(0.1, 1000, 17)


class MeshParameters(Part):
    """How large the mesh is, and how uneven."""

    pods: int = Field(default=MeshShape.pods, ge=10, le=10**6)
    pods_per_node: int = Field(default=MeshShape.pods_per_node, ge=1, le=500, description="Assumed; kubelet's limit is 110.")
    services: int = Field(default=MeshShape.services, ge=2, le=20_000, description="Assumed.")
    called_services: int = Field(default=MeshShape.called_services, ge=1, le=100, description="By a service; assumed.")
    services_per_waypoint: int = Field(default=MeshShape.services_per_waypoint, ge=1, le=1000, description="Assumed.")
    load_spread: float = Field(default=MeshShape.load_spread, ge=0, le=3, description="Sigma over pods; assumed.")
    popularity_spread: float = Field(default=MeshShape.popularity_spread, ge=0, le=3, description="Over services; assumed.")
    noisy_share: float = Field(default=MeshShape.noisy_share, ge=0, le=0.5, description="Of pods; assumed.")
    noise: float = Field(default=MeshShape.noise, ge=1, le=1000, description="More than others of its kind; assumed.")
    sampled_calls: int = Field(default=MeshShape.sampled_calls, ge=100, le=10**6)


class LoadParameters(Part):
    """What is asked of the mesh."""

    rps_per_pod: float = Field(default=Conditions.rps_per_pod, gt=0, le=10**5, description="Calls that a pod sends.")
    l7_share: float = Field(default=Conditions.l7_share, ge=0, le=1, description="Of services, with HTTP rules; assumed.")
    same_node_share: float = Field(
        default=Conditions.same_node_share, ge=0, le=1, description="Of calls, kept within a node beyond chance."
    )
    scoped: bool = Field(default=Conditions.scoped, description="Proxies hear only of services that their pods call.")
    call_ms: float = Field(default=Conditions.call_ms, gt=0, le=10**5, description="Application and network; assumed.")
    call_spread: float = Field(default=Conditions.call_spread, ge=0, le=3, description="Sigma of it; assumed.")
    network_hop_ms: float = Field(default=Conditions.network_hop_ms, ge=0, le=1000, description="To a waypoint; assumed.")
    idle_timeout_s: float = Field(default=Conditions.idle_timeout_s, gt=0, le=10**6, description="Envoy's default, 1 h.")
    connection_life_s: float = Field(
        default=Conditions.connection_life_s, gt=0, le=10**7, description="Half of a certificate's day (Istio)."
    )
    waypoint_replicas: int = Field(default=Conditions.waypoint_replicas, ge=1, le=100, description="At least; assumed.")
    waypoint_busy: float = Field(default=Conditions.waypoint_busy, gt=0, lt=1, description="More above it; assumed.")
    service_variation: float = Field(
        default=Conditions.service_variation, ge=0, le=10, description="Of a proxy's time for a call; assumed."
    )


class ControlParameters(Part):
    """The control plane, and what keeps it busy."""

    pod_life_s: float = Field(default=DAY_S, gt=0, le=10**9, description="Until a pod is replaced; assumed.")
    push_cpu_s: float = Field(default=Conditions.push_cpu_s, ge=0, le=10, description="To tell one proxy; assumed.")
    cores: float = Field(default=Conditions.control_cores, gt=0, le=10_000, description="Assumed.")
    merged_s: float = Field(default=Conditions.merged_s, ge=0, le=100, description="Istio's PILOT_DEBOUNCE_AFTER, 100 ms.")


class ProxyParameters(Part):
    """One kind of proxy; sources are in the report."""

    vcpu_per_1000_rps: float = Field(gt=0, le=100)
    idle_cores: float = Field(ge=0, le=100)
    memory_bytes: float = Field(ge=0, le=2**40)
    service_bytes: float = Field(ge=0, le=2**30)
    endpoint_bytes: float = Field(ge=0, le=2**30)
    workers: int = Field(ge=1, le=256)
    pair_p90_ms: float = Field(gt=0, le=10_000)
    pair_p99_ms: float = Field(gt=0, le=10_000)
    handshake_cpu_s: float = Field(ge=0, le=1)
    reuse: str = Field(pattern="^(pods|nodes)$", description="pods or nodes: whose calls share a connection.")


def _published(kind: str) -> ProxyParameters:
    figures = FIGURES[kind]
    return ProxyParameters(
        **{**{part.name: getattr(figures, part.name) for part in fields(figures)}, "reuse": figures.reuse.value}
    )


class MeshProxiesParameters(Part):
    """A mesh, where its proxies stand, and what they take."""

    architecture: Architecture = Architecture.SIDECAR
    curves: bool = Field(default=False, description="Whether the report draws this arm over the load, of one seed.")
    curves_of_seed: int = Field(default=0, ge=0, description="The first of the seeds: the report shows no other's.")
    gib_per_core: float = Field(
        default=7.5, gt=0, le=1000, description="A core costs as much memory; assumed, as clouds charge."
    )
    mesh: MeshParameters = MeshParameters()
    load: LoadParameters = LoadParameters()
    control: ControlParameters = ControlParameters()
    sidecar: ProxyParameters = _published("sidecar")
    ztunnel: ProxyParameters = _published("ztunnel")
    waypoint: ProxyParameters = _published("waypoint")
    node_envoy: ProxyParameters = _published("node_envoy")


class MeshProxies(Subject):
    """Adds up what proxies take and add."""

    Parameters = MeshProxiesParameters
    metrics = {  # noqa: RUF012 - a class attribute of the protocol, never changed
        "cost_cores": Metric("cost", "cores", better="less"),
        "cheaper": Metric("cheaper than sidecars", "%"),
        "cores": Metric("processor", "cores", better="less"),
        "memory_gib": Metric("memory", "GiB", better="less"),
        "added_p50_ms": Metric("added p50", "ms", better="less"),
        "added_p90_ms": Metric("added p90", "ms", better="less"),
        "added_p99_ms": Metric("added p99", "ms", better="less"),
        "faster_p50": Metric("less added p50", "%"),
        "faster_p90": Metric("less added p90", "%"),
        "faster_p99": Metric("less added p99", "%"),
        "whole_faster_p90": Metric("whole call faster p90", "%"),
        "neighbour_p99_ms": Metric("added p99 beside noise", "ms", better="less"),
        "neighbour_faster": Metric("less than with sidecars", "%"),
        "carried": Metric("calls carried", "%"),
        "busiest": Metric("busy p99", "%", better="less"),
        "handshakes_per_s": Metric("hand-shakes", "1/s", better="less"),
        "control_cores": Metric("telling proxies", "cores", better="less"),
        "push_s": Metric("last proxy told", "s", better="less"),
        "proxies": Metric("proxies", better="less"),
    }

    def run(self, parameters: MeshProxiesParameters, seed: int) -> Findings:
        """Both bills of the calls of a seed."""
        pattern = _pattern(MeshShape(**parameters.mesh.model_dump()), seed)
        proxies, conditions = _proxies(parameters), _conditions(parameters)
        own, sidecars = _bills(pattern, parameters.architecture, proxies, conditions)
        figures = _figures(own, sidecars, pattern, parameters.gib_per_core)
        series: dict[str, Series] = {}
        if parameters.curves and seed == parameters.curves_of_seed and parameters.architecture is not Architecture.SIDECAR:
            series = _curves(pattern, parameters, proxies)
        listings = {
            "What a proxy takes": Listing(("figure", "value", "who says so"), list(_with_sources(parameters))),
            "Sidecars by version of Istio": Listing(
                ("version", "vCPU per 1,000 rps", "MB", "added p90 ms", "added p99 ms"),
                [
                    (name, one.vcpu_per_1000_rps, one.memory_bytes / 10**6, one.pair_p90_ms, one.pair_p99_ms or "not said")
                    for name, one in SIDECARS_BY_VERSION.items()
                ],
            ),
        }
        return Findings(figures, series, listings)


@lru_cache(maxsize=64)
def _pattern(shape: MeshShape, seed: int) -> CallPattern:
    """Kept, because every arm and every search over a constant uses the same."""
    return draw_pattern(shape, stream(seed, "mesh-proxies", "pattern"))


def _proxies(parameters: MeshProxiesParameters) -> Proxies:
    made = {}
    for kind in FIGURES:
        part: ProxyParameters = getattr(parameters, kind)
        if part.pair_p90_ms > part.pair_p99_ms:
            raise InputError(
                f"p90 of a latency must not be above its p99 ({part.pair_p99_ms:g})", where=f"{kind}.pair_p90_ms"
            )
        content = part.model_dump()
        reuse = type(FIGURES[kind].reuse)(content.pop("reuse"))
        made[kind] = ProxyFigures(**content, reuse=reuse)
    return Proxies(**made)


def _conditions(parameters: MeshProxiesParameters, rps_per_pod: float | None = None) -> Conditions:
    control, load = parameters.control, parameters.load.model_dump()
    load["rps_per_pod"] = rps_per_pod or parameters.load.rps_per_pod
    return Conditions(
        **load,
        changes_per_pod_s=1 / control.pod_life_s,
        push_cpu_s=control.push_cpu_s,
        control_cores=control.cores,
        merged_s=control.merged_s,
    )


def _bills(pattern: CallPattern, architecture: Architecture, proxies: Proxies, conditions: Conditions) -> tuple[Bill, Bill]:
    """Of the architecture, and of sidecars that are scoped: nobody runs a large mesh of sidecars that are not."""
    own = make_bill(pattern, architecture, proxies, conditions)
    if architecture is Architecture.SIDECAR and conditions.scoped:
        return own, own
    usual = Conditions(**{**{part.name: getattr(conditions, part.name) for part in fields(conditions)}, "scoped": True})
    return own, make_bill(pattern, Architecture.SIDECAR, proxies, usual)


def _cost(bill: Bill, gib_per_core: float) -> float:
    """Processor and memory, in cores."""
    return bill.cores + bill.memory_bytes / GIB / gib_per_core


def _figures(own: Bill, sidecars: Bill, pattern: CallPattern, gib_per_core: float) -> dict[str, float]:
    added, theirs = (np.quantile(bill.added_ms, (0.5, 0.9, 0.99)) for bill in (own, sidecars))
    whole, their_whole = (float(np.quantile(bill.whole_ms, 0.9)) for bill in (own, sidecars))
    beside = pattern.beside_noise
    noise, their_noise = (
        float(np.quantile(bill.added_ms[beside], 0.99)) if beside.any() else float("nan") for bill in (own, sidecars)
    )
    faster = 1 - added / theirs
    return {
        "cost_cores": _cost(own, gib_per_core),
        "cheaper": 1 - _cost(own, gib_per_core) / _cost(sidecars, gib_per_core),
        "cores": own.cores,
        "memory_gib": own.memory_bytes / GIB,
        "added_p50_ms": float(added[0]),
        "added_p90_ms": float(added[1]),
        "added_p99_ms": float(added[2]),
        "faster_p50": float(faster[0]),
        "faster_p90": float(faster[1]),
        "faster_p99": float(faster[2]),
        "whole_faster_p90": 1 - whole / their_whole,
        "neighbour_p99_ms": noise,
        "neighbour_faster": 1 - noise / their_noise,
        "carried": own.carried,
        "busiest": own.busiest,
        "handshakes_per_s": own.handshakes_per_s,
        "control_cores": own.control_cores,
        "push_s": own.push_s,
        "proxies": own.proxies,
    }


def _curves(pattern: CallPattern, parameters: MeshProxiesParameters, proxies: Proxies) -> dict[str, Series]:
    """Over loads that all proxies of both bills can carry."""
    rows = []
    for load in LOADS_RPS:
        own, sidecars = _bills(pattern, parameters.architecture, proxies, _conditions(parameters, float(load)))
        if min(own.carried, sidecars.carried) >= 0.999:
            figures = _figures(own, sidecars, pattern, parameters.gib_per_core)
            rows.append((load, 100 * figures["cheaper"], 100 * figures["faster_p90"]))
    if not rows:
        return {}
    loads, cheaper, faster = np.array(rows).T
    x = "log10 of calls a second that a pod sends"
    return {
        "Cheaper than sidecars": Series(np.log10(loads), cheaper, x, "% of the sidecars' cost"),
        "Faster than sidecars": Series(np.log10(loads), faster, x, "% of what sidecars add at p90"),
    }


def _with_sources(parameters: MeshProxiesParameters) -> Iterator[tuple[str, Any, str]]:
    usual = MeshProxiesParameters()
    for kind in FIGURES:
        for name, value in getattr(parameters, kind).model_dump().items():
            changed = value != getattr(getattr(usual, kind), name)
            yield f"{kind}.{name}", value, "set in the file" if changed else SOURCES[f"{kind}.{name}"]
    for part in ("mesh", "load", "control"):
        content = getattr(parameters, part)
        for name, field in type(content).model_fields.items():
            value = getattr(content, name)
            changed = value != getattr(getattr(usual, part), name)
            yield f"{part}.{name}", str(value), "set in the file" if changed else field.description or "a choice"
