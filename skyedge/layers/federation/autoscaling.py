"""How many replicas a workload should have over all its clusters together: Kubernetes' horizontal autoscaler, federated.

What each cluster measures is put together first, so that one busy cluster does not speak for all; then the rules are those
of the HorizontalPodAutoscaler (kubernetes.io, "Horizontal Pod Autoscaling", 2025): ``ceil(replicas x measured / target)``,
nothing within a tolerance, the largest of several metrics, a window of past recommendations against flapping, and policies
that bound the pace.  Where the replicas then go is the business of the placement rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from skyedge.errors import InputError

TOLERANCE = 0.1
"""A ratio this near to one changes nothing (Kubernetes' default)."""


@dataclass(frozen=True)
class Reading:
    """What one cluster measures of one metric.

    Attributes:
        cluster: its name.
        total: of all ready replicas there together: processors used, requests in flight, ...
        pods: ready replicas.
        requested: what they asked for in the same unit, where the target is a utilisation.
    """

    cluster: str
    total: float
    pods: int
    requested: float = 0.0


@dataclass(frozen=True)
class MetricTarget:
    """One metric and what it should be.

    Attributes:
        name: for explanations.
        value: the target: of ``AverageValue`` for each replica, of ``Utilization`` in percent of what is requested, of
            ``Value`` for all clusters together.
    """

    name: str
    value: float
    kind: Literal["AverageValue", "Utilization", "Value"] = "AverageValue"

    def __post_init__(self) -> None:
        if not self.value > 0:
            raise InputError(f"the target of {self.name} must be above zero, not {self.value:g}")

    def wish(self, replicas: int, readings: Sequence[Reading], tolerance: float) -> tuple[int, float] | None:
        """How many replicas there should be, and what is measured over the target; None if no cluster measures anything.

        Of replicas that nobody measures Kubernetes assumes the careful: that they idle where more would be wanted, and
        that they are as busy as they should be, or as they asked for, where fewer would be.
        """
        pods = sum(reading.pods for reading in readings)
        total = sum(reading.total for reading in readings)
        requested = sum(reading.requested for reading in readings)
        ratio = self._ratio(total, pods, requested) if readings else None
        if ratio is None:
            return None
        missing = 0 if self.kind == "Value" else max(0, replicas - pods)
        near = abs(ratio - 1.0) <= tolerance
        if near or not missing:
            return replicas if near else _rounded_up(ratio * pods), ratio
        each = requested / pods
        idle_or_busy = 0.0 if ratio > 1.0 else self._busy(each)
        careful = self._ratio(total + missing * idle_or_busy, pods + missing, requested + missing * each) or 0.0
        if abs(careful - 1.0) <= tolerance or (careful > 1.0) != (ratio > 1.0):
            return replicas, careful
        count = _rounded_up(careful * (pods + missing))
        return (max if careful > 1.0 else min)(replicas, count), careful

    def _ratio(self, total: float, pods: int, requested: float) -> float | None:
        match self.kind:
            case "Value":
                return total / self.value
            case "Utilization":
                return 100.0 * total / requested / self.value if requested > 0 else None
            case "AverageValue":
                return total / pods / self.value if pods > 0 else None

    def _busy(self, requested: float) -> float:
        """What a replica that asks for ``requested`` uses, if it is busy."""
        return requested * max(100.0, self.value) / 100.0 if self.kind == "Utilization" else self.value


def _rounded_up(count: float) -> int:
    return math.ceil(round(count, 9))  # rounding up must not be led astray by the last digit of a quotient


@dataclass(frozen=True)
class PacePolicy:
    """At most so many replicas more or fewer, or so many percent, within a period; ``Total``: up to so many in any case."""

    kind: Literal["Pods", "Percent", "Total"]
    value: int
    period_s: float


@dataclass(frozen=True)
class Pace:
    """One direction of scaling.

    Attributes:
        window_s: of recommendations of so many seconds the most careful counts.
        policies: each bounds the change; none at all: nothing does.
        select: which of them counts, or ``Disabled`` for no scaling in this direction.
    """

    window_s: float
    policies: tuple[PacePolicy, ...] = ()
    select: Literal["Max", "Min", "Disabled"] = "Max"


UP = Pace(0.0, (PacePolicy("Percent", 100, 15.0), PacePolicy("Pods", 4, 15.0)))
DOWN = Pace(300.0, (PacePolicy("Percent", 100, 15.0),))
"""Kubernetes' defaults for a ``behavior`` that says something."""

UP_UNSAID = Pace(0.0, (PacePolicy("Percent", 100, 15.0), PacePolicy("Total", 4, 15.0)))
"""Without a ``behavior``: twice as many, or four; Karmada and Kubernetes have kept that for who says nothing."""


@dataclass(frozen=True)
class AutoscalerRules:
    """What a FederatedHPA says."""

    targets: tuple[MetricTarget, ...]
    min_replicas: int
    max_replicas: int
    up: Pace = UP_UNSAID
    down: Pace = DOWN
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Recommendation:
    """How many replicas there should be, and why."""

    replicas: int
    why: str


@dataclass
class FederatedAutoscaler:
    """What is remembered between two looks: recommendations and changes, each with its time in seconds."""

    rules: AutoscalerRules
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def look(self, now_s: float, replicas: int, readings: Sequence[Sequence[Reading]]) -> Recommendation:
        """How many replicas there should be from now on.

        Args:
            now_s: the time, not before that of the last look.
            replicas: how many are wanted now, over all clusters.
            readings: of each target what the clusters measure.
        """
        rules = self.rules
        if not replicas:
            return Recommendation(0, "scaled to zero by hand: autoscaling is off")
        raw, why = self._raw(replicas, readings)
        bounded = min(max(raw, rules.min_replicas), rules.max_replicas)
        if bounded != raw:
            why += f"; {'at least' if bounded > raw else 'at most'} {bounded}"
        self._recommended.append((now_s, bounded))
        steady = self._steadied(now_s, replicas, bounded)
        if steady != bounded:
            why += f"; {steady} by the window against flapping"
        paced = self._paced(now_s, replicas, steady)
        # The bounds of the user hold at once, whatever the pace: a maximum that was lowered is meant.
        result = min(max(paced, rules.min_replicas), rules.max_replicas)
        if result != steady:
            why += f"; {result} by the pace allowed"
        if result != replicas:
            self._changes.append((now_s, result - replicas))
        return Recommendation(result, why)

    def _raw(self, replicas: int, readings: Sequence[Sequence[Reading]]) -> tuple[int, str]:
        wishes = []
        for target, of_target in zip(self.rules.targets, readings, strict=True):
            wish = target.wish(replicas, of_target, self.rules.tolerance)
            if wish is not None:
                wishes.append((wish[0], f"{target.name} at {wish[1]:.2f} of its target"))
        if not wishes:
            return replicas, "no cluster measures anything: nothing changes"
        if len(wishes) < len(self.rules.targets) and max(wishes)[0] < replicas:
            return replicas, "a metric is missing: nothing is taken away"
        return max(wishes)

    def _steadied(self, now_s: float, replicas: int, wanted: int) -> int:
        """The most careful recommendation of the window of each direction."""
        up, down = self.rules.up.window_s, self.rules.down.window_s
        self._recommended = [entry for entry in self._recommended if entry[0] >= now_s - max(up, down)]
        lowest = min((count for at, count in self._recommended if at >= now_s - up), default=wanted)
        highest = max((count for at, count in self._recommended if at >= now_s - down), default=wanted)
        return min(max(replicas, lowest), highest)

    def _paced(self, now_s: float, replicas: int, wanted: int) -> int:
        pace = self.rules.up if wanted > replicas else self.rules.down
        if wanted == replicas or pace.select == "Disabled":
            return replicas
        if not pace.policies:
            return wanted
        limits = [self._limit(now_s, replicas, policy, rising=wanted > replicas) for policy in pace.policies]
        if wanted > replicas:
            return min(wanted, max(limits) if pace.select == "Max" else min(limits))
        return max(wanted, min(limits) if pace.select == "Max" else max(limits))

    def _limit(self, now_s: float, replicas: int, policy: PacePolicy, *, rising: bool) -> int:
        """How far the policy lets the replicas go, given what was changed within its period."""
        changed = sum(change for at, change in self._changes if at > now_s - policy.period_s and (change > 0) == rising)
        before = replicas - changed
        if policy.kind == "Total":
            return policy.value
        if policy.kind == "Pods":
            return before + policy.value if rising else before - policy.value
        share = policy.value / 100
        return _rounded_up(before * (1 + share)) if rising else math.floor(round(before * (1 - share), 9))
