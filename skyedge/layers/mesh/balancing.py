"""Which endpoint gets the next request: round robin, random, least request.

The rules are Envoy's: with equal weights, least request looks at two endpoints drawn at random and takes the less busy one
(the power of two choices, Mitzenmacher, 2001); with unequal weights it draws in proportion to
``weight / (active + 1) ** bias``.  Draws come from the caller, from [0, 1): nothing here is random by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.errors import InputError
from skyedge.layers.mesh.weights import choose, shares

ACTIVE_REQUEST_BIAS = 1.0
"""Envoy's default."""


def round_robin(weights: Sequence[float], count: int) -> NDArray[np.intp]:
    """The endpoints of ``count`` requests in turn, (count,): earliest deadline first, every pick puts it 1/weight later.

    With equal weights that is a plain circle.  Ties go to the endpoint that comes first.

    Raises:
        InputError: as :func:`~skyedge.layers.mesh.weights.shares`.
    """
    share = shares(weights)
    # Deadlines are a count times a period, not a running sum: a sum would drift and break ties by its rounding.
    turns = [(1.0 / one, endpoint, 1) for endpoint, one in enumerate(share.tolist()) if one > 0]
    heapq.heapify(turns)
    picks = np.empty(count, np.intp)
    for at in range(count):
        _, endpoint, served = turns[0]
        picks[at] = endpoint
        heapq.heapreplace(turns, ((served + 1) / float(share[endpoint]), endpoint, served + 1))
    return picks


def at_random(endpoints: int, draws: ArrayLike) -> NDArray[np.intp]:
    """The endpoint for each draw, in its shape; weights play no part.

    Raises:
        InputError: if there is no endpoint.
    """
    if endpoints < 1:
        raise InputError("there is no endpoint to choose from")
    return np.minimum((np.asarray(draws, np.float64) * endpoints).astype(np.intp), endpoints - 1)


def effective_weights(
    weights: ArrayLike, active_requests: ArrayLike, bias: float = ACTIVE_REQUEST_BIAS
) -> NDArray[np.float64]:
    """``weight / (active + 1) ** bias``, in the shape of the arguments.

    Raises:
        InputError: if the bias is negative, which would prefer the busy.
    """
    if not bias >= 0:
        raise InputError(f"the bias of active requests must not be negative, and {bias} is")
    result: NDArray[np.float64] = np.asarray(weights, np.float64) / (np.asarray(active_requests, np.float64) + 1.0) ** bias
    return result


def least_request(
    weights: Sequence[float],
    active_requests: Sequence[int],
    draws: tuple[float, float],
    bias: float = ACTIVE_REQUEST_BIAS,
) -> int:
    """The endpoint of one request.

    Args:
        weights: (endpoints,).
        active_requests: (endpoints,), requests that each has in hand.
        draws: two; with unequal weights only the first is used.
        bias: how much being busy counts where weights are unequal.

    Raises:
        InputError: as :func:`~skyedge.layers.mesh.weights.shares` and :func:`effective_weights`.
    """
    share = shares(weights)
    if np.ptp(share) > 0:
        return int(choose(effective_weights(weights, active_requests, bias).tolist(), draws[0]))
    first, second = at_random(share.size, draws).tolist()
    return second if active_requests[second] < active_requests[first] else first
