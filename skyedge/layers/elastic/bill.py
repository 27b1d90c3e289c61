"""What a pool has cost: every instance by its time, its purchase and the rules of billing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.elastic.profile import PoolProfile
from skyedge.time import DAY, HOUR, SECOND, Instant

Instants = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class InstanceTable:
    """Milestones of every instance in microseconds, columns of one length; FOREVER is what has not come to pass.

    Milestones of a start may lie after ``gone_us``, if it was given up before.
    """

    requested_us: Instants
    admitted_us: Instants
    provisioned_us: Instants
    pulled_us: Instants
    started_us: Instants
    ready_us: Instants
    taken_us: Instants  # out of the warm pool
    gone_us: Instants
    worked_us: Instants
    warm: NDArray[np.bool_]  # launched for the warm pool

    def __len__(self) -> int:
        return len(self.requested_us)


@dataclass(frozen=True)
class Bill:
    """Sums over a pool's instances."""

    cost: float  # in the currency of the profile
    cost_per_day: float
    currency: str
    instance_s: float  # billed, rounded up by the rules
    worked_s: float  # lost work counts
    idle_share: float  # of what is billed, not worked; NaN if nothing is
    launches: int
    cold_starts: int  # became ready for work straight from nothing
    warm_starts: int  # out of the warm pool
    interruptions: int
    redone_s: float  # work that an interruption took


def make_bill(
    profile: PoolProfile, table: InstanceTable, start: Instant, now: Instant, redone_us: int, interruptions: int
) -> Bill:
    """The bill at ``now`` of a pool that has run since ``start``."""
    billed_us = billed(profile, table, now)
    # In the warm pool an instance may be cheaper.
    parked_until = np.minimum(np.minimum(table.taken_us, table.gone_us), now)
    parked_us = np.where(table.warm, np.maximum(0, parked_until - table.ready_us), 0)
    charged_us = np.maximum(0.0, billed_us - (1 - profile.warm_pool.price_share) * parked_us)
    cost = float(charged_us.sum()) / HOUR * profile.instance.price(profile.purchase)
    total_us, worked_us = float(billed_us.sum()), float(table.worked_us.sum())
    ready = (table.ready_us <= now) & (table.ready_us < table.gone_us)
    taken = table.taken_us <= now
    return Bill(
        cost=cost,
        cost_per_day=cost * DAY / max(1, now - start),
        currency=profile.billing.currency,
        instance_s=total_us / SECOND,
        worked_s=worked_us / SECOND,
        idle_share=1 - worked_us / total_us if total_us else float("nan"),
        launches=len(table),
        cold_starts=int(np.count_nonzero(ready & ~table.warm)),
        warm_starts=int(np.count_nonzero(taken)),
        interruptions=interruptions,
        redone_s=redone_us / SECOND,
    )


def billed(profile: PoolProfile, table: InstanceTable, now: Instant) -> NDArray[np.float64]:
    """Microseconds that each instance is billed for, (instances,): up to its end or ``now``, in whole increments."""
    billing = profile.billing
    begins = {"requested": table.requested_us, "provisioned": table.provisioned_us, "ready": table.ready_us}
    begin = begins[billing.starts_at]
    span_us = np.minimum(table.gone_us, now) - begin
    increment_us = billing.increment_s * SECOND
    whole = np.ceil(np.maximum(span_us, 0) / increment_us) * increment_us
    return np.where(span_us > 0, np.maximum(whole, billing.minimum_s * SECOND), 0.0)
