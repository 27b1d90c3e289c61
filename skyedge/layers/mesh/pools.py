"""One service, or a subset of it, as one caller sees it: in which order its endpoints are used, and how much each part gets.

A *cluster* (Envoy's word) is a service, a subset and a port.  Its endpoints stand in groups of one priority and locality,
which only an update of the service changes.  A *pool* is a set of endpoints among which the balancer chooses; which pools
there are and the share of each follow from the groups and from who is well, and change with every ejection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh import locality as places
from skyedge.layers.mesh.defaults import panic_percent
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.locality import Endpoint, EndpointGroup, Locality
from skyedge.layers.mesh.locality_settings import SHARED_PLACES, Effective, Kind, Level, effective_setting
from skyedge.layers.mesh.objects import HASHING, Caller, LocalityWish, MeshDefaults, MeshEndpoint, Service, TrafficPolicy
from skyedge.layers.mesh.priority_load import locality_load, priority_load
from skyedge.layers.mesh.rows import Indices

NODE = "kubernetes.io/hostname"
"""The label of the node that something runs on."""

FEWEST_FOR_ZONES = 6
"""With fewer endpoints zones play no part (Envoy's default)."""

ANY_LOCALITY = -1

Members = list[tuple[int, MeshEndpoint]]
"""Endpoints with their numbers."""


@dataclass(frozen=True)
class Cluster:
    """What a route leads to.

    Attributes:
        host: of the service.
        subset: its name, empty for the whole.
        labels: that an endpoint must carry.
        policy: in force.
        wish: what the destination rule or else the mesh says of localities; None: nothing.
        effective: the setting that counts.
    """

    host: str
    subset: str
    port: int | None
    labels: Mapping[str, str]
    policy: TrafficPolicy
    wish: LocalityWish | None
    effective: Effective


@dataclass(frozen=True)
class Groups:
    """The endpoints of a cluster by priority and locality.

    Attributes:
        rows: (endpoints,), their numbers: by priority, locality and address.
        starts: (groups + 1,), where groups begin among them.
        priorities: (groups,), ascending from 0 without a gap.
        localities: (groups,), numbers of the table.
        weights: (groups,).
        near: (groups,), whether it is in the caller's own locality.
    """

    rows: Indices
    starts: Indices
    priorities: NDArray[np.int64]
    localities: NDArray[np.int64]
    weights: NDArray[np.float64]
    near: NDArray[np.bool_]


@dataclass(frozen=True)
class Pool:
    """Endpoints among which the balancer chooses.

    Attributes:
        share: of the requests of its cluster.
        rows: numbers of its endpoints, in order.
        weights: of each; what they are relative to is the pool.
        priority: of its endpoints.
        locality: of its endpoints; ``ANY_LOCALITY`` if they are of several.
        in_panic: whether the unhealthy are among them.
    """

    share: float
    rows: Indices
    weights: NDArray[np.float64]
    priority: int
    locality: int
    in_panic: bool = False


def cluster_of(
    service: Service,
    subset: str,
    port: int | None,
    labels: Mapping[str, str],
    policy: TrafficPolicy,
    defaults: MeshDefaults,
) -> Cluster:
    """A cluster with the locality setting that counts for it.

    Raises:
        InputError: if the service's traffic distribution is not known.
    """
    said = policy.load_balancing.locality if policy.load_balancing is not None else None
    level = said.level if said is not None else Level()
    mesh_level = defaults.locality.level if defaults.locality is not None else Level()
    effective = effective_setting(mesh_level, level, service.traffic_distribution)
    wish: LocalityWish | None = said or defaults.locality
    if effective.force_failover and effective.kind is Kind.LOCALITY:  # the service's own word
        wish = LocalityWish(True, failover_priority=effective.setting.failover_priority if effective.setting else ())
    return Cluster(service.host, subset, port, labels, policy, wish, effective)


def placed_labels(labels: Mapping[str, str], locality: Locality, network: str, node: str) -> dict[str, str]:
    """Labels together with those that say where something runs; what is written down counts first."""
    where = zip((*SHARED_PLACES, NODE), (network, locality.region, locality.zone, locality.subzone, node), strict=True)
    return {**{label: value for label, value in where if value}, **labels}


def grouped(cluster: Cluster, table: EndpointTable, caller: Caller) -> Groups:
    """The endpoints of a cluster by priority and locality, as the caller sees them.

    Those of weight 0 are left out, and so are those that are not ready: a proxy is not told of them (Istio), so that they
    neither count when a priority is asked how well it is nor are asked in panic.
    """
    rows = table.of_service(table.services[cluster.host])
    by_number: dict[int, Members] = {}
    for row, place in zip(rows.tolist(), table.locality[rows].tolist(), strict=True):
        endpoint = table.endpoints[row]
        if endpoint is None or not endpoint.healthy or endpoint.weight <= 0:
            continue
        if cluster.labels.items() <= endpoint.labels.items():
            by_number.setdefault(place, []).append((row, endpoint))
    by_place = {table.localities[number]: members for number, members in by_number.items()}
    order = sorted(by_place)
    wish, effective = cluster.wish, cluster.effective
    priorities = [[0] * len(by_place[place]) for place in order]
    weights: list[int] | None = None
    if effective.kind is not None and wish is not None:
        failing_over = cluster.policy.outlier is not None or effective.force_failover
        if wish.distribute:
            own = [sum(endpoint.weight for _, endpoint in by_place[place]) for place in order]
            weights = places.distribute(caller.locality, order, wish.distribute, own)
        elif effective.kind is Kind.ZONE_AWARE:
            zones = places.zone_aware_priorities(caller.locality, order, wish.failover)
            priorities = [[zone] * len(by_place[place]) for zone, place in zip(zones, order, strict=True)]
        elif failing_over and not wish.failover_priority:
            ranks = places.failover_priorities(caller.locality, order, wish.failover)
            priorities = [[rank] * len(by_place[place]) for rank, place in zip(ranks, order, strict=True)]
        elif failing_over:
            priorities = _failover_by_labels(wish, caller, order, by_place)
    return _as_columns(order, by_place, priorities, weights, caller, table)


def pools(cluster: Cluster, groups: Groups, table: EndpointTable) -> list[Pool]:
    """The pools that get any requests, by priority and locality; none if nobody is left to send to."""
    if groups.rows.size == 0:
        return []
    well = table.well(groups.rows)
    starts, sizes = groups.starts[:-1], np.diff(groups.starts)
    well_of_group = np.add.reduceat(well.astype(np.int64), starts)
    count = int(groups.priorities[-1]) + 1
    all_of = np.bincount(groups.priorities, sizes, count)
    well_of = np.bincount(groups.priorities, well_of_group, count)
    panic_below = panic_percent(cluster.policy.outlier)
    load = priority_load((100.0 * well_of / all_of).tolist(), panic_percent=panic_below, hosts=all_of.tolist())
    result: list[Pool] = []
    for priority in np.flatnonzero(load.load_percent > 0).tolist():
        mine = np.flatnonzero(groups.priorities == priority)
        span = slice(int(groups.starts[mine[0]]), int(groups.starts[mine[-1] + 1]))
        share = float(load.load_percent[priority]) / 100.0
        rows = groups.rows[span]
        if load.in_panic[priority]:
            result.append(_one_pool(share, rows, table, priority, in_panic=True))
        elif well_of[priority] > 0:
            parts = _by_locality(cluster, groups, table, mine, well, well_of_group)
            if cluster.policy.balancer in HASHING:
                parts = [_for_hashing(parts)]
            result += [replace(part, share=share * part.share, priority=priority) for part in parts]
    return result


def _one_pool(share: float, rows: Indices, table: EndpointTable, priority: int, *, in_panic: bool = False) -> Pool:
    places_of = table.locality[rows]
    locality = int(places_of[0]) if (places_of == places_of[0]).all() else ANY_LOCALITY
    return Pool(share, rows, table.weight[rows], priority, locality, in_panic)


def _by_locality(
    cluster: Cluster,
    groups: Groups,
    table: EndpointTable,
    mine: Indices,
    well: NDArray[np.bool_],
    well_of_group: NDArray[np.int64],
) -> list[Pool]:
    span = slice(int(groups.starts[mine[0]]), int(groups.starts[mine[-1] + 1]))
    healthy = groups.rows[span][well[span]]
    priority = int(groups.priorities[mine[0]])
    if cluster.effective.kind is None:
        return [_one_pool(1.0, healthy, table, priority)]
    if cluster.effective.kind is Kind.ZONE_AWARE:
        near = mine[groups.near[mine] & (well_of_group[mine] > 0)]
        if priority == 0 and near.size and span.stop - span.start >= FEWEST_FOR_ZONES:
            span = slice(int(groups.starts[near[0]]), int(groups.starts[near[0] + 1]))
            healthy = groups.rows[span][well[span]]
        return [_one_pool(1.0, healthy, table, priority)]
    sizes = np.diff(groups.starts)[mine]
    load = locality_load(groups.weights[mine].tolist(), (100.0 * well_of_group[mine] / sizes).tolist())
    result = []
    for group, percent in zip(mine.tolist(), load.tolist(), strict=True):
        if percent > 0:
            span = slice(int(groups.starts[group]), int(groups.starts[group + 1]))
            rows = groups.rows[span][well[span]]
            result.append(Pool(percent / 100.0, rows, table.weight[rows], priority, int(groups.localities[group])))
    return result


def _for_hashing(parts: Sequence[Pool]) -> Pool:
    # A hash table is of a whole priority: an endpoint's weight in it is its part of its locality's share (Envoy).
    if len(parts) == 1:
        return parts[0]
    weights = np.concatenate([part.share * part.weights / part.weights.sum() for part in parts])
    rows = np.concatenate([part.rows for part in parts])
    return Pool(1.0, rows, weights, parts[0].priority, ANY_LOCALITY)


def _failover_by_labels(
    wish: LocalityWish,
    caller: Caller,
    order: Sequence[Locality],
    by_place: Mapping[Locality, Members],
) -> list[list[int]]:
    # The priority of each endpoint of each group; the rules know endpoints by their addresses, which are the numbers here.
    groups = []
    for place in order:
        members = [
            Endpoint(str(row), placed_labels(one.labels, one.locality, one.network, one.node), one.weight)
            for row, one in by_place[place]
        ]
        groups.append(EndpointGroup(place, tuple(members)))
    own = placed_labels(caller.labels, caller.locality, caller.network, caller.node)
    priority = {
        int(endpoint.address): part.priority
        for part in places.split_by_labels(caller.locality, own, wish.failover_priority, groups, wish.failover)
        for endpoint in part.endpoints
    }
    return [[priority[row] for row, _ in by_place[place]] for place in order]


def _as_columns(
    order: Sequence[Locality],
    by_place: Mapping[Locality, Members],
    priorities: Sequence[Sequence[int]],
    weights: Sequence[int] | None,
    caller: Caller,
    table: EndpointTable,
) -> Groups:
    parts: list[tuple[int, int, list[int]]] = []
    for at, place in enumerate(order):
        if weights is not None and weights[at] == 0:  # who gets nothing does not count as being there
            continue
        by_priority: dict[int, list[int]] = {}
        for (row, _), priority in zip(by_place[place], priorities[at], strict=True):
            by_priority.setdefault(priority, []).append(row)
        parts += [(priority, at, rows) for priority, rows in by_priority.items()]
    parts.sort()
    rows = np.array([row for _, _, part in parts for row in part], np.intp)
    own = [table.weight[part].sum() if weights is None else weights[at] for _, at, part in parts]
    return Groups(
        rows,
        np.concatenate([[0], np.cumsum([len(part) for _, _, part in parts])]).astype(np.intp),
        np.array([priority for priority, _, _ in parts], np.int64),
        np.array([table.locality[part[0]] for _, _, part in parts], np.int64),
        np.array(own, np.float64),
        np.array([order[at] == caller.locality for _, at, _ in parts], np.bool_),
    )
