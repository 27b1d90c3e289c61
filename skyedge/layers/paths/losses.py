"""What full links lose of the traffic on them, and what arrives.

A link that is offered more than it carries passes the more urgent classes first, and of the class that does not fit the same
share of every demand.  What one link has lost is not offered to the next.  Demands cross each other in any order, so loads
and shares are found together, as the fixed point of the two (the reduced load of Kelly, "Loss Networks", 1991).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyedge.layers.paths.shortest import Floats, Rows

MOST_ROUNDS = 200
NEAR_ENOUGH = 1e-9
"""Shares that change less than this from one round to the next are found."""


def delivered_shares(ways: Sequence[Rows], qos: Rows, demand_mbps: Floats, link_mbps: Floats, classes: int) -> Floats:
    """The share of each demand that arrives, (demands,).

    Args:
        ways: the links of each demand in order, numbers of rows of ``link_mbps``; none for one that goes over no link.
        qos: class of each demand, 0 the most urgent, (demands,).
        demand_mbps: what each demand offers, (demands,).
        link_mbps: what each link, in one direction, carries, (links,).
        classes: how many classes there are.
    """
    longest = max((len(way) for way in ways), default=0)
    if not longest:
        return np.ones(len(ways))
    place = np.zeros((len(ways), longest), np.intp)
    there = np.arange(longest) < np.array([len(way) for way in ways])[:, None]
    place[there] = np.concatenate(ways) * classes + np.repeat(qos, there.sum(axis=1))
    passed = np.ones(len(link_mbps) * classes)
    for turn in range(MOST_ROUNDS):
        kept = np.cumprod(np.where(there, passed[place], 1.0), axis=1)
        offered = demand_mbps[:, None] * np.concatenate([np.ones((len(ways), 1)), kept[:, :-1]], axis=1)
        on_links: Floats = np.bincount(place[there], offered[there], len(passed)).astype(float)
        found = _passed(on_links.reshape(-1, classes), link_mbps)
        change = np.abs(found - passed).max()
        # Along a chain of links the shares are right after as many rounds; where ways form circles they may swing.
        passed = found if turn < longest or change <= NEAR_ENOUGH else (passed + found) / 2
        if change <= NEAR_ENOUGH:
            break
    arrived: Floats = np.where(there, passed[place], 1.0).prod(axis=1)
    return arrived


def _passed(offered_mbps: Floats, link_mbps: Floats) -> Floats:
    """The share of each class that each link passes, (links x classes,), of what it is offered (links, classes)."""
    left = np.maximum(link_mbps[:, None] - (np.cumsum(offered_mbps, axis=1) - offered_mbps), 0.0)
    # Of nothing nothing is lost, even on a link that the others fill to the brim.
    share = np.divide(left, offered_mbps, out=np.ones_like(left), where=offered_mbps > 0)
    passed: Floats = np.minimum(1.0, share).ravel()
    return passed
