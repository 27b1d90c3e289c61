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
    """What is known before the flight: of each pass a curve of work against time.

    Pass i is rows ``offsets[i]`` to ``offsets[i + 1]``, two at least, from its opening to its close; ``work_s`` is what one
    instance would work at all that should have landed by then, from 0.  ``cold_start_s`` is how long the pool takes to make
    ready what the largest pass needs.
    """

    offsets: NDArray[np.intp]
    times_us: NDArray[np.int64]
    work_s: NDArray[np.float64]
    cold_start_s: float

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def opens_us(self) -> NDArray[np.int64]:
        """(passes,)."""
        return self.times_us[self.offsets[:-1]]

    @property
    def closes_us(self) -> NDArray[np.int64]:
        """(passes,)."""
        return self.times_us[self.offsets[1:] - 1]

    def total_work_s(self) -> float:
        """Of all passes."""
        return float(self.work_s[self.offsets[1:] - 1].sum())

    def instances(self, wait_s: float, margin: float = 1.0) -> NDArray[np.int64]:
        """How many instances each pass needs, (passes,), so that its work waits for no longer than ``wait_s``.

        n = max over all spans of (work that lands in the span) / (length of the span + wait): first come, first served at
        a constant rate, the wait is bounded just so (Cruz 1991).
        """
        needed = np.zeros(len(self), np.int64)
        for row in range(len(self)):
            part = slice(self.offsets[row], self.offsets[row + 1])
            at_s, work = (self.times_us[part] - self.times_us[part.start]) / SECOND, self.work_s[part]
            first, last = np.triu_indices(len(at_s), 1)
            span_s = at_s[last] - at_s[first] + wait_s
            rate = (work[last] - work[first]) / np.maximum(span_s, 1e-6)
            needed[row] = math.ceil(margin * float(rate.max(initial=0.0)) - 1e-9)
        return needed

    @classmethod
    def of_passes(
        cls,
        opens_us: NDArray[np.int64],
        closes_us: NDArray[np.int64],
        work_s: NDArray[np.float64],
        cold_start_s: float,
    ) -> Outlook:
        """Passes, (passes,), whose work lands evenly."""
        count = len(opens_us)
        times = np.stack([opens_us, closes_us], axis=1).ravel().astype(np.int64)
        work = np.stack([np.zeros(count), work_s], axis=1).ravel()
        return cls(np.arange(0, 2 * count + 1, 2), times, work, cold_start_s)


@dataclass
class ContactPlan:
    """For each pass as many instances as keep its work from waiting longer than ``wait_s``, ready when it opens.

    They stay until ``wait_s`` after its close.  Passes at once add up.  While more work is left than planned for, no
    instance is given up that it needs.

    Args:
        wait_s: no picture should wait longer for an instance; see :meth:`Outlook.instances`.
        lead_s: before a pass opens; the pool's cold start if 0.
        margin: on the size, for what the forecast does not know.
        period_s: between two looks while work is left over.
    """

    wait_s: float = 30.0
    lead_s: float = 0.0
    margin: float = 1.0
    period_s: float = 5.0
    _steps_us: list[Instant] | None = field(default=None, repr=False)
    _levels: list[int] | None = field(default=None, repr=False)  # from each step on

    def __post_init__(self) -> None:
        if self.wait_s < 0 or self.lead_s < 0:
            raise InputError("wait_s and lead_s of ContactPlan must not be negative")
        if self.margin <= 0 or self.period_s < 1e-3:
            raise InputError("margin and period_s of ContactPlan must be positive")

    def informed(self, outlook: Outlook) -> ContactPlan:
        """The same policy with the passes that it is to plan for."""
        needed = outlook.instances(self.wait_s, self.margin)
        lead_us = seconds(self.lead_s or outlook.cold_start_s)
        times = np.concatenate([outlook.opens_us - lead_us, outlook.closes_us + seconds(self.wait_s)])
        change = np.concatenate([needed, -needed])
        steps, place = np.unique(times, return_inverse=True)
        levels = np.cumsum(np.bincount(place, weights=change, minlength=len(steps))).astype(np.int64)
        return replace(self, _steps_us=steps.tolist(), _levels=levels.tolist())

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
        wish = max(planned, left_over)
        return Decision(wish, ask_again, upon_work=not wish)

    def _plan(self) -> tuple[list[Instant], list[int]]:
        if self._steps_us is None or self._levels is None:
            raise InputError("the autoscaler ContactPlan needs passes to plan for, and this pool has none")
        return self._steps_us, self._levels


def largest_need(outlook: Outlook, wait_s: float) -> int:
    """Instances of a fixed pool in which the work of no pass, with those beside it, waits longer than ``wait_s``."""
    return ContactPlan(wait_s=wait_s, lead_s=1e-6).informed(outlook).peak()


def mean_need(work_s: float, duration_s: float) -> int:
    """Instances that a fixed pool needs to do ``work_s`` in ``duration_s``, however late."""
    return math.ceil(work_s / duration_s)
