"""Placing within quotas.

The static parts bound what a namespace takes of single clusters.  Its workloads are placed one after another, the more
important first and then by name, each by the room that those before it have left of the quota.  The overall parts then let
each of them in, in the same order, or refuse it as a whole, and it keeps what runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skyedge.layers.federation.batch import Batch, Footings
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.objects import Workload
from skyedge.layers.federation.placing import Placements, place_batch
from skyedge.layers.federation.quotas import Charge, Quota, Taken, admit, replicas_within
from skyedge.layers.federation.room import Room, flavour_of
from skyedge.layers.scheduler.objects import Amounts
from skyedge.wording import counted


@dataclass(frozen=True)
class OverQuota:
    """A workload that a quota refuses.

    Attributes:
        row: of the workload.
        quota: its name, as NAMESPACE/NAME.
        cluster: of the static part; empty: the overall part.
        resource: of which it asks for too much.
        asked, left: amounts of it, in its unit: more than runs now, and what the quota has left.
    """

    row: int
    quota: str
    cluster: str
    resource: str
    asked: int
    left: int


@dataclass(frozen=True, eq=False)
class PlacedWithin:
    """Workloads as they were placed, within quotas.

    Attributes:
        workloads: with the room that quotas leave them.
        shares: replicas by cluster; of one that was refused what it runs already.
        refused: by row.
    """

    workloads: tuple[Workload, ...]
    placements: Placements
    shares: tuple[Mapping[str, int], ...]
    refused: Mapping[int, OverQuota]


def place_within(federation: Federation, workloads: Sequence[Workload], quotas: Sequence[Quota]) -> PlacedWithin:
    """Place workloads within quotas."""
    footings, room = Footings(federation), Room(federation.nodes)
    bounded = {quota.namespace for quota in quotas if quota.static}
    order = sorted(range(len(workloads)), key=lambda row: (-workloads[row].priority, workloads[row].name, row))
    requests = [dict(flavour_of(workload.shape).request) for workload in workloads] if quotas else []
    limited, refused = list(workloads), {}
    taken = Taken(bounded)
    for workload, request in zip(workloads, requests, strict=True) if bounded else ():
        for cluster, count in workload.scheduled.items():
            taken.add(workload.resource.namespace, cluster, request, count)
    for row in order if bounded else ():
        workload = workloads[row]
        namespace = workload.resource.namespace
        if namespace not in bounded or not workload.replicas:
            continue
        most = replicas_within(quotas, namespace, requests[row], taken.of(namespace))
        limited[row] = mine = limited_to(workload, most)
        share = place_batch(Batch(footings, room, [mine])).of(0)
        over = _over_static(row, mine, share, most, requests[row], quotas, taken.of(namespace))
        if over is not None:
            refused[row] = over
            continue
        for cluster in share.keys() | workload.scheduled.keys():
            more = share.get(cluster, 0) - workload.scheduled.get(cluster, 0)
            taken.add(namespace, cluster, requests[row], more)
    placements = place_batch(Batch(footings, room, limited))
    refused |= _over_all(placements, limited, requests, quotas, [row for row in order if row not in refused])
    for row in refused:
        placements = with_share(placements, row, limited[row].scheduled)
    shares = tuple(placements.of(row) for row in range(len(limited)))
    return PlacedWithin(tuple(limited), placements, shares, refused)


def with_share(placements: Placements, row: int, share: Mapping[str, int]) -> Placements:
    """The placements with another share of one workload; without any it is not placed."""
    replicas, targets, group = placements.replicas.copy(), placements.targets.copy(), placements.group.copy()
    replicas[row], targets[row] = 0, False
    for place, name in enumerate(placements.clusters):
        if name in share:
            replicas[row, place], targets[row, place] = share[name], True
    group[row] = max(int(group[row]), 0) if share else -1
    return replace(placements, replicas=replicas, targets=targets, group=group)


def limited_to(workload: Workload, most: Mapping[str, int]) -> Workload:
    """The workload with the room that a quota leaves; where all replicas have to fit and do not, it may not go."""
    if workload.rules.strategy is not Strategy.DUPLICATED:
        return replace(workload, room_limit=dict(most))
    short = {
        cluster: f"has room for {fits} of {counted(workload.replicas, 'replica(s)')} in the quota"
        for cluster, fits in most.items()
        if workload.replicas - workload.scheduled.get(cluster, 0) > fits
    }
    return replace(workload, room_limit=dict(most), barred={**short, **workload.barred})


def _over_static(
    row: int,
    workload: Workload,
    share: Mapping[str, int],
    most: Mapping[str, int],
    request: Amounts,
    quotas: Sequence[Quota],
    taken: Mapping[str, Amounts],
) -> OverQuota | None:
    """What a division that does not look at room, by static weights, takes beyond a static part."""
    for cluster in sorted(share):
        more = share[cluster] - workload.scheduled.get(cluster, 0)
        if more <= 0 or more <= most.get(cluster, more):
            continue
        for quota in quotas:
            if quota.namespace != workload.resource.namespace:
                continue
            for resource, hard in sorted(quota.static.get(cluster, {}).items()):
                left = max(0, hard - taken.get(cluster, {}).get(resource, 0))
                asked = more * request.get(resource, 0)
                if asked > left:
                    return OverQuota(row, f"{quota.namespace}/{quota.name}", cluster, resource, asked, left)
    return None


def _over_all(
    placements: Placements,
    workloads: Sequence[Workload],
    requests: Sequence[Amounts],
    quotas: Sequence[Quota],
    order: Sequence[int],
) -> dict[int, OverQuota]:
    """Whom the overall parts refuse, in the order given; a charge is called by its row."""
    if not quotas:
        return {}
    running = {
        str(row): Charge(str(row), one.resource.namespace, requests[row], one.scheduled)
        for row, one in enumerate(workloads)
        if one.scheduled
    }
    wanted = [
        Charge(str(row), workloads[row].resource.namespace, requests[row], placements.of(row))
        for row in order
        if placements.placed[row] and workloads[row].replicas
    ]
    _, refusals = admit(quotas, running, wanted)
    return {
        int(one.workload): OverQuota(
            int(one.workload),
            f"{workloads[int(one.workload)].resource.namespace}/{one.quota}",
            "",
            one.resource,
            one.asked,
            one.left,
        )
        for one in refusals
    }
