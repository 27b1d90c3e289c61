"""Draws who calls whom in a large mesh: pods, their services, nodes and loads, as a pattern that bills are made of.

Pods of a service call the same few services, each as often as the other, and any pod of those alike.  Services have pods in
proportion to how popular they are.  How much a pod sends is log-normal; a few are noisy and send many times as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.mesh.proxy_bill import Array, CallPattern, PairRates

RATES = 256
"""Classes of rates, of equal width in the logarithm, that pairs are counted in."""

SEEN_NODES = 300
"""Nodes whose pairs with all others are counted and stand for the rest."""


@dataclass(frozen=True)
class MeshShape:
    """How large a mesh is and how uneven; every figure but the first three is assumed.

    Attributes:
        pods, pods_per_node, services: whole numbers.
        called_services: by each service.
        services_per_waypoint: that share one.
        load_spread, popularity_spread: sigmas of log-normals.
        noisy_share, noise: of pods, and how much more than their like these send.
        sampled_calls: on which latency is taken.
    """

    pods: int = 100_000
    pods_per_node: int = 30
    services: int = 2_000
    called_services: int = 5
    services_per_waypoint: int = 10
    load_spread: float = 0.5
    popularity_spread: float = 1.0
    noisy_share: float = 0.001
    noise: float = 20.0
    sampled_calls: int = 10_000


def draw_pattern(shape: MeshShape, draws: np.random.Generator) -> CallPattern:
    """A pattern of calls.

    Raises:
        InputError: if there are fewer pods than services, or fewer services than one calls.
    """
    if shape.pods < shape.services:
        raise InputError(f"{shape.services} services need at least as many pods, not {shape.pods}")
    if shape.services <= shape.called_services:
        raise InputError(f"a service cannot call {shape.called_services} others where there are {shape.services}")
    service, node, nodes = _place(shape, draws)
    size = np.bincount(service, minlength=shape.services).astype(float)
    called = _called(shape, draws)
    noisy = draws.random(shape.pods) < shape.noisy_share
    sent = draws.lognormal(0, shape.load_spread, shape.pods) * np.where(noisy, shape.noise, 1.0)
    sent *= shape.pods / sent.sum()
    called_from = np.repeat(_of_services(service, sent, shape) / called.shape[1], called.shape[1])
    into = np.bincount(called.ravel(), called_from, shape.services)  # nobody may call the last
    received = (into / size)[service]

    each = sent / called.shape[1]
    pod_pairs = _counted((each[:, None] / size[called[service]]).ravel(), size[called[service]].ravel())
    group_of = np.arange(shape.services) // shape.services_per_waypoint
    waypoint_rps = np.bincount(group_of, into).astype(float)
    waypoint_pairs = _counted(np.repeat(each, called.shape[1]), np.ones(each.size * called.shape[1]))
    node_pairs, chance, known_by_node = _between_nodes(service, node, nodes, each, called, size, draws)

    caller = draws.choice(shape.pods, shape.sampled_calls, p=sent / sent.sum())
    callee_service = called[service[caller], draws.integers(0, called.shape[1], shape.sampled_calls)]
    order = np.argsort(service, kind="stable")
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    within = draws.random(shape.sampled_calls) * size[callee_service]
    callee = order[(first[callee_service] + np.floor(within)).astype(np.int64)]
    out_of_node, into_node = np.bincount(node, sent, nodes), np.bincount(node, received, nodes)
    noise_on = np.bincount(node, noisy, nodes) > 0
    of_nodes = np.stack([out_of_node, into_node], axis=1).astype(float)
    callers_of = np.bincount(called.ravel(), np.repeat(size, called.shape[1]), shape.services)
    changed = size / size.sum()  # the more pods a service has, the more of all changes are its own
    callers = float((changed * callers_of).sum())
    return CallPattern(
        pods=shape.pods,
        nodes=nodes,
        services=shape.services,
        pod_pairs=pod_pairs,
        node_pairs=node_pairs,
        waypoint_pairs=waypoint_pairs,
        waypoint_rps=waypoint_rps,
        waypoint_draws=draws.random(len(waypoint_rps)),
        known_services=float(called.shape[1]),
        known_endpoints=float((size[called].sum(axis=1) * size).sum() / shape.pods),
        node_known_services=known_by_node[0],
        node_known_endpoints=known_by_node[1],
        subscribers=(callers, nodes * float((changed * -np.expm1(-callers_of / nodes)).sum())),
        chance_local=chance,
        caller_rps=(sent + received)[caller],
        callee_rps=(sent + received)[callee],
        caller_node_rps=of_nodes[node[caller]],
        callee_node_rps=of_nodes[node[callee]],
        call_group=group_of[callee_service],
        same_node=node[caller] == node[callee],
        beside_noise=(noise_on[node[caller]] | noise_on[node[callee]]) & ~noisy[caller] & ~noisy[callee],
        uniforms=draws.random((shape.sampled_calls, 4)),
        normals=draws.standard_normal((shape.sampled_calls, 4)),
    )


def _place(shape: MeshShape, draws: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The service and the node of each pod, and how many nodes there are: as many pods on each, or one fewer."""
    popularity = draws.lognormal(0, shape.popularity_spread, shape.services)
    more = draws.choice(shape.services, shape.pods - shape.services, p=popularity / popularity.sum())
    service = np.concatenate([np.arange(shape.services), more])
    nodes = -(-shape.pods // shape.pods_per_node)
    return service, draws.permutation(shape.pods) % nodes, nodes


def _called(shape: MeshShape, draws: np.random.Generator) -> NDArray[np.int64]:
    """The services that each service calls, never itself, each once, (services, called_services)."""
    count = shape.called_services
    steps = np.sort(draws.integers(1, shape.services - count + 1, (shape.services, count)), axis=1) + np.arange(count)
    return np.asarray((np.arange(shape.services)[:, None] + steps) % shape.services)


def _of_services(service: NDArray[np.int64], of_pods: Array, shape: MeshShape) -> Array:
    return np.bincount(service, of_pods, shape.services).astype(float)


def _counted(rates: Array, pairs: Array) -> PairRates:
    """Pairs by class of rate; the rate of a class is the mean of its pairs, so that calls a second stay what they are."""
    logs = np.log(rates)
    low, high = logs.min(), logs.max()
    classes = np.minimum(((logs - low) * (RATES / max(high - low, 1e-12))).astype(np.int64), RATES - 1)
    counted, calls = np.bincount(classes, pairs, RATES), np.bincount(classes, pairs * rates, RATES)
    kept = counted > 0
    return PairRates(calls[kept] / counted[kept], counted[kept].astype(float))


def _between_nodes(
    service: NDArray[np.int64],
    node: NDArray[np.int64],
    nodes: int,
    each: Array,
    called: NDArray[np.int64],
    size: Array,
    draws: np.random.Generator,
) -> tuple[PairRates, float, tuple[float, float]]:
    """Rates from node to node, the share of calls that stays within one, services and endpoints that a node's pods call."""
    services = len(size)
    seen = np.sort(draws.permutation(nodes)[: min(SEEN_NODES, nodes)])
    row_of = np.full(nodes, -1)
    row_of[seen] = np.arange(len(seen))
    callers = np.flatnonzero(row_of[node] >= 0)
    targets = called[service[callers]]
    cells = (row_of[node[callers]][:, None] * services + targets).ravel()
    sent = np.bincount(cells, np.repeat(each[callers], called.shape[1]), len(seen) * services).reshape(len(seen), services)
    share = np.bincount(service * nodes + node, 1 / size[service], services * nodes).reshape(services, nodes)
    between = (sent.astype(np.float32) @ share.astype(np.float32)).astype(float)
    at_home = between[np.arange(len(seen)), seen]
    chance = float(at_home.sum() / between.sum())
    between[np.arange(len(seen)), seen] = 0.0
    rates = between[between > 0]
    stands_for = np.full(rates.size, nodes / len(seen))
    knows = sent > 0
    known = float(knows.sum(axis=1).mean()), float((knows @ size).mean())
    return _counted(rates, stands_for) if rates.size else PairRates(np.ones(0), np.ones(0)), chance, known
