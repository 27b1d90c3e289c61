"""What the proxies of a whole mesh cost and add, for one way to place them, from who calls whom.

Load scales: a :class:`CallPattern` is drawn once for a load of one call a second and pod, and a bill is made of it for any
load.  Sums over all pods are kept in the pattern; latency and overload are taken on a sample of calls, so that a bill for
100,000 pods costs milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.proxies import ProxyFigures, Reuse, new_connections_per_s, pushes_per_s
from skyedge.layers.mesh.waiting import waits_s

Array = NDArray[np.float64]


class Architecture(Enum):
    """Where proxies stand."""

    SIDECAR = "sidecar"
    """One a pod; a call passes two."""
    NODE_L4 = "node-l4"
    """One a node, connections only; a call passes two, or one within a node."""
    NODE_L4_WAYPOINT = "node-l4-waypoint"
    """The same, and a waypoint for services that need HTTP rules."""
    NODE_L7 = "node-l7"
    """One a node, HTTP and all."""


@dataclass(frozen=True, eq=False)
class PairRates:
    """How often pairs call each other: ``pairs`` of them ``rate_rps`` each, (n,)."""

    rate_rps: Array
    pairs: Array


@dataclass(frozen=True, eq=False)
class CallPattern:
    """Who calls whom in a mesh whose pods send one call a second on the mean.

    Attributes:
        pods, nodes, services: how many there are.
        pod_pairs: pod to pod.
        node_pairs: node to another node.
        waypoint_pairs: pod to waypoint; one waypoint serves a group of services.
        waypoint_rps: of each group of services, (groups,).
        waypoint_draws: uniform, (groups,): a group needs HTTP rules if its draw is below the share that does.
        known_services, known_endpoints: what a pod's own services need of configuration, on the mean.
        node_known_services, node_known_endpoints: the same of all pods of a node.
        subscribers: pods that call a service, nodes that have one, both on the mean over changes of endpoints.
        chance_local: share of calls that stay within a node by chance.
        caller_rps, callee_rps: what the sidecars of both ends of each sampled call carry, (calls,).
        caller_node_rps, callee_node_rps: out and in of both nodes, each (calls, 2).
        call_group: the group of services that is called, (calls,).
        same_node: whether both ends are on one node by chance, (calls,).
        beside_noise: whether a noisy pod is on either node and is neither end, (calls,).
        uniforms, normals: draws for each call, (calls, 4).
    """

    pods: int
    nodes: int
    services: int
    pod_pairs: PairRates
    node_pairs: PairRates
    waypoint_pairs: PairRates
    waypoint_rps: Array
    waypoint_draws: Array
    known_services: float
    known_endpoints: float
    node_known_services: float
    node_known_endpoints: float
    subscribers: tuple[float, float]
    chance_local: float
    caller_rps: Array
    callee_rps: Array
    caller_node_rps: Array
    callee_node_rps: Array
    call_group: NDArray[np.int64]
    same_node: NDArray[np.bool_]
    beside_noise: NDArray[np.bool_]
    uniforms: Array
    normals: Array


@dataclass(frozen=True)
class Conditions:
    """What a bill is made for.

    Attributes:
        rps_per_pod: calls that a pod sends, on the mean.
        l7_share: of services, those that need HTTP rules.
        same_node_share: of calls, those that placement and routing keep within a node, beyond chance.
        scoped: whether a proxy is told only of services that its own pods call; a ztunnel is always told of all.
        call_ms, call_spread: the application and the network beneath: median, and sigma of a log-normal.
        network_hop_ms: the way to a waypoint and on, beyond the direct one.
        idle_timeout_s, connection_life_s: of connections between proxies.
        waypoint_replicas, waypoint_busy: of each waypoint at least so many, and more above that utilisation.
        changes_per_pod_s: how often a pod is replaced, each a change of endpoints twice.
        push_cpu_s, control_cores, merged_s: of the control plane: work to tell one proxy, cores, waiting for more changes.
        service_variation: coefficient of variation of a proxy's time for a request.
    """

    rps_per_pod: float = 10.0
    l7_share: float = 0.2
    same_node_share: float = 0.0
    scoped: bool = True
    call_ms: float = 5.0
    call_spread: float = 0.5
    network_hop_ms: float = 0.1
    idle_timeout_s: float = 3600.0
    connection_life_s: float = 43_200.0
    waypoint_replicas: int = 2
    waypoint_busy: float = 0.6
    changes_per_pod_s: float = 1 / 86_400
    push_cpu_s: float = 0.001
    control_cores: float = 16.0
    merged_s: float = 0.1
    service_variation: float = 1.0


@dataclass(frozen=True)
class Proxies:
    """The figures of each kind."""

    sidecar: ProxyFigures
    ztunnel: ProxyFigures
    waypoint: ProxyFigures
    node_envoy: ProxyFigures


@dataclass(frozen=True, eq=False)
class Bill:
    """What an architecture costs and adds.

    Attributes:
        proxies: how many there are.
        cores: busy with requests, hand-shakes and idling.
        memory_bytes: of all proxies.
        handshake_cores: those of ``cores`` that hand-shakes take.
        handshakes_per_s: both ends counted once.
        added_ms: of each sampled call, (calls,).
        whole_ms: the same with application and network, (calls,).
        carried: the share of calls that proxies have the cores for.
        busiest: the utilisation that 99 % of calls do not meet.
        control_cores: that telling proxies of changes takes.
        push_s: until the last proxy is told of a change.
    """

    proxies: float
    cores: float
    memory_bytes: float
    handshake_cores: float
    handshakes_per_s: float
    added_ms: Array
    whole_ms: Array
    carried: float
    busiest: float
    control_cores: float
    push_s: float


def make_bill(pattern: CallPattern, architecture: Architecture, proxies: Proxies, conditions: Conditions) -> Bill:
    """The bill of one architecture."""
    sidecars = architecture is Architecture.SIDECAR
    ends = {Architecture.SIDECAR: proxies.sidecar, Architecture.NODE_L7: proxies.node_envoy}
    kind = ends.get(architecture, proxies.ztunnel)
    load = conditions.rps_per_pod
    local = conditions.same_node_share + (1 - conditions.same_node_share) * pattern.chance_local
    passages = pattern.pods * load * (2 if sidecars else 2 - local)
    count = float(pattern.pods if sidecars else pattern.nodes)
    cores = count * kind.idle_cores + passages * kind.service_s
    memory = count * float(kind.memory(*_configuration(pattern, architecture, conditions)))
    handshakes = _handshakes(pattern, kind, conditions)
    handshake_cores = 2 * handshakes * kind.handshake_cpu_s
    added, worst = _both_ends(pattern, sidecars, kind, conditions, local)
    if architecture is Architecture.NODE_L4_WAYPOINT:
        between = _waypoints(pattern, proxies.waypoint, conditions)
        count += between.proxies
        cores += between.cores
        memory += between.memory_bytes
        direct = handshakes * (1 - between.share)
        handshakes = direct + between.handshakes_per_s
        # Of a hand-shake with a waypoint one end is its own, and the other a node's.
        handshake_cores = 2 * direct * kind.handshake_cpu_s
        handshake_cores += between.handshakes_per_s * (kind.handshake_cpu_s + proxies.waypoint.handshake_cpu_s)
        added, worst = added + between.added_ms, np.maximum(worst, between.busy)
    whole = added + conditions.call_ms * np.exp(conditions.call_spread * pattern.normals[:, 3])
    control_cores, push_s = _control_plane(pattern, architecture, conditions, count)
    return Bill(
        proxies=count,
        cores=cores + handshake_cores,
        memory_bytes=memory,
        handshake_cores=handshake_cores,
        handshakes_per_s=handshakes,
        added_ms=added,
        whole_ms=whole,
        carried=float(np.minimum(1, 1 / np.maximum(worst, 1)).mean()),
        busiest=float(np.quantile(worst, 0.99)),
        control_cores=control_cores,
        push_s=push_s,
    )


def _both_ends(
    pattern: CallPattern, sidecars: bool, kind: ProxyFigures, conditions: Conditions, local: float
) -> tuple[Array, Array]:
    """What the proxies of caller and callee add to each sampled call, ms, and how busy the busier of them is."""
    if sidecars:
        carried = [rates * conditions.rps_per_pod for rates in (pattern.caller_rps, pattern.callee_rps)]
    else:  # of a node: out and in, those within the node once
        both = (pattern.caller_node_rps, pattern.callee_node_rps)
        carried = [conditions.rps_per_pod * (rates[:, 0] + (1 - local) * rates[:, 1]) for rates in both]
    busy = [rps * kind.service_s / kind.workers for rps in carried]
    first, second = (_hop_ms(pattern, hop, busy[hop], kind, conditions) for hop in (0, 1))
    stays = pattern.same_node | (pattern.uniforms[:, 3] < conditions.same_node_share)
    return first + (second if sidecars else np.where(stays, 0.0, second)), np.maximum(*busy)


@dataclass(frozen=True, eq=False)
class _Waypoints:
    """All waypoints together; what they add to each sampled call and how busy they are, 0 where none is passed."""

    share: float
    proxies: float
    cores: float
    memory_bytes: float
    handshakes_per_s: float
    added_ms: Array
    busy: Array


def _waypoints(pattern: CallPattern, kind: ProxyFigures, conditions: Conditions) -> _Waypoints:
    needs = pattern.waypoint_draws < conditions.l7_share
    demand = pattern.waypoint_rps * needs * conditions.rps_per_pod * kind.service_s
    wanted = np.maximum(conditions.waypoint_replicas, np.ceil(demand / (kind.workers * conditions.waypoint_busy)))
    replicas = np.where(needs, wanted, 0)
    count, services = float(replicas.sum()), pattern.services / len(needs)
    share = float(needs.mean())
    of_group = np.divide(demand, replicas * kind.workers, where=needs, out=np.zeros(len(needs)))
    busy = of_group[pattern.call_group]
    hop_ms = _hop_ms(pattern, 2, busy, kind, conditions) + conditions.network_hop_ms
    return _Waypoints(
        share,
        count,
        float(demand.sum()) + count * kind.idle_cores,
        count * float(kind.memory(services, services * pattern.pods / pattern.services)),
        2 * _new(pattern.waypoint_pairs, conditions) * share,  # to the waypoint, and on from it
        np.where(needs[pattern.call_group], hop_ms, 0.0),
        busy,
    )


def _configuration(pattern: CallPattern, architecture: Architecture, conditions: Conditions) -> tuple[float, float]:
    """Services and endpoints that one proxy is told of."""
    if architecture in (Architecture.NODE_L4, Architecture.NODE_L4_WAYPOINT) or not conditions.scoped:
        return float(pattern.services), float(pattern.pods)
    if architecture is Architecture.NODE_L7:
        return pattern.node_known_services, pattern.node_known_endpoints
    return pattern.known_services, pattern.known_endpoints


def _new(pairs: PairRates, conditions: Conditions, share: float = 1.0) -> float:
    rates = pairs.rate_rps * conditions.rps_per_pod * share
    return new_connections_per_s(rates, pairs.pairs, conditions.idle_timeout_s, conditions.connection_life_s)


def _handshakes(pattern: CallPattern, kind: ProxyFigures, conditions: Conditions) -> float:
    """New connections between proxies a second; what stays within a node needs none where the node has one proxy."""
    if kind.reuse is Reuse.NODES:
        return _new(pattern.node_pairs, conditions, 1 - conditions.same_node_share)
    return _new(pattern.pod_pairs, conditions)


def _hop_ms(pattern: CallPattern, hop: int, busy: Array, kind: ProxyFigures, conditions: Conditions) -> Array:
    wait = waits_s(busy, kind.workers, kind.service_s, pattern.uniforms[:, hop], conditions.service_variation)
    return np.asarray(kind.hop.at(pattern.normals[:, hop]) + 1000 * wait)


def _control_plane(
    pattern: CallPattern, architecture: Architecture, conditions: Conditions, count: float
) -> tuple[float, float]:
    """Cores that telling takes, and seconds until a change has reached the last proxy that must hear of it."""
    changes = 2 * conditions.changes_per_pod_s * pattern.pods
    callers, calling_nodes = pattern.subscribers
    hears_all = architecture in (Architecture.NODE_L4, Architecture.NODE_L4_WAYPOINT) or not conditions.scoped
    told = count if hears_all else callers if architecture is Architecture.SIDECAR else calling_nodes
    of_one = changes * told / count
    cores = count * float(pushes_per_s(of_one, conditions.merged_s)) * conditions.push_cpu_s
    return cores, conditions.merged_s + told * conditions.push_cpu_s / conditions.control_cores
