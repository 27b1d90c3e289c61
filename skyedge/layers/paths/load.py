"""Traffic on a constellation: many demands at once, each on the way that costs it least beside the others.

The shortest way is the shortest for everybody, so that a few links near busy cities fill up while their neighbours idle.
Here the cost of a link is its delay and the wait in its queue.  Demands are placed in slices, class after class, each
slice on the ways that are cheapest after those before it (incremental assignment; Sheffi, "Urban Transportation
Networks", 1985, section 5.2).  Links are full duplex: the two directions of one have queues of their own.

Packets of a more urgent class go first, without cutting off one that is being sent.  With packets of exponential length
and Poisson arrivals the mean wait of class k on a link is

    W_k = s rho / ((1 - sigma_{k-1}) (1 - sigma_k)),    sigma_k the load of class k and those before it

(Cobham 1954; s the mean time to send a packet).  Loads near one would make a cost infinite that must stay comparable, so
that the wait goes on in a straight line from :data:`STEADY` on; what is offered beyond a link's rate is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyedge.errors import InputError
from skyedge.layers.paths.losses import delivered_shares
from skyedge.layers.paths.shortest import Floats, Rows
from skyedge.space.topology import Snapshot

STEADY = 0.95
"""Load of a link up to which its wait is that of the formula."""
PACKET_BITS = 12_000.0
"""1,500 bytes, Ethernet's longest payload (IEEE 802.3)."""
SLICES = 4


@dataclass(frozen=True, eq=False)
class Demands:
    """Columns of what is to be carried, one row a demand.

    Attributes:
        source: node, (demands,).
        targets: which nodes will do as its end, (demands, nodes): one, or any gateway of a region (geo-affinity).
        rate_mbps: (demands,).
        qos: its class, 0 the most urgent, (demands,).
        relays: which nodes may lie on the way, (nodes,); all if not given.  Others are ends only.
    """

    source: Rows
    targets: NDArray[np.bool_]
    rate_mbps: Floats
    qos: Rows
    relays: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.rate_mbps).all() and (self.rate_mbps >= 0).all() and (self.qos >= 0).all()):
            raise InputError("rates and classes of demands must not be negative")

    def __len__(self) -> int:
        return len(self.source)

    @property
    def classes(self) -> int:
        """How many classes there are, some of which may be empty."""
        return int(self.qos.max(initial=0)) + 1


@dataclass(frozen=True, eq=False)
class Loaded:
    """Where the demands went.

    Attributes:
        load_mbps: of each direction of each link by class, (2, links, classes): first to second, and back; whole, as if
            nothing were lost on the way.
        target: node that each demand ends at, (demands,); -1 if it reaches none.
        delay_s: one way with mean waits, (demands,), as all loads are at last; infinite without a way.
        delivered: share of each demand that no full link takes, (demands,); 0 without a way.
        hops: links on the way, (demands,).
    """

    load_mbps: Floats
    target: Rows
    delay_s: Floats
    delivered: Floats
    hops: Rows


def place_demands(
    snapshot: Snapshot, rate_mbps: Floats, demands: Demands, *, slices: int = SLICES, load_aware: bool = True
) -> Loaded:
    """Place all demands on ways through one snapshot.

    Args:
        snapshot: the links.
        rate_mbps: what each link carries in each direction, (links,).
        demands: what is to be carried.
        slices: in how many parts the demands of a class are placed; a demand is never split.
        load_aware: whether waits count when a way is chosen; else all take the shortest.

    Raises:
        InputError: if a rate is not above zero.
    """
    if not (rate_mbps > 0).all():
        raise InputError("the rate of a link must be above zero")
    load = np.zeros((2, len(snapshot), demands.classes))
    taken = np.full(len(demands), -1, np.intp)
    links: list[Rows] = [np.empty(0, np.intp)] * len(demands)
    for qos in range(demands.classes):
        mine = np.flatnonzero(demands.qos == qos)
        # The largest are dealt first over the slices: whoever comes late must take what is left.
        mine = mine[np.lexsort((mine, -demands.rate_mbps[mine]))]
        for turn in range(slices):
            rows = mine[turn::slices]
            if len(rows):
                wait = waits_s(load, rate_mbps)[:, :, qos] if load_aware else 0.0
                found = _ways(snapshot, snapshot.delay_s + wait, demands, rows)
                for row, (end, way) in zip(rows.tolist(), found, strict=True):
                    taken[row], links[row] = end, way
                    np.add.at(load.reshape(-1, demands.classes)[:, qos], way, demands.rate_mbps[row])
    return _account(snapshot, rate_mbps, demands, load, taken, links)


def waits_s(load_mbps: Floats, rate_mbps: Floats) -> Floats:
    """Mean wait in the queue of each direction of each link by class, (2, links, classes)."""
    share = load_mbps / rate_mbps[:, None]
    upto = np.cumsum(share, axis=-1)
    before = upto - share
    everything = np.minimum(upto[..., -1:], 1.0)
    packet_s = (PACKET_BITS / (rate_mbps * 1e6))[:, None]
    waits: Floats = packet_s * everything * _inverse_of_rest(before) * _inverse_of_rest(upto)
    return waits


def with_waits(snapshot: Snapshot, load_mbps: Floats, rate_mbps: Floats, qos: int) -> Snapshot:
    """The snapshot as a packet of a class finds it: each link as slow as the busier of its two directions."""
    waits = waits_s(load_mbps, rate_mbps)[:, :, min(qos, load_mbps.shape[-1] - 1)].max(axis=0)
    return Snapshot(snapshot.at, snapshot.nodes, snapshot.first, snapshot.second, snapshot.delay_s + waits)


def _inverse_of_rest(load: Floats) -> Floats:
    """1 / (1 - load), in a straight line from ``STEADY`` on."""
    rest = 1.0 / (1.0 - np.minimum(load, STEADY))
    steeper: Floats = rest + np.maximum(load - STEADY, 0.0) / (1.0 - STEADY) ** 2
    return steeper


def _ways(snapshot: Snapshot, cost_s: Floats, demands: Demands, rows: Rows) -> list[tuple[int, Rows]]:
    """The end of each of the demands ``rows``, and the directions of links on its way: numbers in (2, links), flat."""
    relays = np.ones(snapshot.nodes, np.bool_) if demands.relays is None else demands.relays
    leaving = np.arange(snapshot.nodes) + np.where(relays, 0, snapshot.nodes)
    graph, number_of = _directed(snapshot, cost_s, leaving)
    begins = leaving[demands.source[rows]]
    sources, row_of = np.unique(begins, return_inverse=True)
    cost, before = dijkstra(graph, indices=sources, return_predecessors=True)
    reach = np.where(demands.targets[rows], cost[row_of, : snapshot.nodes], np.inf)
    here = demands.targets[rows, demands.source[rows]]
    reach[here, demands.source[rows[here]]] = 0.0
    ends = reach.argmin(axis=1)
    ends[~np.isfinite(reach[np.arange(len(rows)), ends])] = -1
    steps: list[list[int]] = [[] for _ in rows]
    going = np.flatnonzero((ends >= 0) & (ends != demands.source[rows]))
    node = ends.copy()
    while len(going):
        previous = before[row_of[going], node[going]]
        taken = np.asarray(number_of[previous, node[going]]).ravel().astype(np.intp) - 1
        for one, direction in zip(going.tolist(), taken.tolist(), strict=True):
            steps[one].append(direction)
        node[going] = previous
        going = going[previous != begins[going]]
    return [(int(end), np.array(way[::-1], np.intp)) for end, way in zip(ends, steps, strict=True)]


def _directed(snapshot: Snapshot, cost_s: Floats, leaving: Rows) -> tuple[Any, Any]:
    """Costs (2 nodes, 2 nodes) of the links both ways, and in the same places the number of the direction, from 1.

    Args:
        snapshot: the links, no two between the same nodes.
        cost_s: (2, links) or (links,).
        leaving: the number from which each node is left, (nodes,): one that is no relay is come to by its own number and
            left by another, so that nothing goes through it.
    """
    costs = np.broadcast_to(cost_s, (2, len(snapshot))).ravel()
    begin, end = np.concatenate([snapshot.first, snapshot.second]), np.concatenate([snapshot.second, snapshot.first])
    ends, shape = (leaving[begin], end), (2 * snapshot.nodes, 2 * snapshot.nodes)
    return csr_matrix((costs, ends), shape=shape), csr_matrix((np.arange(1.0, len(costs) + 1), ends), shape=shape)


def _account(snapshot: Snapshot, rate_mbps: Floats, demands: Demands, load: Floats, ends: Rows, links: list[Rows]) -> Loaded:
    """Delays and losses once all is placed."""
    delay = (snapshot.delay_s[:, None] + waits_s(load, rate_mbps)).reshape(-1, demands.classes)
    reached = ends >= 0
    delay_s = np.array([delay[way, qos].sum() for way, qos in zip(links, demands.qos, strict=True)])
    both_ways_mbps = np.concatenate([rate_mbps, rate_mbps])
    delivered = delivered_shares(links, demands.qos, demands.rate_mbps, both_ways_mbps, demands.classes)
    return Loaded(
        load,
        ends,
        np.where(reached, delay_s, np.inf),
        np.where(reached, delivered, 0.0),
        np.array([len(way) for way in links], np.intp),
    )
