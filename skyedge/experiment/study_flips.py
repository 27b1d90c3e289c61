"""Where a claim flips: the value of a constant at which its verdict turns, all else as in the file.

A figure that comes out of constants is worth no more than they are.  A reader who doubts one of them should not have to
run the study again: the report says how far it may be off before the verdict is another.  The search walks from the
file's value to each end of the range in a few steps and halves the first in which the verdict turns, so a verdict that
turns twice is reported where it turns first; one that turns and turns back within a step is missed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from skyedge.experiment.claims import Judgement, Verdict, judge_bars
from skyedge.experiment.statistics import Estimate, estimates_over_seeds
from skyedge.experiment.study import RELATIVE, Constant, Study, StudyClaim, relative_figures
from skyedge.experiment.study_loading import metrics_of, parameters_of, value_of, with_value
from skyedge.experiment.study_subject import Findings, Metric

STEPS = 4
"""Steps from the file's value to an end of the range."""

PRECISION = 1e-3
"""Of the value, or of the range where the value is near zero."""

RunArm = Callable[[Study, str, int], Findings]


@dataclass(frozen=True)
class Turn:
    """A verdict turns to ``verdict`` at ``value``, the first that was found to give it, and holds from there outward."""

    side: Literal["below", "above"]
    value: float
    verdict: Verdict


@dataclass(frozen=True)
class Flip:
    """What is known of one constant: the file's value, the range that was searched, and where the verdict turns in it."""

    key: str
    unit: str
    source: str
    in_file: float
    low: float
    high: float
    turns: tuple[Turn, ...]

    def words(self) -> str:
        """As a reader should see it."""
        unit = f" {self.unit}" if self.unit else ""
        name = self.key.removeprefix("parameters.")
        in_file = f"in file: {self.in_file:g}"
        if not self.turns:
            return f"no flip of {name} between {self.low:g} and {self.high:g}{unit} ({in_file})"
        signs = {"below": "≤", "above": "≥"}
        turns = (f"to {turn.verdict} at {name} {signs[turn.side]} {turn.value:.4g}{unit}" for turn in self.turns)
        return f"flips {', and '.join(turns)} ({in_file})"


def read_flip(content: Mapping[str, Any]) -> Flip:
    """A flip from what JSON makes of it."""
    return Flip(**{**content, "turns": tuple(Turn(**turn) for turn in content["turns"])})


def figures_by_arm(study: Study, findings: Mapping[str, list[Mapping[str, float]]]) -> dict[str, dict[str, Estimate]]:
    """Estimates of every figure of every arm, those against the baseline among them where it was run.

    Args:
        study: names the baseline, and keys the bootstrap.
        findings: figures by arm, one entry a seed.
    """
    base = findings.get(study.baseline)
    columns: dict[str, dict[str, list[float]]] = {}
    for arm, runs in findings.items():
        rows = [
            {**run, **(relative_figures(run, base[number]) if base is not None else {})} for number, run in enumerate(runs)
        ]
        columns[arm] = {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
    return estimates_over_seeds(columns, study.metadata.name)


def judge_claim(study: Study, claim: StudyClaim, table: Mapping[str, Mapping[str, Estimate]]) -> Judgement:
    """Judge a claim on the estimates of its arms."""
    metrics = metrics_of(study)
    arms = [arm for arm in study.arms_of(claim) if arm in table]
    return judge_bars(claim.parts, arms, table, lambda name, value, _: with_unit(metrics[name], value))


def with_unit(metric: Metric, value: float) -> str:
    """A value of a metric to three or four places, with its unit."""
    if metric.unit == "%":
        return f"{value:.1%}"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {metric.unit}".rstrip()


def find_flip(study: Study, claim_number: int, constant_number: int, verdict: Verdict, run_arm: RunArm) -> Flip:
    """Where the verdict of a claim, which is ``verdict`` as the file stands, turns as one of its constants is changed."""
    claim = study.claims[claim_number]
    constant = claim.constants[constant_number]
    in_file = value_of(study, constant.key)
    verdict_at = _verdicts(study, claim, constant, run_arm)
    turns = []
    sides: tuple[tuple[Literal["below", "above"], float], ...] = (("below", constant.low), ("above", constant.high))
    for side, end in sides:
        if end < in_file if side == "above" else end > in_file:
            continue  # whoever sets a value outside the range has left nothing to search on that side
        turn = _walk(in_file, type(in_file)(end), verdict, verdict_at, constant.high - constant.low)
        if turn is not None:
            turns.append(Turn(side, *turn))
    found = (constant.key, constant.unit, constant.source, in_file, constant.low, constant.high)
    return Flip(*found, tuple(turns))


def _walk(
    start: float, end: float, verdict: Verdict, verdict_at: Callable[[float], Verdict], width: float
) -> tuple[float, Verdict] | None:
    """The value nearest to ``start`` on the way to ``end`` at which the verdict is another, and that verdict."""
    whole = isinstance(start, int)
    points = [start + (end - start) * step / STEPS for step in range(1, STEPS + 1)]
    if whole:
        points = sorted({round(point) for point in points} - {start}, reverse=end < start)
    elif start == end:
        points = []
    same = start
    for point in points:
        other, turned = point, verdict_at(point)
        if turned == verdict:
            same = point
            continue
        while abs(other - same) > (1 if whole else PRECISION * max(abs(other), abs(same), PRECISION * width)):
            middle = (same + other) // 2 if whole else (same + other) / 2
            found = verdict_at(middle)
            if found == verdict:
                same = middle
            else:
                other, turned = middle, found
        return other, turned
    return None


def _verdicts(study: Study, claim: StudyClaim, constant: Constant, run_arm: RunArm) -> Callable[[float], Verdict]:
    """The verdict as a function of the constant; arms that do not depend on it are run once, and the baseline only for a
    claim that compares with it."""
    compared = any(part.metric.rpartition("_")[2] in RELATIVE for part in claim.parts)
    baseline = [study.baseline] if compared and study.baseline in study.arms else []
    arms = list(dict.fromkeys([*study.arms_of(claim), *baseline]))
    known: dict[tuple[str, int], Mapping[str, float]] = {}

    def figures(trial: Study, arm: str, seed: int) -> Mapping[str, float]:
        key = (json.dumps(parameters_of(trial, arm).model_dump(mode="json"), sort_keys=True), seed)
        if key not in known:
            known[key] = run_arm(trial, arm, seed).figures
        return known[key]

    def verdict_at(value: float) -> Verdict:
        trial = with_value(study, constant.key, value)
        findings = {arm: [figures(trial, arm, seed) for seed in trial.seeds] for arm in arms}
        return judge_claim(trial, claim, figures_by_arm(trial, findings)).verdict

    return verdict_at
