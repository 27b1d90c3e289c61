"""Endpoints for a batch of requests whose clusters are known, by the balancer of each cluster.

Every balancer but least request knows its endpoint without looking at how busy anybody is.  Its requests take part in the
order all the same, as requests with no choice, since those of least request that come later see them.
"""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.balancing import round_robin
from skyedge.layers.mesh.batches import less_busy, less_busy_by_weight
from skyedge.layers.mesh.compiled import RequestKeys
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.hash_tables import MAGLEV_SIZE, MINIMUM_RING_SIZE, hash_ring, maglev_table
from skyedge.layers.mesh.hashed_keys import HashedKeys
from skyedge.layers.mesh.objects import HASHING, Balancer, Caller, LoadBalancing, MeshEndpoint
from skyedge.layers.mesh.pools import ANY_LOCALITY, Cluster, Groups, Pool, grouped, pools
from skyedge.layers.mesh.rows import Indices, Rows, chosen, grown, reaches

LEAST_REQUEST, ROUND_ROBIN, AT_RANDOM, HASHED = range(4)
KINDS = {
    Balancer.LEAST_REQUEST: LEAST_REQUEST,
    Balancer.ROUND_ROBIN: ROUND_ROBIN,
    Balancer.RANDOM: AT_RANDOM,
    Balancer.PASSTHROUGH: AT_RANDOM,
    Balancer.RING_HASH: HASHED,
    Balancer.MAGLEV: HASHED,
}
THOUSANDTHS = 1000
LONGEST_CIRCLE = 1 << 16
"""So many turns round robin goes at most before it starts again."""

NOBODY = -1

NO_POOL = Pool(1.0, np.empty(0, np.intp), np.empty(0), NOBODY, ANY_LOCALITY)
"""In place of pools where nobody is left to send to."""

Picked = tuple[Indices, Indices, Indices]
Draws = NDArray[np.float64]


class Picker:
    """Pools of every cluster in columns, and the balancers.

    Args:
        table: all endpoints.
        caller: whose proxy it is.
    """

    def __init__(self, table: EndpointTable, caller: Caller) -> None:
        self._table, self._caller = table, caller
        self._clusters: list[Cluster] = []
        self._groups: list[Groups] = []
        # A row for each cluster: its pools, and the endpoints of all of them one after another.
        self._pools = Rows(
            reach=np.float64, first=np.intp, size=np.intp, priority=np.intp, locality=np.intp, turn=np.int64, uneven=np.bool_
        )
        self._members = Rows(endpoint=np.intp, weight=np.float64)
        self._kind: NDArray[np.int8] = np.zeros(0, np.int8)
        self._service: Indices = np.zeros(0, np.intp)
        self._other_kinds = self._uneven = False
        self._turns: dict[int, dict[tuple[int, int], int]] = {}
        self._hashed_keys = HashedKeys(caller)
        self._hashed_pools: dict[int, list[Pool]] = {}
        self._hosts: dict[tuple[int, int], _HashTable] = {}
        self._scratch: Indices = np.zeros(0, np.intp)

    def add(self, cluster: Cluster) -> None:
        """The next cluster."""
        number = len(self._clusters)
        self._clusters.append(cluster)
        self._groups.append(grouped(cluster, self._table, self._caller))
        self._kind = grown(self._kind, number + 1)
        self._service = grown(self._service, number + 1)
        self._kind[number] = KINDS[cluster.policy.balancer]
        self._service[number] = self._table.services[cluster.host]
        self._other_kinds |= bool(self._kind[number] != LEAST_REQUEST)
        if cluster.policy.balancer in HASHING:
            self._hashed_keys.add(number, cluster.policy.load_balancing)
        self._pools.append(reach=[], first=[], size=[], priority=[], locality=[], turn=[], uneven=[])
        self._members.append(endpoint=[], weight=[])
        self.refresh(number)

    def regroup(self, number: int) -> None:
        """The endpoints of a cluster have changed."""
        self._groups[number] = grouped(self._clusters[number], self._table, self._caller)
        self.refresh(number)

    def refresh(self, number: int) -> None:
        """Who is well among the endpoints of a cluster has changed."""
        cluster = self._clusters[number]
        found = pools(cluster, self._groups[number], self._table)
        kind = int(self._kind[number])
        if kind == HASHED:
            self._hashed_pools[number] = found
            for at in range(int(self._pools.size[number]) + 1):
                self._hosts.pop((number, at), None)
        orders = [_turns(pool) if kind == ROUND_ROBIN else np.arange(pool.rows.size) for pool in found]
        sizes = [order.size for order in orders]
        uneven = [kind == LEAST_REQUEST and bool(np.ptp(pool.weights) > 0) for pool in found]
        self._uneven |= any(uneven)
        turns = self._turns_taken(number) if kind == ROUND_ROBIN else {}
        written = found or [NO_POOL]
        self._pools.put(
            number,
            reach=reaches([pool.share for pool in written]),
            first=np.concatenate([[0], np.cumsum(sizes[:-1])])[: len(written)],
            size=sizes or [0],
            priority=[pool.priority for pool in written],
            locality=[pool.locality for pool in written],
            turn=[turns.get((pool.priority, pool.locality), 0) for pool in written],
            uneven=uneven or [False],
        )
        self._members.put(
            number,
            endpoint=np.concatenate([np.empty(0, np.intp), *(p.rows[o] for p, o in zip(found, orders, strict=True))]),
            weight=np.concatenate([np.empty(0), *(p.weights[o] for p, o in zip(found, orders, strict=True))]),
        )

    def pick(self, keys: Indices, clusters: Indices, pool: Draws, pair: Draws, known: RequestKeys) -> Picked:
        """Endpoints, priorities and localities, (n,) each; -1 where there is nobody.

        Args:
            keys: (n,), requests.
            clusters: (n,); -1 for none.
            pool: (n,), draws.
            pair: (n, 2), draws.
            known: of the keys.
        """
        if clusters.size and clusters.min() < 0:
            result = np.full((3, len(keys)), NOBODY, np.intp)
            there = np.flatnonzero(clusters >= 0)
            result[:, there] = self.pick(keys[there], clusters[there], pool[there], pair[there], known)
            return result[0], result[1], result[2]
        hashes = None
        if self._other_kinds:
            hashed = np.flatnonzero(self._kind[clusters] == HASHED)
            if hashed.size:
                hashes = np.zeros(len(keys), np.uint64)
                hashes[hashed] = self._hashed_keys.hashes(keys[hashed], clusters[hashed], pair[hashed, 0], known)
                pool = pool.copy()  # the hash chooses the priority too, so that a key keeps to its own (Envoy)
                pool[hashed] = (hashes[hashed] % np.uint64(100)).astype(np.float64) / 100.0
        columns = self._pools.columns
        at = chosen(self._pools.start[clusters], columns["reach"], pool)
        size = columns["size"][at]
        priorities, localities = columns["priority"][at], columns["locality"][at]
        if size.size and size.min() > 0:
            return self._choose(clusters, at, size, pair, hashes), priorities, localities
        endpoints = np.full(len(keys), NOBODY, np.intp)
        some = np.flatnonzero(size)
        if some.size:
            hashes = None if hashes is None else hashes[some]
            endpoints[some] = self._choose(clusters[some], at[some], size[some], pair[some], hashes)
        return endpoints, priorities, localities

    def _choose(
        self, clusters: Indices, at: Indices, size: Indices, pair: Draws, hashes: NDArray[np.uint64] | None
    ) -> Indices:
        active = self._table.active
        base = self._members.start[clusters] + self._pools.columns["first"][at]
        places = (pair * size[:, None]).astype(np.intp)
        np.minimum(places, size[:, None] - 1, out=places)
        places += base[:, None]
        pairs = self._members.columns["endpoint"][places]
        kind = self._kind[clusters] if self._other_kinds else None
        if kind is not None:
            self._decide_without_looking(kind, clusters, at, size, base, pairs, hashes)
            if not (kind == LEAST_REQUEST).any():
                np.add.at(active, pairs[:, 0], 1)
                return pairs[:, 0].copy()
        self._scratch = grown(self._scratch, active.size)
        uneven = self._pools.columns["uneven"][at] if self._uneven else np.zeros(0, np.bool_)
        if not uneven.any():
            return less_busy(pairs, active, self._scratch)
        # Endpoints belong to one service, so that services with unequal weights can go their own, slower way.
        service = self._service[clusters]
        slower = np.isin(service, service[uneven])
        result = np.empty(len(clusters), np.intp)
        result[~slower] = less_busy(pairs[~slower], active, self._scratch)
        result[slower] = less_busy_by_weight(
            service[slower],
            np.where(uneven, size, 0)[slower],
            base[slower],
            self._members.columns["endpoint"],
            self._members.columns["weight"],
            pairs[slower],
            pair[slower, 0],
            active,
        )
        return result

    def _decide_without_looking(
        self,
        kind: NDArray[np.int8],
        clusters: Indices,
        at: Indices,
        size: Indices,
        base: Indices,
        pairs: Indices,
        hashes: NDArray[np.uint64] | None,
    ) -> None:
        drawn = kind == AT_RANDOM
        pairs[drawn, 1] = pairs[drawn, 0]
        circle = np.flatnonzero(kind == ROUND_ROBIN)
        if circle.size:
            turns = self._take_turns(at[circle]) % size[circle]
            pairs[circle] = self._members.columns["endpoint"][base[circle] + turns][:, None]
        if hashes is not None:
            hashed = np.flatnonzero(kind == HASHED)
            for pool in np.unique(at[hashed]).tolist():
                mine = hashed[at[hashed] == pool]
                cluster = int(clusters[mine[0]])
                table = self._hash_table(cluster, pool - int(self._pools.start[cluster]))
                pairs[mine] = table.endpoints(hashes[mine])[:, None]

    def _take_turns(self, at: Indices) -> NDArray[np.int64]:
        order = np.argsort(at, kind="stable")
        found, starts, counts = np.unique(at[order], return_index=True, return_counts=True)
        rank = np.empty(at.size, np.int64)
        rank[order] = np.arange(at.size) - np.repeat(starts, counts)
        turn = self._pools.columns["turn"]
        turns: NDArray[np.int64] = turn[at] + rank
        turn[found] += counts
        return turns

    def _turns_taken(self, number: int) -> dict[tuple[int, int], int]:
        # The circle goes on where it was, even in a pool that was away for a while: else the first would get more.
        taken = self._turns.setdefault(number, {})
        columns = (self._pools.row(number, name).tolist() for name in ("priority", "locality", "turn"))
        taken.update(((priority, locality), turn) for priority, locality, turn in zip(*columns, strict=True))
        return taken

    def _hash_table(self, cluster: int, at: int) -> _HashTable:
        if (cluster, at) not in self._hosts:
            pool = self._hashed_pools[cluster][at]
            members = [self._table.endpoints[row] for row in pool.rows.tolist()]
            names = [hash_name(endpoint) for endpoint in members if endpoint is not None]
            self._hosts[cluster, at] = _HashTable(self._clusters[cluster].policy.load_balancing, names, pool)
        return self._hosts[cluster, at]


class _HashTable:
    """The ring or Maglev table of one pool."""

    def __init__(self, said: LoadBalancing | None, names: list[str], pool: Pool) -> None:
        self._rows = pool.rows
        sizes = said.hashing if said is not None else LoadBalancing().hashing
        weights = pool.weights.tolist()
        if said is not None and said.balancer is Balancer.MAGLEV:
            self._ring, self._slots = None, maglev_table(names, weights, sizes.table_size or MAGLEV_SIZE)
        else:
            least = sizes.ring_size or sizes.minimum_ring_size or MINIMUM_RING_SIZE
            self._ring = hash_ring(names, weights, least)

    def endpoints(self, hashes: NDArray[np.uint64]) -> Indices:
        """The number of the endpoint that each hash belongs to."""
        if self._ring is not None:
            return self._rows[self._ring.hosts_of(hashes)]
        return self._rows[self._slots[(hashes % np.uint64(self._slots.size)).astype(np.intp)]]


def hash_name(endpoint: MeshEndpoint) -> str:
    """What an endpoint is hashed by: its address, with its port if it has one of its own."""
    return f"{endpoint.address}:{endpoint.port}" if endpoint.port else endpoint.address


def _turns(pool: Pool) -> Indices:
    """The circle of round robin: who comes when, once around.

    Weights that are no whole numbers, or whose circle would be too long, count in thousandths of the greatest.
    """
    if np.ptp(pool.weights) == 0:
        return np.arange(pool.rows.size)
    parts = [int(weight) for weight in pool.weights.tolist()]
    if parts != pool.weights.tolist() or sum(parts) // gcd(*parts) > LONGEST_CIRCLE:
        parts = np.maximum(1, np.rint(pool.weights / pool.weights.max() * THOUSANDTHS)).astype(int).tolist()
    return round_robin(parts, sum(parts) // gcd(*parts))
