"""How much traffic each priority and each locality takes, given how much of it is healthy (Envoy's load balancing).

A priority counts as fully healthy while ``overprovisioning`` times its healthy share reaches 100 %: with the usual 1.4
traffic spills over below 71.4 %.  If all priorities together are not healthy enough, those under the panic threshold send
to every endpoint, healthy or not: a few overloaded survivors would fail as well.  If that is all of them, health says no
longer where to send, and each priority gets what it has of the hosts.

Envoy counts in whole percents and gives what that leaves over to the first; the shares here are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError

Percents = NDArray[np.float64]

OVERPROVISIONING = 1.4
"""Envoy's default."""

PANIC_PERCENT = 50.0
"""Envoy's default; Istio sets 0, which is never."""


@dataclass(frozen=True)
class PriorityLoad:
    """What each priority takes.

    Attributes:
        load_percent: (priorities,), sum 100.
        in_panic: (priorities,), which send to unhealthy endpoints too.
        normalized_total_health_percent: health of all priorities together, at most 100.
    """

    load_percent: Percents
    in_panic: NDArray[np.bool_]
    normalized_total_health_percent: float


def availability(healthy_percent: Sequence[float], overprovisioning: float = OVERPROVISIONING) -> Percents:
    """min(100, overprovisioning × healthy), (n,).

    Raises:
        InputError: if a percentage is outside 0 to 100, or the factor is under 1.
    """
    healthy = np.asarray(healthy_percent, np.float64)
    if not ((healthy >= 0) & (healthy <= 100)).all():
        raise InputError("a healthy share must be from 0 to 100 percent")
    if not overprovisioning >= 1:
        raise InputError(f"the overprovisioning factor must be at least 1, not {overprovisioning}")
    return np.minimum(100.0, overprovisioning * healthy)


def priority_load(
    healthy_percent: Sequence[float],
    overprovisioning: float = OVERPROVISIONING,
    panic_percent: float = PANIC_PERCENT,
    hosts: Sequence[int] | None = None,
) -> PriorityLoad:
    """The load of priorities from the first down: each takes what it can, the next one takes the rest.

    Args:
        healthy_percent: of each priority.
        hosts: how many there are of each priority, healthy or not; alike if not given.  They count if all panic.

    Raises:
        InputError: if there is no priority, or as :func:`availability`.
    """
    available = availability(healthy_percent, overprovisioning)
    if available.size == 0:
        raise InputError("load needs at least one priority to go to")
    total = min(100.0, float(available.sum()))
    panic = (np.asarray(healthy_percent, np.float64) < panic_percent) & (total < 100.0)
    if total == 0 or panic.all():  # health makes no priority a better choice than another
        size = np.ones(available.size) if hosts is None or not any(hosts) else np.asarray(hosts, np.float64)
        return PriorityLoad(100.0 * size / size.sum(), panic, total)
    reach = np.minimum(100.0, np.cumsum(available * 100.0 / total))
    return PriorityLoad(np.diff(reach, prepend=0.0), panic, total)


def locality_load(
    weights: Sequence[float], healthy_percent: Sequence[float], overprovisioning: float = OVERPROVISIONING
) -> Percents:
    """The load of the localities of one priority in percent, (localities,): weight × availability, to sum 100.

    Raises:
        InputError: if nothing is left to send to, or as :func:`availability`.
    """
    effective = np.asarray(weights, np.float64) * availability(healthy_percent, overprovisioning)
    if not effective.sum() > 0:
        raise InputError("no locality with a weight has a healthy endpoint")
    load: Percents = 100.0 * effective / effective.sum()
    return load
