"""A new version meets real requests little by little, and is promoted or rolled back by what they show (as Flagger does).

Three ways.  *Canary*: a growing share of the requests.  *Blue/green*: tests for so many intervals, with copies of the real
requests if they are mirrored, then all at once.  *A/B*: everybody who is meant by a condition, for so many intervals.  After
each interval :func:`step` looks at what was measured of the new version.  A check that fails, or that has nothing to look
at, stops the advance and is counted; counts are never forgiven, and at the threshold all requests go back to the old
version.  Flagger rolls back one interval after the threshold is reached; here it is at once.

The phases are a table, ``TRANSITIONS``.  What proxies are to do in a phase is in :mod:`~skyedge.layers.mesh.rollout_routes`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpMatch
from skyedge.layers.mesh.telemetry.golden_signals import Signals

SUCCESS_RATE = "request-success-rate"
"""In percent."""

DURATION = "request-duration"
"""p99, ms."""

WHOLE = 100


class Phase(Enum):
    """Where a rollout stands."""

    INITIALISING = "Initialising"
    """The new version is not up yet."""
    PROGRESSING = "Progressing"
    WAITING_PROMOTION = "WaitingPromotion"
    """All checks are passed and somebody has to say yes; checks go on."""
    PROMOTING = "Promoting"
    """The old version's place takes the new version on; requests move there."""
    FINALISING = "Finalising"
    """All requests are there; the trial's own copies go."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Event(Enum):
    """What moves it."""

    READY = "ready"
    PASSED = "passed"
    """The last step of the analysis, and nobody has to be asked or yes was said."""
    NOT_CONFIRMED = "not-confirmed"
    FAILED_TOO_OFTEN = "failed-too-often"
    ABORTED = "aborted"
    SHIFTED = "shifted"
    CLEARED = "cleared"


TRANSITIONS = {
    (Phase.INITIALISING, Event.READY): Phase.PROGRESSING,
    (Phase.INITIALISING, Event.ABORTED): Phase.FAILED,
    (Phase.PROGRESSING, Event.PASSED): Phase.PROMOTING,
    (Phase.PROGRESSING, Event.NOT_CONFIRMED): Phase.WAITING_PROMOTION,
    (Phase.PROGRESSING, Event.FAILED_TOO_OFTEN): Phase.FAILED,
    (Phase.PROGRESSING, Event.ABORTED): Phase.FAILED,
    (Phase.WAITING_PROMOTION, Event.PASSED): Phase.PROMOTING,
    (Phase.WAITING_PROMOTION, Event.FAILED_TOO_OFTEN): Phase.FAILED,
    (Phase.WAITING_PROMOTION, Event.ABORTED): Phase.FAILED,
    (Phase.PROMOTING, Event.SHIFTED): Phase.FINALISING,
    (Phase.FINALISING, Event.CLEARED): Phase.SUCCEEDED,
}
"""What is not listed changes nothing: nobody aborts what has been promoted."""

ON_TRIAL = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)


class Strategy(Enum):
    """How the new version meets requests."""

    CANARY = "canary"
    BLUE_GREEN = "blue-green"
    AB = "a/b"


@dataclass(frozen=True)
class Check:
    """A figure of the new version that must lie in a range."""

    name: str
    minimum: float | None = None
    maximum: float | None = None

    def failure(self, measured: Mapping[str, float]) -> str | None:
        """Why it fails, if it does; what was not measured fails, as nobody knows."""
        value = measured.get(self.name)
        if value is None:
            return f"no values of {self.name}"
        if self.minimum is not None and value < self.minimum:
            return f"{self.name} {value:.4g} is below {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"{self.name} {value:.4g} is above {self.maximum:g}"
        return None


@dataclass(frozen=True)
class Analysis:
    """How a version is tried.

    Attributes:
        checks: all must hold in an interval.
        threshold: failed checks at which it is rolled back.
        interval_s: between two looks.
        step_weight, max_weight: percent of the requests, of a canary.
        step_weights: in place of both, one after the other.
        step_weight_promotion: how requests move to the promoted version; 0 is all at once.
        iterations: intervals of blue/green and A/B; 0 is a canary.
        match: who is meant, of A/B.
        mirror: whether copies of requests come first (canary) or throughout (blue/green).
        mirror_percent: of requests that are copied.
        session_cookie: whoever got the new version once keeps it, by a cookie of this name; empty: chance decides each time.

    Raises:
        InputError: for what cannot be.
    """

    checks: tuple[Check, ...] = (Check(SUCCESS_RATE, minimum=99.0), Check(DURATION, maximum=500.0))
    threshold: int = 5
    interval_s: float = 60.0
    step_weight: float = 10.0
    max_weight: float = 50.0
    step_weights: tuple[float, ...] = ()
    step_weight_promotion: float = 0.0
    iterations: int = 0
    match: tuple[HttpMatch, ...] = ()
    mirror: bool = False
    mirror_percent: float = 100.0
    session_cookie: str = ""

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise InputError("a threshold of failed checks must be at least 1")
        if self.interval_s <= 0:
            raise InputError(f"an interval must be above zero, not {self.interval_s:g} s")
        if self.match and not self.iterations:
            raise InputError("an A/B test needs iterations: it says whom it means but not for how long")
        if self.mirror and self.strategy is Strategy.AB:
            raise InputError("an A/B test cannot be mirrored: those whom it means get the new version")
        if self.session_cookie and self.strategy is not Strategy.CANARY:
            raise InputError("session affinity is for a canary: only there chance decides who gets the new version")
        weights = self.weights
        if any(not 0 < weight <= WHOLE for weight in weights):
            raise InputError(f"weights of a canary must be above 0 and at most {WHOLE}")
        if any(later <= earlier for earlier, later in itertools.pairwise(weights)):
            raise InputError("weights of a canary must rise from step to step")
        if not 0 < self.mirror_percent <= WHOLE or not 0 <= self.step_weight_promotion <= WHOLE:
            raise InputError(f"percents of mirroring and of promotion must be at most {WHOLE}")

    @property
    def strategy(self) -> Strategy:
        """Who is meant makes it A/B, and a number of iterations blue/green (Flagger)."""
        if self.match:
            return Strategy.AB
        return Strategy.BLUE_GREEN if self.iterations else Strategy.CANARY

    @property
    def weights(self) -> tuple[float, ...]:
        """What the canary gets, step by step; a last step that would go beyond the most stays at it.

        Raises:
            InputError: if the steps are not above zero.
        """
        if self.step_weights:
            return self.step_weights
        if not self.step_weight > 0:
            raise InputError(f"the step of a canary's weight must be above zero, not {self.step_weight:g}")
        count = max(1, -int(-self.max_weight // self.step_weight))
        return tuple(min(self.step_weight * (number + 1), self.max_weight) for number in range(count))


@dataclass(frozen=True)
class Status:
    """Where a rollout stands.

    Attributes:
        weight: percent of requests that the new version gets; of those who are meant in an A/B test.
        steps: of the analysis that are done.
        mirrored: whether it gets copies of requests.
        said: what the last step found.
    """

    phase: Phase = Phase.INITIALISING
    weight: float = 0.0
    steps: int = 0
    failed_checks: int = 0
    mirrored: bool = False
    said: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED)

    @property
    def is_seen(self) -> bool:
        """Whether the new version has requests to be measured by, or was to be tested with its own."""
        return self.weight > 0 or self.mirrored or self.steps > 0


def measured(signals: Signals) -> dict[str, float]:
    """What checks ask for, of the golden signals of the new version in an interval; nothing if nobody called it."""
    if not signals.count:
        return {}
    return {SUCCESS_RATE: 100.0 * (1.0 - signals.error_share), DURATION: signals.p99_ms}


def step(
    analysis: Analysis,
    status: Status,
    values: Mapping[str, float],
    *,
    ready: bool = True,
    confirmed: bool = True,
    aborted: bool = False,
) -> Status:
    """The status after one more interval.

    Args:
        analysis: how the version is tried.
        status: before.
        values: what was measured of the new version in the interval, by name (:func:`measured`).
        ready: whether the new version is up; one that is not makes everything wait.
        confirmed: whether somebody said yes to its promotion.
        aborted: whether somebody stopped it.
    """
    if aborted and (status.phase, Event.ABORTED) in TRANSITIONS:
        return _rolled_back(status, Event.ABORTED, "stopped by hand")
    if not ready:
        return replace(status, said="the new version is not ready")
    if status.phase is Phase.INITIALISING:
        return replace(status, phase=TRANSITIONS[status.phase, Event.READY], said="the new version is up")
    if status.phase is Phase.PROMOTING:
        return _shifted(analysis, status)
    if status.phase is Phase.FINALISING:
        return replace(status, phase=TRANSITIONS[status.phase, Event.CLEARED], weight=0.0, said="promoted")
    if status.over:
        return status
    if status.is_seen:
        failures = [why for check in analysis.checks if (why := check.failure(values)) is not None]
        if failures:
            failed = replace(status, failed_checks=status.failed_checks + 1)
            if failed.failed_checks >= analysis.threshold:
                return _rolled_back(failed, Event.FAILED_TOO_OFTEN, "; ".join(failures))
            return replace(failed, said="; ".join(failures))
    return _advanced(analysis, status, confirmed)


def _advanced(analysis: Analysis, status: Status, confirmed: bool) -> Status:
    if status.steps < _last_step(analysis):
        weight, mirrored = _traffic(analysis, status.steps + 1)
        return replace(status, weight=weight, mirrored=mirrored, steps=status.steps + 1, said="on")
    event = Event.PASSED if confirmed else Event.NOT_CONFIRMED
    phase = TRANSITIONS.get((status.phase, event), status.phase)
    return replace(status, phase=phase, said="passed" if confirmed else "waits for somebody to say yes")


def _last_step(analysis: Analysis) -> int:
    """Steps of an analysis: those of weights and one of copies before them; intervals, and one with all requests."""
    if analysis.strategy is Strategy.CANARY:
        return len(analysis.weights) + analysis.mirror
    return analysis.iterations + (analysis.strategy is Strategy.BLUE_GREEN)


def _traffic(analysis: Analysis, number: int) -> tuple[float, bool]:
    """The weight in a step, from 1, and whether requests are copied."""
    if analysis.strategy is Strategy.AB:
        return float(WHOLE), False
    if analysis.strategy is Strategy.BLUE_GREEN:
        tests = number <= analysis.iterations
        return (0.0, analysis.mirror) if tests else (float(WHOLE), False)
    if analysis.mirror and number == 1:
        return 0.0, True
    return analysis.weights[number - 1 - analysis.mirror], False


def _shifted(analysis: Analysis, status: Status) -> Status:
    """Requests go from the trial's copies to the promoted version in the old one's place."""
    by = analysis.step_weight_promotion
    left = max(0.0, status.weight - by) if by else 0.0
    phase = status.phase if left else TRANSITIONS[status.phase, Event.SHIFTED]
    return replace(status, phase=phase, weight=left, said="requests move to the promoted version")


def _rolled_back(status: Status, event: Event, why: str) -> Status:
    return replace(status, phase=TRANSITIONS[status.phase, event], weight=0.0, mirrored=False, said=why)


def most_exposed(analysis: Analysis, good_steps: int = 0) -> float:
    """The most that a version which is bad from some step on can get before it is rolled back.

    In intervals of all requests: 0.5 is half of them for one interval, or a tenth for five; of those who are meant in an A/B
    test.  Copies do not count: nobody sees what becomes of them.

    Args:
        analysis: how it is tried.
        good_steps: steps in which no check fails; after them all do.  One less than all steps bounds any version whatever,
            but for the time in which somebody is waited for.
    """
    last = _last_step(analysis)
    shares = [_traffic(analysis, number)[0] / WHOLE for number in range(1, last + 1)]
    at = min(good_steps, last - 1)
    return sum(shares[:at]) + shares[at] * analysis.threshold


@dataclass(frozen=True)
class Exposure:
    """How many requests, and how many of them the new version answered while it was on trial."""

    requests: int = 0
    new_version: int = 0

    def with_interval(self, status: Status, requests: int, new_version: int) -> Exposure:
        """With those of one more interval, in which ``status`` held."""
        tried = new_version if status.phase in ON_TRIAL else 0
        return Exposure(self.requests + requests, self.new_version + tried)

    @property
    def share(self) -> float:
        """Of all requests; 0 if there were none."""
        return self.new_version / self.requests if self.requests else 0.0
