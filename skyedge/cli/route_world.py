"""What a simulation of `skyedge route` is told beside its requests, whatever happens to the mesh meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.cli.route_requests import Asked
from skyedge.kube import Manifests
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import Mesh
from skyedge.layers.mesh.reading import MeshReading, read_behaviours, read_controls
from skyedge.layers.mesh.telemetry.golden_signals import failed, quantile_ms
from skyedge.layers.mesh.traffic import Behaviours, Calls, Controls, Network


@dataclass(frozen=True)
class World:
    """Everything that is there; each caller sees its own part of it."""

    mesh: Mesh
    behaviours: Behaviours
    controls: Controls


def world_of(manifests: Manifests, reading: MeshReading, network: Network) -> World:
    """The world of what was read."""
    return World(
        Mesh(tuple(one.thing for one in reading.services), reading.endpoints),
        read_behaviours(manifests, reading, network),
        replace(read_controls(manifests, reading), view=reading.mesh_for),
    )


def moment_us(asked: Sequence[Asked], share: float) -> int:
    """When a share of the time from the first request to the last has gone by."""
    first, last = (pick(one.at_us for one in asked) for pick in (min, max))
    return first + round((last - first) * share)


def seconds_of(us: int) -> float:
    """A moment or a span as it is printed, s."""
    return round(us / 1e6, 3)


def zone_of(locality: Locality) -> str:
    """``region/zone``, as far as they are known."""
    return "/".join(word for word in (locality.region, locality.zone) if word)


def lost(calls: Calls, count: int) -> NDArray[np.bool_]:
    """Which of the first ``count`` requests failed, (count,)."""
    return failed(calls.requests.status[:count], calls.requests.grpc_status[:count])


def how_quick(calls: Calls, count: int) -> dict[str, float | None]:
    """Median and 99th percentile of the time to an answer, of those of the first ``count`` requests that got one."""
    answered = ~lost(calls, count)
    took_us = (calls.requests.end_us - calls.requests.start_us)[:count][answered]
    return {
        name: round(quantile_ms(took_us, share), 3) if took_us.size else None
        for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))
    }
