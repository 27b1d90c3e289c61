"""What a proxy costs: processor, memory, latency and hand-shakes, one a pod, one a node, or one a service.

None of it can be measured here, so it stands as figures, each with who says so in :data:`SOURCES`; where nobody does, it
says *assumed*.  What rests on them is modelled and should name those that decide it.
:mod:`~skyedge.layers.mesh.proxy_bill` adds them up over the pods of a mesh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.errors import InputError

MB = 10**6
P90, P99 = 1.2815515655446004, 2.3263478740408408
"""Quantiles of the standard normal distribution."""


class Reuse(Enum):
    """Whose calls share a connection to the other side."""

    PODS = "pods"
    """Those of one pod to one pod."""
    NODES = "nodes"
    """Those of all pods of a node to all pods of another."""


@dataclass(frozen=True)
class ProxyFigures:
    """One kind of proxy.

    Attributes:
        vcpu_per_1000_rps: of requests of 1 KB that pass through it.
        idle_cores: what it takes with nothing to do.
        memory_bytes: before the configuration of services that are not its own.
        service_bytes, endpoint_bytes: of configuration, for each that it knows.
        workers: threads, and so the most cores that it can use.
        pair_p90_ms, pair_p99_ms: what the proxy of the caller and that of the callee add together, hardly loaded.
        handshake_cpu_s: one end of a mutual TLS hand-shake.
        reuse: whose calls share connections.
    """

    vcpu_per_1000_rps: float
    idle_cores: float
    memory_bytes: float
    service_bytes: float
    endpoint_bytes: float
    workers: int
    pair_p90_ms: float
    pair_p99_ms: float
    handshake_cpu_s: float
    reuse: Reuse = Reuse.PODS

    @property
    def service_s(self) -> float:
        """Seconds of one core for one request."""
        return self.vcpu_per_1000_rps / 1000

    @property
    def hop(self) -> LogNormal:
        """What one of the two adds."""
        return LogNormal.of_percentiles(self.pair_p90_ms, self.pair_p99_ms).split(2)

    def memory(self, services: ArrayLike, endpoints: ArrayLike) -> NDArray[np.float64]:
        """Bytes of a proxy that knows so many services and endpoints."""
        seen = np.asarray(services, float) * self.service_bytes + np.asarray(endpoints, float) * self.endpoint_bytes
        return np.asarray(self.memory_bytes + seen, float)


@dataclass(frozen=True)
class LogNormal:
    """A latency: exp(mu + sigma z), in ms."""

    mu: float
    sigma: float

    @classmethod
    def of_percentiles(cls, p90: float, p99: float) -> LogNormal:
        """The one with these percentiles.

        Raises:
            InputError: unless 0 < p90 <= p99.
        """
        if not 0 < p90 <= p99:
            raise InputError(f"percentiles of a latency must be above zero and rise: p90 {p90} ms, p99 {p99} ms")
        sigma = math.log(p99 / p90) / (P99 - P90)
        return cls(math.log(p90) - P90 * sigma, sigma)

    @property
    def mean(self) -> float:
        """In ms."""
        return math.exp(self.mu + self.sigma**2 / 2)

    def split(self, hops: int) -> LogNormal:
        """One of so many equal independent parts: mean and variance divided by their number (Fenton, 1960)."""
        spread = math.expm1(self.sigma**2) * hops
        sigma = math.sqrt(math.log1p(spread))
        return LogNormal(math.log(self.mean / hops) - sigma**2 / 2, sigma)

    def times(self, factor: float) -> LogNormal:
        """The same, longer by a factor."""
        return LogNormal(self.mu + math.log(factor), self.sigma)

    def at(self, normal_draws: ArrayLike) -> NDArray[np.float64]:
        """Latencies of draws of the standard normal distribution, ms."""
        return np.exp(self.mu + self.sigma * np.asarray(normal_draws, float))


SIDECAR = ProxyFigures(0.20, 0.005, 60 * MB, 36_827, 1_380, 2, 0.228, 0.298, 0.0005)
"""Envoy beside each pod."""

ZTUNNEL = ProxyFigures(0.06, 0.005, 12 * MB, 1_000, 1_000, 2, 0.17, 0.20, 0.0002)
"""Istio's ambient proxy of a node: connections and their encryption, no HTTP."""

WAYPOINT = ProxyFigures(0.25, 0.005, 60 * MB, 36_827, 1_380, 2, 0.285, 0.3725, 0.0005)
"""Envoy of its own for the services that need HTTP rules, where the proxies of nodes do connections only."""

NODE_ENVOY = ProxyFigures(0.20, 0.005, 60 * MB, 36_827, 1_380, 4, 0.228, 0.298, 0.0005, Reuse.NODES)
"""Envoy once a node, HTTP and all, as ASM's and EdgeMesh's."""

FIGURES: Mapping[str, ProxyFigures] = {
    "sidecar": SIDECAR,
    "ztunnel": ZTUNNEL,
    "waypoint": WAYPOINT,
    "node_envoy": NODE_ENVOY,
}

_ENVOY_SERVICE = "36,827 bytes a cluster (Envoy's stats integration test, June 2020)"
_ENVOY_ENDPOINT = "1,380 bytes a host (Envoy's stats integration test, April 2020)"
_RSA = "assumed: an RSA-2048 signature 0.26 ms, two checks and a P-256 exchange (openssl speed), doubled for all else"

SOURCES: Mapping[str, str] = {
    "sidecar.vcpu_per_1000_rps": "Istio 1.24, performance and scalability: 1,000 rps of 1 KB",
    "sidecar.idle_cores": "assumed; reserved, 0.1 core each: 1,500 cores for 15,000 pods (Song et al., SIGCOMM 2024)",
    "sidecar.memory_bytes": "Istio 1.24, performance and scalability; 120 MB without load (Istio issue 38000)",
    "sidecar.service_bytes": _ENVOY_SERVICE,
    "sidecar.endpoint_bytes": _ENVOY_ENDPOINT,
    "sidecar.workers": "Istio's default",
    "sidecar.pair_p90_ms": "Istio 1.20, performance and scalability: both proxies, 1,000 rps of 1 KB",
    "sidecar.pair_p99_ms": "Istio 1.20, performance and scalability: both proxies, 1,000 rps of 1 KB",
    "sidecar.handshake_cpu_s": _RSA,
    "sidecar.reuse": "a sidecar is its pod's",
    "ztunnel.vcpu_per_1000_rps": "Istio 1.24, performance and scalability",
    "ztunnel.idle_cores": "assumed",
    "ztunnel.memory_bytes": "Istio 1.24, performance and scalability",
    "ztunnel.service_bytes": "assumed",
    "ztunnel.endpoint_bytes": "assumed",
    "ztunnel.workers": "Istio's default",
    "ztunnel.pair_p90_ms": "Istio 1.22, performance and scalability: both ztunnels, 1,000 rps of 1 kB",
    "ztunnel.pair_p99_ms": "Istio 1.22, performance and scalability: both ztunnels, 1,000 rps of 1 kB",
    "ztunnel.handshake_cpu_s": "assumed: two P-256 operations of each kind (openssl speed), doubled for all else",
    "ztunnel.reuse": "its pool goes by addresses of both pods, not by node (istio/ztunnel, proxy/pool.rs)",
    "waypoint.vcpu_per_1000_rps": "Istio 1.24, performance and scalability",
    "waypoint.idle_cores": "assumed",
    "waypoint.memory_bytes": "Istio 1.24, performance and scalability",
    "waypoint.service_bytes": _ENVOY_SERVICE,
    "waypoint.endpoint_bytes": _ENVOY_ENDPOINT,
    "waypoint.workers": "Istio's default",
    "waypoint.pair_p90_ms": "assumed: a sidecar's × 0.25 / 0.20, as its processor time (Istio 1.24 shows a chart only)",
    "waypoint.pair_p99_ms": "assumed: a sidecar's × 0.25 / 0.20, as its processor time (Istio 1.24 shows a chart only)",
    "waypoint.handshake_cpu_s": _RSA,
    "waypoint.reuse": "assumed",
    "node_envoy.vcpu_per_1000_rps": "assumed: the same Envoy as a sidecar",
    "node_envoy.idle_cores": "assumed",
    "node_envoy.memory_bytes": "assumed: the same Envoy as a sidecar",
    "node_envoy.service_bytes": _ENVOY_SERVICE,
    "node_envoy.endpoint_bytes": _ENVOY_ENDPOINT,
    "node_envoy.workers": "assumed",
    "node_envoy.pair_p90_ms": "assumed: the same Envoy as a sidecar",
    "node_envoy.pair_p99_ms": "assumed: the same Envoy as a sidecar",
    "node_envoy.handshake_cpu_s": _RSA,
    "node_envoy.reuse": "assumed: what a proxy of a node could do",
}
"""Who says so, by kind and field."""


@dataclass(frozen=True)
class SidecarHistory:
    """What Istio published of its sidecars for a range of versions."""

    vcpu_per_1000_rps: float
    memory_bytes: float
    pair_p90_ms: float
    pair_p99_ms: float | None


SIDECARS_BY_VERSION: Mapping[str, SidecarHistory] = {
    "1.4": SidecarHistory(0.5, 50 * MB, 6.3, None),
    "1.7": SidecarHistory(0.5, 50 * MB, 2.76, 2.88),
    "1.9": SidecarHistory(0.35, 40 * MB, 2.65, None),
    "1.20": SidecarHistory(0.5, 50 * MB, 0.228, 0.298),
    "1.24": SidecarHistory(0.20, 60 * MB, 0.228, 0.298),
}
"""Istio's performance and scalability page of each version.  1.24 prints no latency but in a chart: 1.20's stands in.
Hardware and load changed with the versions, so two rows are no measure of progress."""

ISTIOD_VCPU, ISTIOD_BYTES, ISTIOD_PODS = 1.0, 1.5e9, 2_000
"""What the control plane takes for 1,000 services and 2,000 pods (Istio 1.24)."""


def new_connections_per_s(rate_rps: ArrayLike, pairs: ArrayLike, idle_timeout_s: float, life_s: float) -> float:
    """Connections opened a second by pairs that talk at these rates, calls coming as they like (Poisson).

    A call opens one if the one before was longer ago than the idle timeout; one that is never idle so long is closed
    after its life, as certificates change.  Between two calls of a Poisson stream more than T passes with chance exp(-rT).

    Args:
        rate_rps: calls a second of one pair, (n,).
        pairs: how many pairs have that rate, (n,).
        idle_timeout_s: a connection without a call for so long is closed.
        life_s: the longest that one is kept.
    """
    rate = np.asarray(rate_rps, float)
    gap = np.exp(-rate * idle_timeout_s)
    return float(np.sum(np.asarray(pairs, float) * (rate * gap + (1 - gap) * np.minimum(rate, 1 / life_s))))


def pushes_per_s(changes_per_s: ArrayLike, merged_s: float) -> NDArray[np.float64]:
    """Times a second that a proxy is told of changes, if those within ``merged_s`` of the first are told as one."""
    changes = np.asarray(changes_per_s, float)
    return np.asarray(changes / (1 + changes * merged_s), float)
