"""Is a claim of the field met?  By one and the same arm, in all its parts, with the interval clear of the bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from skyedge.experiment.spec import Claim
from skyedge.experiment.statistics import SEEDS_FOR_A_MEAN, Estimate


@dataclass(frozen=True)
class ClaimResult:
    """The verdict, the arm that met the claim or came nearest, and what decided."""

    name: str
    verdict: Literal["met", "not met", "not tested"]
    arm: str | None
    evidence: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def judge(claim: Claim, table: Mapping[str, Mapping[str, Estimate]]) -> ClaimResult:
    """Judge ``claim`` on the estimates of each arm; oracles know the truth and cannot meet it."""
    arms = [arm for arm in (claim.arms or table) if arm in table and (claim.arms or not arm.startswith("oracle"))]
    best: tuple[tuple[int, float], str, str] | None = None
    untested: str | None = None
    for arm in arms:
        met, shortfall, words = 0, 0.0, []
        for part in claim.parts:
            estimate = table[arm].get(part.metric)
            if estimate is None:
                untested = untested or f"no arm measures '{part.metric}'"
                break
            if estimate.low is None or estimate.high is None:
                untested = untested or _no_interval(arm, part.metric, len(estimate.per_seed))
                break
            clear = estimate.low >= part.at_least
            met += clear
            shortfall -= max(0.0, part.at_least - estimate.low)
            words.append(
                f"{part.metric} {estimate.mean:.1%} [{estimate.low:.1%}, {estimate.high:.1%}] "
                f"{'clears' if clear else 'misses'} {part.at_least:.0%}"
            )
        else:  # an arm of which a part cannot be told neither meets the claim nor keeps another from it
            score = (met, shortfall)
            if best is None or score > best[0]:
                best = (score, arm, "; ".join(words))
    if best is None:
        return ClaimResult(claim.name, "not tested", None, untested or "none of its arms was run")
    (met, _), arm, evidence = best
    return ClaimResult(claim.name, "met" if met == len(claim.parts) else "not met", arm, f"measured: {evidence}")


def _no_interval(arm: str, metric: str, seeds: int) -> str:
    if seeds < SEEDS_FOR_A_MEAN:
        return f"{seeds} seed(s) give no interval; at least {SEEDS_FOR_A_MEAN} are needed"
    return f"{metric} of {arm} is not known in every seed and every draw of places"
