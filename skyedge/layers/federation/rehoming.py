"""New homes by the rules of a workload's own placement policy, in the room and within the quotas that earlier moves left.

A policy that divides by static weights, or gives every cluster all replicas, does not look at room, and Karmada leaves what
it sends to a full cluster waiting there.  Waiting is no home: such clusters are taken out, and the policy is asked again.
With them go the clusters that static weights do not name: whoever gave weights to some meant no others.

A copy of a duplicated workload is whole: it goes to one cluster that has none, or, if the others are enough, nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.failover_events import NO_ROOM, Counts, Home, Rows
from skyedge.layers.federation.objects import Cluster, NodePool, Workload
from skyedge.layers.federation.placing import Placements, place
from skyedge.layers.federation.quota_turns import limited_to
from skyedge.layers.federation.quotas import Quota, Taken, replicas_within
from skyedge.layers.federation.remaining import taken
from skyedge.layers.federation.room import flavour_of
from skyedge.layers.federation.stages import Failure

NO_OTHER = "all others that may have one do"
"""Why a copy of a duplicated workload has no other home, nor needs one."""


class PolicyHomes:
    """Asks the placement for homes, move after move; see :class:`skyedge.layers.federation.failover_events.Homes`.

    Args:
        clusters: with what is free beside what runs.
        workloads: all that run.
        running: replicas by name of the cluster, of each workload.
        quotas: their static parts limit what a namespace may have on a cluster.
    """

    def __init__(
        self,
        clusters: Sequence[Cluster],
        workloads: Sequence[Workload],
        running: Sequence[Mapping[str, int]],
        quotas: Sequence[Quota] = (),
    ) -> None:
        self._quotas = [quota for quota in quotas if quota.static]
        self._federation = Federation.of(clusters)
        self._workloads = workloads
        self._running: list[dict[str, int]] = [{} for _ in workloads]
        self._taken = Taken({quota.namespace for quota in self._quotas})
        for workload, share in enumerate(running):
            for name, count in share.items():
                self._run(workload, name, count)
        self._number = {name: place for place, name in enumerate(self._federation.names)}
        self._why_not: dict[int, str] = {}

    def find(
        self, workload: Rows, replicas: Counts, closed: NDArray[np.bool_], whole: bool
    ) -> Sequence[Sequence[Home] | None]:
        """Homes for one move after the other; each takes its room before the next is looked at."""
        found = []
        for number, wanted in zip(workload.tolist(), replicas.tolist(), strict=True):
            homes = self._homes(number, wanted, closed, whole)
            for cluster, count in homes or ():
                self._take(number, cluster, count)
            found.append(homes)
        return found

    def why_not(self, workload: int) -> str:
        """What its policy, or else the room, had to say when the last search was made."""
        return self._why_not.get(workload, "")

    def give_back(self, workload: int, cluster: int, replicas: int) -> None:
        """What a replica had is free again, as a place for just such a one."""
        name = self._federation.names[cluster]
        self._run(workload, name, -min(replicas, self._running[workload].get(name, 0)))
        flavour = flavour_of(self._workloads[workload].shape)
        member = self._federation.clusters[cluster]
        habitat = flavour.habitat
        freed = NodePool(replicas, dict(flavour.request), dict(habitat.node_selector))
        self._federation = self._federation.with_cluster(replace(member, pools=(*member.pools, freed)))

    def _take(self, workload: int, cluster: int, replicas: int) -> None:
        member = self._federation.clusters[cluster]
        flavour = flavour_of(self._workloads[workload].shape)
        pools = tuple(taken(member.pools, flavour, replicas))
        self._federation = self._federation.with_cluster(replace(member, pools=pools))
        self._run(workload, member.name, replicas)

    def _run(self, workload: int, cluster: str, more: int) -> None:
        """So many more replicas run there, or fewer."""
        one, share = self._workloads[workload], self._running[workload]
        share[cluster] = share.get(cluster, 0) + more
        if self._quotas:
            self._taken.add(one.resource.namespace, cluster, dict(flavour_of(one.shape).request), more)

    def _homes(self, workload: int, wanted: int, closed: NDArray[np.bool_], whole: bool) -> list[Home] | None:
        """All of them, or, unless ``whole``, as many as there is room for (found by halving); None: none is needed."""
        open_only = Federation(
            [
                replace(cluster, ready=False) if shut else cluster
                for cluster, shut in zip(self._federation.clusters, closed.tolist(), strict=True)
            ],
            self._federation.nodes,
        )
        share = self._running[workload]
        stays = {name: count for name, count in share.items() if count and not closed[self._number[name]]}
        left = frozenset(name for name, count in share.items() if count and closed[self._number[name]])
        staying = replace(self._workloads[workload], scheduled=stays, evicting=left, fresh=False)
        duplicated = staying.rules.strategy is Strategy.DUPLICATED
        homes, why_not = self._asked(open_only, staying, wanted)
        enough = duplicated and not homes and not why_not
        self._why_not[workload] = NO_OTHER if enough else why_not
        if enough or sum(count for _, count in homes) == wanted:
            return None if enough else homes
        if whole or duplicated:
            return []
        fits, too_many = 0, wanted
        best = homes
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            tried, _ = self._asked(open_only, staying, middle)
            if sum(count for _, count in tried) == middle:
                fits, best = middle, tried
            else:
                too_many = middle
        return best

    def _asked(self, federation: Federation, staying: Workload, wanted: int) -> tuple[list[Home], str]:
        """Where the placement puts so many replicas beside those that stay, and if nowhere, why."""
        duplicated = staying.rules.strategy is Strategy.DUPLICATED
        asks = replace(staying, replicas=wanted if duplicated else sum(staying.scheduled.values()) + wanted)
        if self._quotas:
            asks = limited_to(asks, self._within_quotas(staying))
        homes: list[Home] = []
        added, why_not = _added(federation, asks, wanted)
        for name, more in sorted(added.items()):
            homes.append((self._number[name], min(more, wanted)))
            wanted -= homes[-1][1]
        return [home for home in homes if home[1]], why_not

    def _within_quotas(self, workload: Workload) -> dict[str, int]:
        """How many more replicas the static parts of quotas let onto each cluster that they name."""
        namespace, request = workload.resource.namespace, dict(flavour_of(workload.shape).request)
        return replicas_within(self._quotas, namespace, request, self._taken.of(namespace))


def _added(federation: Federation, workload: Workload, wanted: int) -> tuple[dict[str, int], str]:
    """New replicas by cluster, all of which have room; nothing, if the policy finds no such places, and why not."""
    full: dict[str, str] = {}
    while True:
        placements = place(federation, [workload])
        if not placements.placed[0]:
            of_room = full or set(placements.failures[0].tolist()) <= {Failure.ROOM, Failure.NOT_TRIED}
            no_room = f"{NO_ROOM} within quotas" if workload.room_limit else NO_ROOM
            return {}, no_room if of_room else placements.reason(0)
        added, room = placements.added[0], placements.batch.room_of(np.zeros(1, np.intp))[0]
        over = np.flatnonzero(added > room)
        if not len(over):
            return {federation.names[column]: int(added[column]) for column in np.flatnonzero(added > 0).tolist()}, ""
        full |= {federation.names[column]: "has no room" for column in over.tolist()}
        full |= {federation.names[column]: "has no weight" for column in _unnamed(placements, over)}
        if workload.rules.strategy is not Strategy.DUPLICATED:
            # Only the new ones are divided again: what stays would count as moved, once its cluster is taken out.
            workload = replace(workload, replicas=wanted, scheduled={})
        workload = replace(workload, barred={**full, **workload.barred})


def _unnamed(placements: Placements, full: NDArray[np.intp]) -> list[int]:
    """Columns without a static weight, if those that are full have some: else nobody is named, and all are equal."""
    batch = placements.batch
    if batch.workloads[0].rules.strategy is not Strategy.STATIC_WEIGHT:
        return []
    weights = batch.footings.weights()[batch.weights_row[0]]
    unnamed: list[int] = np.flatnonzero(weights == 0).tolist()
    return unnamed if weights[full].any() else []
