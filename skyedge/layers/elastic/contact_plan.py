"""Scaling on the contact plan: instances are ready when a pass lands, not a cold start later.

The sky tells when work will come and about how much: a pass opens at a known second and can carry so many bytes.  How
lucky the pass will be nobody knows, so its nominal bytes are planned for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.layers.elastic.autoscaler import Decision, PoolView
from skyedge.time import FOREVER, SECOND, Instant, seconds


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is known before the flight, one row a pass.

    ``work_s`` is what one instance would work at all that the pass should carry; ``cold_start_s`` how long the pool takes
    to make ready what the largest pass needs.
    """

    opens_us: NDArray[np.int64]
    closes_us: NDArray[np.int64]
    work_s: NDArray[np.float64]
    cold_start_s: float


@dataclass
class ContactPlan:
    """For each pass as many instances as will have done its work ``drain_s`` after it closes, ready when it opens.

    n = ceil(margin × work / (duration + drain)): the work comes in over the whole pass.  Passes at once add up.  While more
    work is left than planned for, no instance is given up that it needs.

    Args:
        drain_s: after the end of a pass its answers should be there.
        lead_s: before a pass opens; the pool's cold start if 0.
        margin: on the size, for what the forecast does not know.
        period_s: between two looks while work is left over.
    """

    drain_s: float = 60.0
    lead_s: float = 0.0
    margin: float = 1.0
    period_s: float = 5.0
    _steps_us: list[Instant] | None = field(default=None, repr=False)
    _levels: list[int] | None = field(default=None, repr=False)  # from each step on

    def __post_init__(self) -> None:
        if self.drain_s < 0 or self.lead_s < 0:
            raise InputError("drain_s and lead_s of ContactPlan must not be negative")
        if self.margin <= 0 or self.period_s < 1e-3:
            raise InputError("margin and period_s of ContactPlan must be positive")

    def informed(self, outlook: Outlook) -> ContactPlan:
        """The same policy with the passes that it is to plan for."""
        needed = self.sizes(outlook)
        lead_us = seconds(self.lead_s or outlook.cold_start_s)
        times = np.concatenate([outlook.opens_us - lead_us, outlook.closes_us + seconds(self.drain_s)])
        change = np.concatenate([needed, -needed])
        steps, place = np.unique(times, return_inverse=True)
        levels = np.cumsum(np.bincount(place, weights=change, minlength=len(steps))).astype(np.int64)
        return replace(self, _steps_us=steps.tolist(), _levels=levels.tolist())

    def sizes(self, outlook: Outlook) -> NDArray[np.int64]:
        """Instances that each pass needs, (passes,)."""
        span_s = (outlook.closes_us - outlook.opens_us) / SECOND + self.drain_s
        return np.ceil(self.margin * outlook.work_s / np.maximum(span_s, 1e-6)).astype(np.int64)

    def peak(self) -> int:
        """The most instances that the plan ever asks for."""
        return max(self._plan()[1], default=0)

    def decide(self, view: PoolView) -> Decision:
        """By the plan, and by what is left of the work."""
        steps, levels = self._plan()
        place = bisect_right(steps, view.now)
        planned = levels[place - 1] if place else 0
        ask_again = steps[place] if place < len(steps) else FOREVER
        left_over = max(1, min(view.instances, view.items)) if view.items else 0
        if left_over > planned:
            ask_again = min(ask_again, view.now + seconds(self.period_s))
        return Decision(max(planned, left_over), ask_again, upon_work=True)

    def _plan(self) -> tuple[list[Instant], list[int]]:
        if self._steps_us is None or self._levels is None:
            raise InputError("the autoscaler ContactPlan needs passes to plan for, and this pool has none")
        return self._steps_us, self._levels


def largest_need(outlook: Outlook, drain_s: float) -> int:
    """Instances that a fixed pool needs, so that every pass, with those beside it, is answered ``drain_s`` after its end."""
    if not len(outlook.opens_us):
        return 0
    return ContactPlan(drain_s=drain_s, lead_s=1e-6).informed(outlook).peak()


def mean_need(outlook: Outlook, duration_s: float) -> int:
    """Instances that a fixed pool needs to do all the work of ``duration_s``, however late."""
    return math.ceil(float(outlook.work_s.sum()) / duration_s)
