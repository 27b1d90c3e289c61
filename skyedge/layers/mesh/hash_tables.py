"""Consistent hashing: which host a key belongs to, so that few keys move when a host comes or goes.

A ring puts every host at several points and a key goes to the next point (Karger et al., 1997); a Maglev table lets hosts
take slots in turns, each in an order of its own (Eisenbud et al., 2016).  Both as Envoy builds them.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.mesh.hashing import xxhash64
from skyedge.layers.mesh.weights import shares

MAGLEV_SIZE = 65537
MINIMUM_RING_SIZE = 1024
MAXIMUM_RING_SIZE = 8 * 1024 * 1024


@dataclass(frozen=True)
class HashRing:
    """Points of hosts on a circle of 2**64.

    Attributes:
        points: (size,) uint64, ascending.
        hosts: (size,), the host at each point.
        points_per_host: (hosts,).
    """

    points: NDArray[np.uint64]
    hosts: NDArray[np.intp]
    points_per_host: NDArray[np.intp]

    def host(self, hashed: int) -> int:
        """The host of the first point at or after a hash, around the circle."""
        return int(self.hosts_of(np.array([hashed], np.uint64))[0])

    def hosts_of(self, hashed: NDArray[np.uint64]) -> NDArray[np.intp]:
        """The host for each hash, in its shape."""
        hosts: NDArray[np.intp] = self.hosts[np.searchsorted(self.points, hashed, side="left") % self.points.size]
        return hosts


def hash_ring(
    keys: Sequence[str],
    weights: Sequence[float],
    minimum_size: int = MINIMUM_RING_SIZE,
    maximum_size: int = MAXIMUM_RING_SIZE,
) -> HashRing:
    """A ring with points in proportion to weights, a whole number of them for the lightest host.

    Args:
        keys: what each host is hashed by; its point ``i`` is the hash of ``<key>_<i>``.
        weights: of each host.

    Raises:
        InputError: if the minimum is above the maximum, or as :func:`~skyedge.layers.mesh.weights.shares`.
    """
    check_ring_sizes(minimum_size, maximum_size)
    share = shares(weights)
    lightest = float(share[share > 0].min())
    scale = min(math.ceil(lightest * minimum_size) / lightest, float(maximum_size))
    points: list[tuple[int, str, int]] = []
    wanted = 0.0
    per_host = np.zeros(len(keys), np.intp)
    for host in np.argsort(np.array(keys, object), kind="stable").tolist():
        wanted += scale * float(share[host])
        while len(points) < wanted - 1e-9:  # sums of shares are off by some ulps, and that must not be a point
            key = f"{keys[host]}_{per_host[host]}"
            points.append((xxhash64(key), keys[host], host))
            per_host[host] += 1
    points.sort()
    return HashRing(
        np.array([point for point, _, _ in points], np.uint64),
        np.array([host for _, _, host in points], np.intp),
        per_host,
    )


def check_ring_sizes(minimum_size: int, maximum_size: int = MAXIMUM_RING_SIZE) -> None:
    """Refuse bounds that no ring can keep.

    Raises:
        InputError: if the minimum is above the maximum, or no point is allowed.
    """
    if minimum_size > maximum_size:
        raise InputError(f"the minimum ring size {minimum_size} is above the maximum {maximum_size}")
    if maximum_size < 1:
        raise InputError("a ring needs room for at least one point")


def check_table_size(size: int) -> None:
    """Refuse a Maglev table whose size is not prime: steps through it would not reach every slot.

    Raises:
        InputError: if it is not prime.
    """
    if size < 2 or any(size % factor == 0 for factor in range(2, math.isqrt(size) + 1)):
        raise InputError(f"the size of a Maglev table must be prime, and {size} is not")


def maglev_table(keys: Sequence[str], weights: Sequence[float], size: int = MAGLEV_SIZE) -> NDArray[np.intp]:
    """The host of each slot, (size,); a hash belongs to slot ``hash % size``.

    Hosts take turns in the order of their keys; one of half the greatest weight takes every other turn.

    Raises:
        InputError: if the size is not prime, or as :func:`~skyedge.layers.mesh.weights.shares`.
    """
    check_table_size(size)
    share = shares(weights)
    order = [host for host in sorted(range(len(keys)), key=lambda host: (keys[host], host)) if share[host] > 0]
    place = {host: xxhash64(keys[host]) % size for host in order}
    skip = {host: xxhash64(keys[host], 1) % (size - 1) + 1 for host in order}
    table = [-1] * size
    for host in islice(_takers(order, share.tolist()), size):
        slot = place[host]
        while table[slot] >= 0:
            slot = (slot + skip[host]) % size
        table[slot] = host
        place[host] = (slot + skip[host]) % size
    return np.array(table, np.intp)


def _takers(order: Sequence[int], share: Sequence[float]) -> Iterator[int]:
    """Who takes a slot next, without end."""
    heaviest = max(share)
    if all(share[host] == heaviest for host in order):
        yield from cycle(order)
    # By their next turn: with one far heavier than the rest most turns are its alone, and are not gone through.
    turns = [(1, rank, heaviest) for rank in range(len(order))]
    while True:
        turn, rank, earned = turns[0]
        yield order[rank]
        heapq.heapreplace(turns, (_turn_after(turn, earned, share[order[rank]]), rank, earned + heaviest))


def _turn_after(turn: int, earned: float, share: float) -> int:
    """The first turn after ``turn`` by which a host of this share has earned so much."""
    later = max(turn + 1, int(earned / share))
    while later * share < earned:
        later += 1
    return later
