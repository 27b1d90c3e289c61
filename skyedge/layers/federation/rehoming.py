"""New homes by the rules of a workload's own placement policy, in the room that earlier moves have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.failover_events import Counts, Home, Rows
from skyedge.layers.federation.objects import Cluster, NodePool, Workload
from skyedge.layers.federation.placing import place
from skyedge.layers.federation.remaining import taken
from skyedge.layers.federation.room import flavour_of


class PolicyHomes:
    """Asks the placement for homes, move after move; see :class:`skyedge.layers.federation.failover_events.Homes`.

    Args:
        clusters: with what is free beside what runs.
        workloads: all that run.
        running: replicas by name of the cluster, of each workload.
    """

    def __init__(
        self, clusters: Sequence[Cluster], workloads: Sequence[Workload], running: Sequence[Mapping[str, int]]
    ) -> None:
        self._federation = Federation.of(clusters)
        self._workloads = workloads
        self._running = [dict(share) for share in running]
        self._number = {name: place for place, name in enumerate(self._federation.names)}

    def find(self, workload: Rows, replicas: Counts, closed: NDArray[np.bool_], whole: bool) -> Sequence[Sequence[Home]]:
        """Homes for one move after the other; each takes its room before the next is looked at."""
        found = []
        for number, wanted in zip(workload.tolist(), replicas.tolist(), strict=True):
            homes = self._homes(number, wanted, closed, whole)
            for cluster, count in homes:
                self._take(number, cluster, count)
            found.append(homes)
        return found

    def give_back(self, workload: int, cluster: int, replicas: int) -> None:
        """What a replica had is free again, as a place for just such a one."""
        name = self._federation.names[cluster]
        left = self._running[workload].get(name, 0) - replicas
        self._running[workload][name] = max(0, left)
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
        share = self._running[workload]
        share[member.name] = share.get(member.name, 0) + replicas

    def _homes(self, workload: int, wanted: int, closed: NDArray[np.bool_], whole: bool) -> list[Home]:
        """All of them, or, unless ``whole``, as many as there is room for (found by halving)."""
        homes = self._asked(workload, wanted, closed)
        if whole or sum(count for _, count in homes) == wanted:
            return homes if sum(count for _, count in homes) == wanted else []
        fits, too_many = 0, wanted
        best = homes
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            tried = self._asked(workload, middle, closed)
            if sum(count for _, count in tried) == middle:
                fits, best = middle, tried
            else:
                too_many = middle
        return best

    def _asked(self, workload: int, wanted: int, closed: NDArray[np.bool_]) -> list[Home]:
        """Where the placement puts so many replicas beside those that stay."""
        share = self._running[workload]
        stays = {name: count for name, count in share.items() if count and not closed[self._number[name]]}
        left = frozenset(name for name, count in share.items() if count and closed[self._number[name]])
        spec = self._workloads[workload]
        total = sum(stays.values()) + wanted
        asks = replace(spec, scheduled=stays, evicting=left, replicas=total, fresh=False)
        open_only = Federation(
            [
                replace(cluster, ready=False) if shut else cluster
                for cluster, shut in zip(self._federation.clusters, closed.tolist(), strict=True)
            ],
            self._federation.nodes,
        )
        placements = place(open_only, [asks])
        homes: list[Home] = []
        for name, count in sorted(placements.of(0).items()) if placements.placed[0] else ():
            more = min(count - stays.get(name, 0), wanted)
            if more > 0 and not closed[self._number[name]]:
                homes.append((self._number[name], more))
                wanted -= more
        return homes
