"""What a card that takes over storage, network and the container engine is worth to a cluster of containers.

A stream of pods is packed into a few nodes until no more fit: each pod in its turn onto the node that it leaves the fewest
cores on (best fit), or nowhere.  What the node's own services and the container runtime take comes from the figures of
:mod:`skyedge.layers.scheduler.node_profile`; the pods are drawn anew with every seed and are the same in every arm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skyedge.errors import InputError
from skyedge.experiment.study_subject import Findings, Listing, Metric, Series, Subject
from skyedge.layers.scheduler.node_profile import (
    GIB,
    ON_CARD,
    ON_HOST,
    PLAIN,
    SECURE,
    SOURCES,
    ContainerRuntime,
    NodeServices,
    NodeShape,
    allocatable,
    pod_network_gbps,
)
from skyedge.profiles import Part
from skyedge.streams import stream

POD_CORES = (0.25, 0.5, 1.0, 2.0, 4.0)
CURVE_POINTS = 200


class NodeParameters(Part):
    """The bare machine."""

    cores: float = Field(default=NodeShape.cores, gt=0, le=1024)
    memory_bytes: int = Field(default=NodeShape.memory_bytes, ge=GIB, le=2**50)
    line_rate_gbps: float = Field(default=NodeShape.line_rate_gbps, gt=0, le=10_000)


class ServiceParameters(Part):
    """What storage, network, container engine and agents take."""

    cpu_share: float = Field(ge=0, lt=1, description="Of the host's cores.")
    memory_bytes: int = Field(ge=0, le=2**50)
    network_efficiency: float = Field(gt=0, le=1, description="Share of the line rate that reaches pods.")
    latency_us: float = Field(gt=0, le=10**6, description="From pod to pod, one way.")
    price_share: float = Field(ge=0, le=10, description="Of the bare machine's price.")


class RuntimeParameters(Part):
    """What a pod takes beyond what it asked for."""

    pod_cores: float = Field(ge=0, le=64)
    pod_memory_bytes: int = Field(ge=0, le=2**40)
    start_s: float = Field(ge=0, le=3600)


class PodParameters(Part):
    """The pods that want to run, drawn by the seed."""

    demand: float = Field(default=1.5, gt=0, le=100, description="Cores asked for over the cores of the bare machines.")
    memory_gib_per_core: float = Field(default=2.0, gt=0, le=1024, description="Median; lognormal, sigma 0.5.")
    network_gbps_per_core: float = Field(default=0.6, ge=0, le=1000, description="Median; lognormal, sigma 1.")


class OffloadParameters(Part):
    """A small cluster, its services on the host or on a card, its containers plain or secure."""

    nodes: int = Field(default=20, ge=1, le=10_000)
    services: Literal["on-host", "on-card"] = "on-host"
    containers: Literal["plain", "secure"] = "plain"
    node: NodeParameters = NodeParameters()
    on_host: ServiceParameters = ServiceParameters(**asdict(ON_HOST))
    on_card: ServiceParameters = ServiceParameters(**asdict(ON_CARD))
    plain: RuntimeParameters = RuntimeParameters(**asdict(PLAIN))
    secure: RuntimeParameters = RuntimeParameters(**asdict(SECURE))
    pods: PodParameters = PodParameters()


class Offload(Subject):
    """Packs pods into nodes and counts what they get."""

    Parameters = OffloadParameters
    metrics = {  # noqa: RUF012 - a class attribute of the protocol, never changed
        "utilisation": Metric("cores doing work", "%"),
        "pods_per_node": Metric("pods a node"),
        "network_peak_gbps": Metric("network at most", "Gb/s"),
        "network_gbps": Metric("network used", "Gb/s"),
        "latency_us": Metric("latency", "us", better="less"),
        "start_s": Metric("start", "s", better="less"),
        "price_per_core": Metric("price a working core", "of a bare core", better="less"),
    }

    def run(self, parameters: OffloadParameters, seed: int) -> Findings:
        """Pack the pods of a seed; network figures are of a node, on average."""
        node = NodeShape(**parameters.node.model_dump())
        on_card = parameters.services == "on-card"
        services = NodeServices(**(parameters.on_card if on_card else parameters.on_host).model_dump())
        runtime = ContainerRuntime(
            **(parameters.secure if parameters.containers == "secure" else parameters.plain).model_dump()
        )
        cores, memory_bytes = allocatable(node, services)
        if memory_bytes <= 0:
            raise InputError("the services of a node take all of its memory")
        pods = _pods(parameters, seed)
        taken = pods[:, :2] + np.array([runtime.pod_cores, runtime.pod_memory_bytes])
        place = best_fit(taken, parameters.nodes, np.array([cores, memory_bytes]))
        placed = place >= 0
        working = float(pods[placed, 0].sum()) / (parameters.nodes * node.cores)
        peak = pod_network_gbps(node, services)
        wanted = np.bincount(place[placed], pods[placed, 2], parameters.nodes)
        price = (1 + services.price_share) / working if working else float("nan")
        figures = {
            "utilisation": working,
            "pods_per_node": float(placed.sum()) / parameters.nodes,
            "network_peak_gbps": peak,
            "network_gbps": float(np.minimum(wanted, peak).mean()),
            "latency_us": services.latency_us,
            "start_s": runtime.start_s,
            "price_per_core": price,
        }
        offered = np.cumsum(pods[:, 0]) / (parameters.nodes * node.cores)
        got = np.cumsum(pods[:, 0] * placed) / (parameters.nodes * node.cores)
        shown = np.unique(np.linspace(0, len(pods) - 1, CURVE_POINTS).astype(int))
        curve = Series(
            100 * offered[shown], 100 * got[shown], "cores asked for, % of the bare machines", "cores doing work, %"
        )
        listing = Listing(("figure", "value", "who says so"), list(_figures_with_sources(parameters)))
        return Findings(figures, {"Filling the cluster": curve}, {"What a node keeps for itself": listing})


def best_fit(taken: NDArray[np.float64], nodes: int, room: NDArray[np.float64]) -> NDArray[np.int64]:
    """The node of each pod in turn, -1 where none has room.

    Of the nodes with room for all that the pod takes, the one that is left the least of the first resource; the first of
    equals.

    Args:
        taken: what each pod takes, (pods, resources).
        nodes: how many nodes there are, all empty.
        room: what each of them has, (resources,).
    """
    left = np.tile(room, (nodes, 1))
    place = np.full(len(taken), -1)
    smallest = taken.min(axis=0) if len(taken) else room
    for pod, wants in enumerate(taken):
        fits = (left >= wants).all(axis=1)
        if fits.any():
            chosen = int(np.where(fits, left[:, 0], np.inf).argmin())
            left[chosen] -= wants
            place[pod] = chosen
        elif (left < smallest).any(axis=1).all():
            break  # not even the smallest of each would fit anywhere
    return place


def _pods(parameters: OffloadParameters, seed: int) -> NDArray[np.float64]:
    """Cores, bytes of memory and Gb/s that each pod asks for, (pods, 3), as many as the demand takes."""
    wanted_cores = parameters.pods.demand * parameters.nodes * parameters.node.cores
    draw = stream(seed, "offload", "pods")
    count = max(1, round(wanted_cores / (sum(POD_CORES) / len(POD_CORES))))
    cores = draw.choice(POD_CORES, count)
    memory = cores * parameters.pods.memory_gib_per_core * GIB * draw.lognormal(0, 0.5, count)
    network = cores * parameters.pods.network_gbps_per_core * draw.lognormal(0, 1, count)
    return np.stack([cores, memory, network], axis=1)


def _figures_with_sources(parameters: OffloadParameters) -> Iterator[tuple[str, Any, str]]:
    yield from ((f"node.{name}", value, SOURCES["node"]) for name, value in parameters.node.model_dump().items())
    defaults = OffloadParameters()
    for profile in ("on_host", "on_card", "plain", "secure"):
        for name, value in getattr(parameters, profile).model_dump().items():
            changed = value != getattr(getattr(defaults, profile), name)
            yield f"{profile}.{name}", value, "set in the file" if changed else SOURCES[f"{profile}.{name}"]
