"""Data that moves with its application: what a new home lacks, from where it comes, how long that takes, what is lost.

A data set has one copy that is written to and perhaps others that lag behind it.  When clusters die, the freshest copy that
is left is what there is: what was written since is lost, and how far back it lies is the *recovery point*.  A new home
needs the bytes that it does not have, over links between regions.  Transfers over one link go one after the other, in the
order in which they were asked for (Lindley 1952): no byte is later than if they shared it, and most are sooner.

Placement asks the same beforehand: :func:`seconds_to_bring` for scores, as times, and :func:`bytes_there` for
``Workload.data_bytes``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.ledger import Link, Row, TrafficClass

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DataSets:
    """Data sets and their copies, columns.

    Attributes:
        size_bytes: of each data set, (sets,).
        change_bytes_per_s: how much of it is written anew, (sets,).
        of_copy: whose copy each is, (copies,), ascending.
        cluster: where it is, (copies,).
        lag_s: how far it is behind the one that is written to, (copies,); 0 for that one.
    """

    size_bytes: Floats
    change_bytes_per_s: Floats
    of_copy: Rows
    cluster: Rows
    lag_s: Floats

    def __post_init__(self) -> None:
        if (np.diff(self.of_copy) < 0).any():
            raise InputError("copies of data sets must be given in the order of their data sets")
        if min(self.size_bytes.min(initial=0), self.change_bytes_per_s.min(initial=0), self.lag_s.min(initial=0)) < 0:
            raise InputError("a data set cannot have a size, a rate of change or a lag of less than 0")

    def copies_of(self, data_set: Rows) -> tuple[Rows, Rows]:
        """All copies of each of these data sets: the number of the question and that of the copy, (pairs,)."""
        first = np.searchsorted(self.of_copy, data_set)
        count = np.searchsorted(self.of_copy, data_set, side="right") - first
        question = np.repeat(np.arange(len(data_set)), count)
        rank = np.arange(len(question)) - np.repeat(np.cumsum(count) - count, count)
        return question, first[question] + rank

    def behind_bytes(self, data_set: Rows, lag_s: Floats) -> Floats:
        """What is written in so many seconds: no more than all of it."""
        with np.errstate(invalid="ignore"):
            written = np.nan_to_num(self.change_bytes_per_s[data_set] * lag_s, nan=0.0, posinf=np.inf)
        return np.minimum(self.size_bytes[data_set], written)


@dataclass(frozen=True, eq=False)
class Network:
    """Links between the regions of clusters.

    Attributes:
        region: of each cluster, (clusters,).
        bytes_per_s: from region to region, (regions, regions); within a region on its diagonal.
        delay_s: one way, the same shape.
        hops: links on the way, the same shape.
    """

    region: Rows
    bytes_per_s: Floats
    delay_s: Floats
    hops: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not (self.bytes_per_s > 0).all():
            raise InputError("every link between regions needs a rate of more than 0 bytes/s")

    def alone_s(self, source: Rows, target: Rows, size_bytes: Floats) -> Floats:
        """How long so many bytes take between clusters if nothing else is on the link."""
        link = self.region[source], self.region[target]
        return np.where(size_bytes > 0, self.delay_s[link] + size_bytes / self.bytes_per_s[link], 0.0)


@dataclass(frozen=True, eq=False)
class Transfers:
    """What is to move, columns of one length.

    Attributes:
        data_set, target: what, to which cluster.
        source: from which; -1 if there is no copy left, or nothing to move.
        size_bytes: how much.
        hops: links on its way.
        recovery_point_s: how far back the data that there still is lies; infinite if there is none.
        lost_bytes: written and in no copy that is left.
    """

    data_set: Rows
    target: Rows
    source: Rows
    size_bytes: Floats
    hops: NDArray[np.int64]
    recovery_point_s: Floats
    lost_bytes: Floats

    @property
    def data_lost(self) -> Flags:
        """Whether no copy at all is left."""
        return np.isinf(self.recovery_point_s)

    @property
    def byte_hops(self) -> float:
        """Bytes times links, of all together."""
        return float((self.size_bytes * self.hops).sum())

    def ledger_rows(self, cluster_names: list[str], traffic: TrafficClass = "model") -> Iterator[Row]:
        """What a ledger should be told, once all is there: ``ledger.post(*row)`` for each row."""
        for row in np.flatnonzero(self.size_bytes > 0).tolist():
            names = cluster_names[self.source[row]], cluster_names[self.target[row]]
            link = Link(*names, "terrestrial", traffic, int(self.hops[row]))
            size_bytes = math.ceil(self.size_bytes[row])
            yield Row(link, "offered", size_bytes, 1)
            yield Row(link, "delivered", size_bytes, 1)


def plan_transfers(sets: DataSets, network: Network, alive: Flags, data_set: Rows, target: Rows) -> Transfers:
    """What each target needs to have the freshest data that there is.

    It comes from the freshest copy that is left, of equally fresh ones from the quickest, then the first cluster.

    Args:
        sets: data sets and their copies.
        network: links.
        alive: clusters whose copies can be read, (clusters,).
        data_set: what is wanted, (transfers,).
        target: at which cluster, (transfers,).
    """
    count = len(data_set)
    question, copy = sets.copies_of(data_set)
    usable = alive[sets.cluster[copy]]
    question, copy = question[usable], copy[usable]
    freshest_s = np.full(count, np.inf)
    np.minimum.at(freshest_s, question, sets.lag_s[copy])
    there_s = np.full(count, np.inf)  # how far behind what the target itself has is
    own = sets.cluster[copy] == target[question]
    np.minimum.at(there_s, question[own], sets.lag_s[copy[own]])
    with np.errstate(invalid="ignore"):
        behind_s = there_s - freshest_s
    needed = np.where(np.isfinite(there_s), sets.behind_bytes(data_set, behind_s), sets.size_bytes[data_set])
    needed = np.where(np.isfinite(freshest_s), needed, 0.0)
    source = np.full(count, -1, np.intp)
    candidate = sets.lag_s[copy] == freshest_s[question]
    question, copy = question[candidate], copy[candidate]
    order = np.lexsort(
        (sets.cluster[copy], network.alone_s(sets.cluster[copy], target[question], needed[question]), question)
    )
    first = order[np.flatnonzero(np.diff(question[order], prepend=-1))]
    source[question[first]] = sets.cluster[copy[first]]
    source[needed == 0] = -1
    moving = source >= 0
    hops = np.where(moving, network.hops[network.region[source], network.region[target]], 0)
    lost = np.where(np.isfinite(freshest_s), sets.behind_bytes(data_set, freshest_s), sets.size_bytes[data_set])
    return Transfers(data_set, target, source, needed, hops, freshest_s, lost)


class LinkQueues:
    """Links that carry one transfer after the other, and remember until when they are busy."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._busy_until_s = np.full(network.bytes_per_s.shape, -np.inf)

    def send(self, at_s: float, transfers: Transfers) -> Floats:
        """When each transfer has arrived; one of nothing is there at once, one without a source never.

        Args:
            at_s: when all of them are asked for, not before the transfers of an earlier call.
            transfers: in the order in which a link takes them.
        """
        network = self._network
        arrived_s = np.where(transfers.data_lost, np.inf, at_s)
        moving = np.flatnonzero(transfers.source >= 0)
        start, end = network.region[transfers.source[moving]], network.region[transfers.target[moving]]
        link = start * len(network.hops) + end
        order = np.argsort(link, kind="stable")
        moving, start, end, link = moving[order], start[order], end[order], link[order]
        takes_s = transfers.size_bytes[moving] / network.bytes_per_s[start, end]
        ahead_s = np.cumsum(takes_s)
        first = np.flatnonzero(np.diff(link, prepend=-1))
        before_s = np.repeat(ahead_s[first] - takes_s[first], np.diff(first, append=len(link)))
        done_s = np.maximum(at_s, self._busy_until_s[start, end]) + ahead_s - before_s
        self._busy_until_s[start, end] = done_s  # the last of each link stays
        arrived_s[moving] = done_s + network.delay_s[start, end]
        return arrived_s


def seconds_to_bring(sets: DataSets, network: Network, alive: Flags, data_set: Rows) -> Floats:
    """How long each cluster would wait for each data set, on empty links, (questions, clusters); infinite: it is lost."""
    # All clusters of a region that have nothing wait alike, so one that is thought of stands for them.
    clusters, regions = len(network.region), len(network.hops)
    stands_for = np.concatenate([network.region, np.arange(regions)])
    wider = replace(network, region=stands_for)
    can_read = np.concatenate([alive, np.zeros(regions, bool)])
    asked, target = np.repeat(data_set, regions), np.tile(np.arange(clusters, clusters + regions), len(data_set))
    of_region = _waits_s(plan_transfers(sets, wider, can_read, asked, target), wider)
    seconds = of_region.reshape(len(data_set), regions)[:, network.region]
    question, copy = sets.copies_of(data_set)
    where = sets.cluster[copy]
    seconds[question, where] = _waits_s(plan_transfers(sets, network, alive, data_set[question], where), network)
    return seconds


def _waits_s(plan: Transfers, network: Network) -> Floats:
    alone_s = network.alone_s(np.maximum(plan.source, 0), plan.target, plan.size_bytes)
    return np.where(plan.data_lost, np.inf, np.where(plan.source >= 0, alone_s, 0.0))


def bytes_there(sets: DataSets, data_set: int, cluster_names: list[str]) -> dict[str, int]:
    """How much of a data set lies on which cluster, up to date: for ``Workload.data_bytes``."""
    _, copy = sets.copies_of(np.array([data_set]))
    fresh = sets.size_bytes[data_set] - sets.behind_bytes(np.full(len(copy), data_set), sets.lag_s[copy])
    return {cluster_names[where]: int(size) for where, size in zip(sets.cluster[copy].tolist(), fresh, strict=True)}
