"""What one proxy sees of one cluster, and which endpoint its next request gets.

The proxy keeps, for itself alone, who is ejected and how many of its own requests each endpoint has in hand.  Ejections and
health decide which pools of endpoints there are (:mod:`~skyedge.layers.mesh.pools`); that is worked out again at every
change and looked up at every request.  Sweeps of outlier detection fall on a grid of time; those that are due are made up
for before anything is asked.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Sequence
from copy import copy
from itertools import accumulate

import numpy as np

from skyedge.layers.mesh.balancing import ACTIVE_REQUEST_BIAS
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.hash_tables import MAGLEV_SIZE, MINIMUM_RING_SIZE, hash_ring, maglev_table
from skyedge.layers.mesh.objects import HASHING, USUAL_TABLES, Balancer, Caller, TrafficPolicy
from skyedge.layers.mesh.outlier import OutlierConfig, OutlierDetector
from skyedge.layers.mesh.picking import hash_name
from skyedge.layers.mesh.pools import Cluster, Pool, grouped, pools
from skyedge.layers.mesh.retries import RetryPolicy
from skyedge.layers.mesh.traffic.slow_start import grown_weight

NOWHERE_SHUT: frozenset[int] = frozenset()
TRIES_A_PRIORITY = 2
"""After so many tries their priorities are left (Istio's ``update_frequency`` for Envoy's previous priorities)."""


class ClusterView:
    """The endpoints of a cluster as one proxy sees them.

    Args:
        cluster: service, subset and policy.
        table: endpoints of the service; its ejections are not touched.
        caller: whose proxy it is.
        started_us: when each endpoint of the table came up, for a balancer that warms up.

    Attributes:
        rows: numbers of the cluster's endpoints in the table.
        active: requests of this proxy that each endpoint of the table has in hand.
        changes: endpoints that were ejected or came back: time in µs, number, whether it went out.
        in_panic: whether a priority sends to the unhealthy too.
    """

    def __init__(self, cluster: Cluster, table: EndpointTable, caller: Caller, started_us: Sequence[int] = ()) -> None:
        self.active = [0] * len(table.endpoints)
        self.changes: list[tuple[int, int, bool]] = []
        self.in_panic = False
        self._cluster = cluster
        self._caller = caller
        self._table = copy(table)
        self._table.ejected = np.zeros_like(table.ejected)
        self._started_us = started_us
        self._gone: set[int] = set()
        self._priority: dict[int, int] = {}
        self._regroup()
        config = cluster.policy.outlier_config
        self._detector = OutlierDetector([str(row) for row in self.rows], config) if config is not None else None
        self._config = config or OutlierConfig()
        self._out: frozenset[int] = frozenset()
        self._soiled: set[int] = set()
        self._ever_out = False
        self._next_sweep_us = self._config.interval_ms * 1000
        self._choices: list[Choice] = []
        self._reach: list[float] = []
        self._others: dict[frozenset[int], tuple[list[Choice], list[float]]] = {}
        self._rebuild()

    @property
    def ejected(self) -> frozenset[int]:
        """Numbers of endpoints that are out."""
        return self._out

    def choose(
        self, draw: Callable[[], float], now_us: int, hashed: int | None = None, shut: frozenset[int] = NOWHERE_SHUT
    ) -> int | None:
        """The number of the endpoint for one request; None if no healthy one is left.

        Args:
            draw: gives the next number from [0, 1).
            now_us: times must not go back.
            hashed: of what the request is hashed by, None if it has none.
            shut: priorities that it should not go to, unless nobody else is well.
        """
        if self._ever_out and now_us >= self._next_sweep_us:
            self.catch_up(now_us)
        choices, reach = self._elsewhere(shut) if shut else (self._choices, self._reach)
        if not choices:
            return None
        at = 0
        if len(choices) > 1:
            at = min(bisect_right(reach, draw() * reach[-1]), len(choices) - 1)
        return choices[at].choose(draw, now_us, hashed)

    def choose_another(
        self, draw: Callable[[], float], now_us: int, hashed: int | None, tried: Sequence[int], policy: RetryPolicy
    ) -> int | None:
        """As :meth:`choose`, for a retry.

        Where the policy says so: drawing again, up to a few times, while one comes out that was tried before; and leaving
        the priorities that were tried, at every second try (``retryRemoteLocalities``).
        """
        shut = NOWHERE_SHUT
        if policy.other_priorities:
            counted = len(tried) // TRIES_A_PRIORITY * TRIES_A_PRIORITY
            shut = frozenset(self._priority[one] for one in tried[:counted])
        chosen = self.choose(draw, now_us, hashed, shut)
        for _ in range(policy.host_selection_attempts if policy.avoid_previous_hosts else 0):
            if chosen not in tried:
                break
            chosen = self.choose(draw, now_us, hashed, shut)
        return chosen

    def answered(self, endpoint: int, status: int, now_us: int) -> None:
        """Take note of how an endpoint answered; what gave no answer counts as a gateway's error."""
        if self._detector is None or (status < 500 and endpoint not in self._soiled) or endpoint in self._gone:
            return
        self.catch_up(now_us)
        self._detector.observe(str(endpoint), status, now_us / 1000)
        if status < 500:
            self._soiled.discard(endpoint)
            return
        self._soiled.add(endpoint)
        self._note_changes(now_us)

    def catch_up(self, now_us: int) -> None:
        """Make the sweeps that were due up to now."""
        if self._detector is None or now_us < self._next_sweep_us:
            return
        interval_us = self._config.interval_ms * 1000
        if not self._ever_out:  # nobody to let in and nothing to forgive
            self._next_sweep_us = (now_us // interval_us + 1) * interval_us
            return
        while self._next_sweep_us <= now_us:
            self._detector.sweep(self._next_sweep_us / 1000)
            self._note_changes(self._next_sweep_us)
            self._next_sweep_us += interval_us

    def forget(self, endpoint: int, now_us: int) -> None:
        """The proxy is told that an endpoint is gone; what it knows of others stays (Envoy)."""
        if endpoint not in self.rows:
            return
        self.catch_up(now_us)
        self._table.endpoints = [None if row == endpoint else one for row, one in enumerate(self._table.endpoints)]
        self._gone.add(endpoint)
        if self._detector is not None:
            self._detector.forget(str(endpoint))
        if endpoint in self._out:
            self._out -= {endpoint}
            self.changes.append((now_us, endpoint, False))
        self._regroup()
        self._rebuild()

    def _regroup(self) -> None:
        """Work out by priority and locality who is there; priorities of those who are gone stay, for requests that tried."""
        self._groups = grouped(self._cluster, self._table, self._caller)
        self.rows: list[int] = self._groups.rows.tolist()
        sizes = np.diff(self._groups.starts)
        self._priority |= zip(self.rows, np.repeat(self._groups.priorities, sizes).tolist(), strict=True)

    def _note_changes(self, at_us: int) -> None:
        assert self._detector is not None
        names = self._detector.ejected
        if len(names) == len(self._out) and (not names or frozenset(map(int, names)) == self._out):
            return
        out = frozenset(map(int, names))
        self._ever_out = True
        self.changes += [(at_us, endpoint, endpoint in out) for endpoint in sorted(out ^ self._out)]
        self._soiled -= self._out - out
        self._out = out
        self._rebuild()

    def _rebuild(self) -> None:
        """Work out again who is chosen from, and how often."""
        self._others.clear()
        found = self._pools(NOWHERE_SHUT)
        self.in_panic = any(pool.in_panic for pool in found)
        self._choices, self._reach = self._choices_of(found)

    def _elsewhere(self, shut: frozenset[int]) -> tuple[list[Choice], list[float]]:
        if shut not in self._others:
            found = self._pools(shut)
            self._others[shut] = self._choices_of(found) if found else (self._choices, self._reach)
        return self._others[shut]

    def _pools(self, shut: frozenset[int]) -> list[Pool]:
        out = self._out | {row for row in self.rows if self._priority[row] in shut}
        self._table.ejected[:] = False
        self._table.ejected[sorted(out)] = True
        return pools(self._cluster, self._groups, self._table)

    def _choices_of(self, found: Sequence[Pool]) -> tuple[list[Choice], list[float]]:
        choices = [
            Choice(
                pool.rows.tolist(),
                pool.weights.tolist(),
                [hash_name(one) for row in pool.rows.tolist() if (one := self._table.endpoints[row]) is not None],
                self.active,
                self._cluster.policy,
                self._started_us,
            )
            for pool in found
        ]
        return choices, list(accumulate(pool.share for pool in found))


class Choice:
    """One of equally good endpoints, by the balancer of the policy: one at a time and quick.

    What it chooses is what :mod:`~skyedge.layers.mesh.balancing` and :mod:`~skyedge.layers.mesh.hash_tables` say.

    Args:
        members: numbers of endpoints.
        weights: of each.
        keys: by which each is hashed.
        active: requests in hand, by number; read at every choice.
        policy: its balancer.
        started_us: when each came up, by number.
    """

    def __init__(
        self,
        members: Sequence[int],
        weights: Sequence[float],
        keys: Sequence[str],
        active: Sequence[int],
        policy: TrafficPolicy,
        started_us: Sequence[int] = (),
    ) -> None:
        self._members = members
        self._count = len(members)
        self._own = weights
        self._equal = len(set(weights)) == 1
        self._active = active
        self._keys = keys
        self._balancer = policy.balancer
        if self._balancer in HASHING and (policy.load_balancing is None or policy.load_balancing.hash_key is None):
            self._balancer = Balancer.RANDOM
        self._sizes = policy.load_balancing.hashing if policy.load_balancing is not None else USUAL_TABLES
        self._turns: list[tuple[float, int, int]] = []
        self._table: Callable[[int], int] | None = None
        self._warmup = policy.warmup
        self._since_us = [started_us[one] for one in members] if started_us else []
        self._warm_from_us = -1
        if self._warmup is not None and self._since_us:
            self._warm_from_us = max(self._since_us) + round(self._warmup.duration_s * 1e6)

    def choose(self, draw: Callable[[], float], now_us: int, hashed: int | None) -> int:
        """The number of an endpoint."""
        if self._count == 1:
            return self._members[0]
        balancer = self._balancer
        if balancer is Balancer.LEAST_REQUEST:
            if self._equal and now_us >= self._warm_from_us:
                one = self._members[int(draw() * self._count)]
                other = self._members[int(draw() * self._count)]
                return other if self._active[other] < self._active[one] else one
            pairs = zip(self._grown(now_us), self._members, strict=True)
            busy = [weight / (self._active[one] + 1.0) ** ACTIVE_REQUEST_BIAS for weight, one in pairs]
            return self._by_share(busy, draw())
        if balancer is Balancer.ROUND_ROBIN:
            return self._by_share(self._grown(now_us), draw()) if now_us < self._warm_from_us else self._in_turn()
        if balancer in HASHING:
            if self._table is None:
                self._table = self._hash_table()
            return self._members[self._table(int(draw() * 2**53) << 11 if hashed is None else hashed)]
        return self._members[int(draw() * self._count)]

    def _by_share(self, weights: Sequence[float], drawn: float) -> int:
        reach = list(accumulate(weights))
        return self._members[min(bisect_right(reach, drawn * reach[-1]), self._count - 1)]

    def _in_turn(self) -> int:
        if not self._turns:
            self._turns = [(1.0 / weight, at, 1) for at, weight in enumerate(self._own) if weight > 0]
            heapq.heapify(self._turns)
        _, at, served = self._turns[0]
        heapq.heapreplace(self._turns, ((served + 1) / self._own[at], at, served + 1))
        return self._members[at]

    def _grown(self, now_us: int) -> Sequence[float]:
        if self._warmup is None or now_us >= self._warm_from_us:
            return self._own
        return [
            grown_weight(weight, (now_us - since) / 1e6, self._warmup)
            for weight, since in zip(self._own, self._since_us, strict=True)
        ]

    def _hash_table(self) -> Callable[[int], int]:
        if self._balancer is Balancer.MAGLEV:
            table = maglev_table(self._keys, self._own, self._sizes.table_size or MAGLEV_SIZE)
            return lambda hashed: int(table[hashed % table.size])
        least = self._sizes.ring_size or self._sizes.minimum_ring_size or MINIMUM_RING_SIZE
        return hash_ring(self._keys, self._own, least).host
