"""Shares of traffic by weight.

Weights are relative: their sum need not be 100, and a single destination gets everything whatever its weight.  A choice is
a draw from [0, 1) looked up in the cumulated shares, so that a whole batch is one search.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.errors import InputError


def shares(weights: Sequence[float]) -> NDArray[np.float64]:
    """The share of each destination, (destinations,), with sum 1.

    Raises:
        InputError: if there is no weight, a weight is negative or no number, or several weights are all zero.
    """
    given = np.asarray(weights, np.float64)
    if given.size == 0:
        raise InputError("a route needs at least one destination")
    if not np.isfinite(given).all() or (given < 0).any():
        raise InputError("a weight must be a number that is not negative")
    if given.size == 1:
        return np.ones(1)
    total = given.sum()
    if total == 0:
        raise InputError("the weights of a route are all zero, so nothing could be sent")
    result: NDArray[np.float64] = given / total
    return result


def choose(weights: Sequence[float], draws: ArrayLike) -> NDArray[np.intp]:
    """The destination for each draw.

    Args:
        weights: of each destination.
        draws: uniform in [0, 1), any shape.

    Returns:
        Indices of destinations in the shape of ``draws``; one of weight zero is never among them, unless it is alone.

    Raises:
        InputError: as :func:`shares`.
    """
    share = shares(weights)
    last = int(np.flatnonzero(share)[-1])
    # The sum of the shares may be a hair under 1: what is drawn beyond it belongs to the last that gets anything.
    return np.minimum(np.searchsorted(np.cumsum(share), np.asarray(draws), side="right"), last)
