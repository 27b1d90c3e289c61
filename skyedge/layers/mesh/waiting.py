"""How long a request waits for a worker of a proxy, as its proxy gets busier.

A proxy is a queue with several workers.  The chance of having to wait is Erlang's C formula (Erlang, 1917); how long, for
service times that are not exponential, is the wait of M/M/c times (1 + c²) / 2, c the coefficient of variation (Lee and
Longton, 1959), which for one worker is Pollaczek and Khinchine's M/G/1 exactly.  The wait of those who wait is taken as
exponential, as it is in M/M/c.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BUSIEST = 0.99
"""Above this utilisation a proxy is taken to shed the rest: the wait of a queue that only grows is no figure.  Assumed."""


def chance_to_wait(utilisation: ArrayLike, workers: ArrayLike) -> Array:
    """Erlang C: the share of requests that find all workers busy.

    Args:
        utilisation: load ÷ workers, below 1, (n,).
        workers: whole numbers from 1, (n,) or one.
    """
    busy, count = np.broadcast_arrays(np.asarray(utilisation, float), np.asarray(workers, np.int64))
    load = busy * count
    blocked = np.ones(load.shape)
    for worker in range(1, int(count.max(initial=1)) + 1):  # Erlang B, one worker more at a time
        blocked = np.where(worker <= count, load * blocked / (worker + load * blocked), blocked)
    return np.asarray(blocked / (1 - busy * (1 - blocked)), float)


def mean_wait_s(utilisation: ArrayLike, workers: ArrayLike, service_s: ArrayLike, variation: float = 1.0) -> Array:
    """The mean over all requests, seconds.

    Args:
        utilisation: as :func:`chance_to_wait`; above ``BUSIEST`` counts as that.
        workers: as :func:`chance_to_wait`.
        service_s: of one request by one worker.
        variation: coefficient of variation of the service time: 1 exponential, 0 always the same.
    """
    busy = np.minimum(utilisation, BUSIEST)
    return np.asarray(chance_to_wait(busy, workers) * _wait_of_those_who_wait_s(busy, workers, service_s, variation))


def waits_s(
    utilisation: ArrayLike, workers: ArrayLike, service_s: ArrayLike, draws: ArrayLike, variation: float = 1.0
) -> Array:
    """A wait for each draw from 0 to 1, the larger the draw the longer: 0 for those who need not; arguments as above."""
    busy = np.minimum(utilisation, BUSIEST)
    chance = chance_to_wait(busy, workers)
    scale = _wait_of_those_who_wait_s(busy, workers, service_s, variation)
    left = np.maximum(1 - np.asarray(draws, float), 1e-12)
    return np.asarray(scale * np.maximum(0.0, np.log(np.maximum(chance, 1e-300) / left)))


def _wait_of_those_who_wait_s(busy: ArrayLike, workers: ArrayLike, service_s: ArrayLike, variation: float) -> Array:
    return np.asarray(np.asarray(service_s, float) / (np.asarray(workers) * (1 - np.asarray(busy))) * (1 + variation**2) / 2)
