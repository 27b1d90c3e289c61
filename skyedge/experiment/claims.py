"""Is a claim of the field met?  By one and the same arm, in all its parts, with the interval clear of the bar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from skyedge.experiment.spec import Claim
from skyedge.experiment.statistics import SEEDS_FOR_A_MEAN, Estimate

Verdict = Literal["met", "not met", "not tested"]


class Bar(Protocol):
    """One part of a claim: a figure that should be at least, or at most, so much."""

    @property
    def metric(self) -> str: ...

    @property
    def at_least(self) -> float | None: ...

    @property
    def at_most(self) -> float | None: ...


@dataclass(frozen=True)
class LeastBar:
    """A figure that should be at least so much."""

    metric: str
    at_least: float
    at_most: None = None


@dataclass(frozen=True)
class Judgement:
    """The verdict, the arm that met all bars or came nearest, and what decided, in words."""

    verdict: Verdict
    arm: str | None
    words: str


@dataclass(frozen=True)
class ClaimResult:
    """The verdict, the arm that met the claim or came nearest, and what decided.

    ``evidence`` is in words, and begins with what kind it is of; ``constants`` are those that decide a claim that is
    modelled, each as ``key = value (source)``.
    """

    name: str
    verdict: Verdict
    arm: str | None
    evidence: str
    constants: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """All but the verdict and the name, as a reader should see it."""
        decided = [f"decided by {', '.join(self.constants)}"] if self.constants else []
        return [f"{self.arm or '–'}: {self.evidence}", *decided]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judge(claim: Claim, table: Mapping[str, Mapping[str, Estimate]]) -> ClaimResult:
    """Judge ``claim`` on the estimates of each arm; oracles know the truth and cannot meet it."""
    arms = [arm for arm in (claim.arms or table) if arm in table and (claim.arms or not arm.startswith("oracle"))]
    bars = [LeastBar(part.metric, part.at_least) for part in claim.parts]
    decimals = {bar.metric: _decimals(bar.at_least) for bar in bars}

    def percent(metric: str, value: float, is_bar: bool) -> str:
        return f"{value:.{decimals[metric] + (not is_bar)}%}"

    found = judge_bars(bars, arms, table, percent)
    evidence = found.words if found.verdict == "not tested" else f"{claim.evidence}: {found.words}"
    return ClaimResult(claim.name, found.verdict, found.arm, evidence)


def _decimals(bar: float) -> int:
    """That a bar needs in percent: a figure is written with one more, so that 99.94 % does not look like 99.9 %."""
    _, _, decimals = f"{100 * bar:.10g}".partition(".")
    return len(decimals)


def judge_bars(
    bars: Sequence[Bar],
    arms: Sequence[str],
    table: Mapping[str, Mapping[str, Estimate]],
    written: Callable[[str, float, bool], str],
) -> Judgement:
    """Judge ``bars`` on the estimates of ``arms``, those of ``table`` that may meet them.

    Args:
        bars: what one arm must clear, every one of them with its whole interval.
        arms: in the order in which the first of equals is named.
        table: figures by arm.
        written: how a value of a metric is written; the last argument says whether it is the bar's.
    """
    best: tuple[tuple[int, float], str, str] | None = None
    untested: str | None = None
    for arm in arms:
        met, shortfall, words = 0, 0.0, []
        for bar in bars:
            estimate = table[arm].get(bar.metric)
            if estimate is None:
                untested = untested or f"no arm measures '{bar.metric}'"
                break
            if estimate.low is None or estimate.high is None:
                untested = untested or _no_interval(arm, bar.metric, len(estimate.per_seed))
                break
            limit, margin = _margin(bar, estimate.low, estimate.high)
            met += margin >= 0
            shortfall -= max(0.0, -margin)
            mean, low, high = (written(bar.metric, value, False) for value in (estimate.mean, estimate.low, estimate.high))
            clears = "clears" if margin >= 0 else "misses"
            words.append(f"{bar.metric} {mean} [{low}, {high}] {clears} {written(bar.metric, limit, True)}")
        else:  # an arm of which a part cannot be told neither meets the claim nor keeps another from it
            score = (met, shortfall)
            if best is None or score > best[0]:
                best = (score, arm, "; ".join(words))
    if best is None:
        return Judgement("not tested", None, untested or "none of its arms was run")
    (met, _), arm, text = best
    return Judgement("met" if met == len(bars) else "not met", arm, text)


def _margin(bar: Bar, low: float, high: float) -> tuple[float, float]:
    """The bar, and by how much the worse end of the interval clears it."""
    if bar.at_least is not None:
        return bar.at_least, low - bar.at_least
    assert bar.at_most is not None
    return bar.at_most, bar.at_most - high


def _no_interval(arm: str, metric: str, seeds: int) -> str:
    if seeds < SEEDS_FOR_A_MEAN:
        return f"{seeds} seed(s) give no interval; at least {SEEDS_FOR_A_MEAN} are needed"
    return f"{metric} of {arm} is not known in every seed and every draw of places"
