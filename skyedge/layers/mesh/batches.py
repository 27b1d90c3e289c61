"""Many choices of least request at once, each the one that would be made alone.

*The less busy of two endpoints* depends on who chose before, so a batch goes in rounds: all requests that come first at both
of their endpoints choose together, which changes nothing for one another, and the rest wait for the next round.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.rows import Indices

FEWEST_IN_A_ROUND = 128
"""Under so many choices a round costs more than making them one by one: few endpoints that everybody wants."""


def less_busy(pairs: Indices, active_requests: NDArray[np.int64], scratch: Indices | None = None) -> Indices:
    """The less busy of two endpoints for each request of a batch, in order; the first of the two if they are equal.

    Args:
        pairs: (n, 2), numbers of endpoints; twice the same for a request that has no choice.
        active_requests: (endpoints,), counted up in place for every request, as if each was sent before the next came.
        scratch: (endpoints,) or more, whatever is in it; a caller with many endpoints saves making one for every batch.

    Returns:
        (n,), numbers of endpoints.
    """
    result = np.empty(len(pairs), np.intp)
    first = np.empty(active_requests.size, np.intp) if scratch is None else scratch
    waiting: Indices = np.arange(len(pairs))
    one, other = pairs[:, 0], pairs[:, 1]
    while waiting.size:
        # Of several writes to one place the last one stays: written backwards, that is the earliest request.
        backwards = waiting[::-1]
        first[np.stack((one[::-1], other[::-1]), axis=1).ravel()] = np.repeat(backwards, 2)
        free = (first[one] == waiting) & (first[other] == waiting)
        if np.count_nonzero(free) < FEWEST_IN_A_ROUND:
            _one_by_one(waiting, pairs, active_requests, result)
            break
        this, that = one[free], other[free]
        picks = np.where(active_requests[that] < active_requests[this], that, this)
        active_requests[picks] += 1
        result[waiting[free]] = picks
        left = ~free
        waiting, one, other = waiting[left], one[left], other[left]
    return result


def _one_by_one(waiting: Indices, pairs: Indices, active_requests: NDArray[np.int64], result: Indices) -> None:
    # Over plain integers: NumPy's single elements are an order of magnitude slower.
    touched, places = np.unique(pairs[waiting], return_inverse=True)
    active = active_requests[touched].tolist()
    picks = []
    for one, other in places.reshape(-1, 2).tolist():
        pick = other if active[other] < active[one] else one
        active[pick] += 1
        picks.append(pick)
    active_requests[touched] = active
    result[waiting] = touched[picks]


def less_busy_by_weight(
    services: Indices,
    sizes: Indices,
    bases: Indices,
    members: Indices,
    weights: NDArray[np.float64],
    pairs: Indices,
    draws: NDArray[np.float64],
    active_requests: NDArray[np.int64],
) -> Indices:
    """As :func:`less_busy`, where some requests choose in proportion to ``weight / (active + 1)`` among unequal endpoints.

    The first request of every service goes in the first round, the second in the second: endpoints belong to one service.

    Args:
        services: (n,), whose endpoints a request is for.
        sizes: (n,), among how many it chooses by weight; 0 for one that takes the less busy of its pair.
        bases: (n,), where those begin among ``members``.
        members: numbers of endpoints.
        weights: of each member.
        pairs: (n, 2), as :func:`less_busy`.
        draws: (n,), from [0, 1).
        active_requests: (endpoints,), counted up in place.

    Returns:
        (n,), numbers of endpoints: what :func:`~skyedge.layers.mesh.balancing.least_request` gives one after another.
    """
    result = np.empty(len(services), np.intp)
    order = np.argsort(services, kind="stable")
    counts = np.unique(services, return_counts=True)[1]
    turn = np.arange(len(services)) - np.repeat(np.cumsum(counts) - counts, counts)
    rounds = np.split(order[np.argsort(turn, kind="stable")], np.cumsum(np.bincount(turn))[:-1])
    for now in rounds:
        this, that = pairs[now].T
        picks = np.where(active_requests[that] < active_requests[this], that, this)
        heavy = np.flatnonzero(sizes[now])
        if heavy.size:
            mine = now[heavy]
            size = sizes[mine][:, None]
            column = np.arange(size.max())
            places = bases[mine][:, None] + np.minimum(column, size - 1)
            effective = np.where(column < size, weights[places] / (active_requests[members[places]] + 1.0), 0.0)
            reach = np.cumsum(effective / effective.sum(axis=1, keepdims=True), axis=1)
            found = (reach <= draws[mine][:, None]).sum(axis=1)
            picks[heavy] = members[bases[mine] + np.minimum(found, size[:, 0] - 1)]
        active_requests[picks] += 1
        result[now] = picks
    return result
