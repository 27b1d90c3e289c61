"""The outcome of a study: every figure of every arm with its interval, the tests, the claims and where they flip.

The JSON that ``skyedge run --json OUT`` writes for ``kind: Study``; what an experiment's has too is of the same form:

    {"kind": "Study", "experiment": NAME, "study": SUBJECT, "digest": .., "seeds": [..], "stopped": bool, "baseline": ARM,
     "metrics": {METRIC: {"heading": .., "unit": .., "better": "more" | "less"}}, those of the table, in order,
     "arms": {ARM: {METRIC: {"mean": x, "low": x | null, "high": x | null, "per_seed": [..]}}},
     "tests": {ARM: {METRIC: {"difference": x, "p": x | null, "p_holm": x | null, "verdict": ".."}}},
     "claims": [{"name": .., "verdict": "met" | "not met" | "not tested", "arm": .., "words": ..,
                 "evidence": "measured" | "modelled" | "cited", "source": ..,
                 "flips": [{"key": .., "unit": .., "source": .., "in_file": x, "low": x, "high": x,
                            "turns": [{"side": "below" | "above", "value": x, "verdict": ..}]}]}]}

A unit of ``%`` means a share, 0.2 for 20 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from skyedge.experiment.claims import Verdict
from skyedge.experiment.outcome import tables_within, without_nan, write_json
from skyedge.experiment.statistics import (
    REAL_BELOW,
    SEEDS_FOR_A_MEAN,
    Estimate,
    holm,
    permutation_p,
    seeds_for_a_test,
)
from skyedge.experiment.study import Study
from skyedge.experiment.study_flips import Flip, figures_by_arm, judge_claim
from skyedge.experiment.study_loading import columns_of, study_digest
from skyedge.experiment.study_subject import Metric
from skyedge.wording import counted


@dataclass(frozen=True)
class MetricTest:
    """Is a figure of an arm another than the baseline's?"""

    difference: float
    p: float | None
    p_holm: float | None
    verdict: str


@dataclass(frozen=True)
class StudyClaimResult:
    """The verdict on a claim, of what kind the evidence is, and how far its constants may be off."""

    name: str
    verdict: Verdict
    arm: str | None
    words: str
    evidence: str
    source: str
    flips: tuple[Flip, ...] = ()

    def sentence(self) -> str:
        """The arm and what decided, the flips apart."""
        return f"{self.arm or '–'}: {self.words}"


@dataclass(frozen=True)
class StudyOutcome:
    """All that is shown of a study, series and listings apart."""

    experiment: str
    study: str
    digest: str
    seeds: tuple[int, ...]
    stopped: bool
    baseline: str
    metrics: dict[str, Metric]
    arms: dict[str, dict[str, Estimate]]
    tests: dict[str, dict[str, MetricTest]]
    claims: tuple[StudyClaimResult, ...]

    def with_flips(self, flips: Mapping[str, Sequence[Flip]]) -> StudyOutcome:
        """The outcome with the flips of its claims, by the claim's name."""
        claims = (replace(claim, flips=tuple(flips.get(claim.name, ()))) for claim in self.claims)
        return replace(self, claims=tuple(claims))

    def as_dict(self) -> dict[str, Any]:
        """Plain types, NaN as None."""
        plain: dict[str, Any] = without_nan({"kind": "Study", **asdict(self)})
        return plain

    def write_json(self, path: Path) -> None:
        """Write atomically."""
        write_json(path, self.as_dict())


def conclude_study(
    study: Study, findings: Mapping[str, Sequence[Mapping[str, float]]], *, stopped: bool = False
) -> StudyOutcome:
    """Estimates, tests and claims from the figures of each arm, one entry a seed, the seeds as in ``study``."""
    table = figures_by_arm(study, {arm: list(runs) for arm, runs in findings.items()})
    columns = columns_of(study)
    claims = []
    for claim in study.claims:
        found = judge_claim(study, claim, table)
        claims.append(StudyClaimResult(claim.name, found.verdict, found.arm, found.words, claim.evidence, claim.source))
    return StudyOutcome(
        study.metadata.name,
        study.study,
        study_digest(study),
        study.seeds,
        stopped,
        study.baseline,
        columns,
        table,
        _tests(findings, study.baseline, columns),
        tuple(claims),
    )


def _tests(
    findings: Mapping[str, Sequence[Mapping[str, float]]], baseline: str, columns: Mapping[str, Metric]
) -> dict[str, dict[str, MetricTest]]:
    """Paired tests of every figure of the table that a run itself has, Holm-corrected over all of them."""
    if not findings.get(baseline):
        return {}
    seeds = len(findings[baseline])
    differences = {
        (arm, name): [run[name] - base[name] for run, base in zip(runs, findings[baseline], strict=True)]
        for arm, runs in findings.items()
        if arm != baseline
        for name in columns
        if name in runs[0]
    }
    # A figure that is the same in every seed is no difference to test, and none that others must be corrected for.
    told = {key: d for key, d in differences.items() if math.isfinite(sum(d)) and any(d)}
    needed = seeds_for_a_test(len(told))
    p_values: dict[str, float] = {}
    if seeds >= needed:
        p_values = {f"{arm}\n{name}": permutation_p(d) for (arm, name), d in told.items()}
    corrected = holm(p_values)
    tests: dict[str, dict[str, MetricTest]] = {}
    for (arm, name), d in differences.items():
        key = f"{arm}\n{name}"
        p, p_holm = p_values.get(key), corrected.get(key)
        if p_holm is not None:
            verdict = "real" if p_holm < REAL_BELOW else "unclear"
        elif not any(d):
            verdict = "the same"
        elif seeds < needed:
            verdict = f"not tested: {counted(seeds, 'seed(s)')}, {needed} needed"
        else:
            verdict = "not tested: it is not known in every seed"
        tests.setdefault(arm, {})[name] = MetricTest(sum(d) / len(d), p, p_holm, verdict)
    return tests


def heading_of(metric: Metric) -> str:
    """What stands above a column: the heading and the unit, which share a line break."""
    return metric.heading if metric.unit in ("", "%") else f"{metric.heading} {metric.unit}"


def cell(estimate: Estimate | None, metric: Metric, ratio: Estimate | None = None) -> str:
    """``0.62 ± 0.01 (×1.3)``: a mean to three places, half its interval, and how much of the baseline's it is."""
    if estimate is None or not math.isfinite(estimate.mean):
        return "–"
    factor, unit = (100.0, "%") if metric.unit == "%" else (1.0, "")
    mean = estimate.mean * factor
    digits = 1 if unit else _digits(mean)
    half = ""
    if estimate.low is not None and estimate.high is not None:
        half = f"{(estimate.high - estimate.low) / 2 * factor:,.{digits}f}"
    text = f"{mean:,.{digits}f}{f' ± {half}' if half.strip('0.') else ''}{unit}"
    told = ratio is not None and math.isfinite(ratio.mean) and ratio.mean != 1
    return f"{text} (×{ratio.mean:.3g})" if ratio is not None and told else text


def _digits(value: float) -> int:
    """Decimals that show three places of a value."""
    if value == 0 or abs(value) >= 1000:
        return 0
    return min(6, max(0, 2 - math.floor(math.log10(abs(value)))))


def ratio_of(outcome: StudyOutcome, arm: str, metric: str) -> Estimate | None:
    """How much of the baseline's a figure is, for a figure of the runs themselves and of another arm."""
    return None if arm == outcome.baseline else outcome.arms[arm].get(f"{metric}_ratio")


def study_tables(outcome: StudyOutcome, width: int) -> list[Table]:
    """Arms by columns for a terminal of ``width`` characters."""
    seeds = len(outcome.seeds)
    means = "mean ± half a 95 % interval" if seeds >= SEEDS_FOR_A_MEAN else f"no intervals below {SEEDS_FOR_A_MEAN} seeds"
    title = f"{outcome.experiment}: {counted(seeds, 'seed(s)')}, {means}, × {outcome.baseline}"
    columns = [
        (
            heading_of(metric),
            [cell(table.get(name), metric, ratio_of(outcome, arm, name)) for arm, table in outcome.arms.items()],
        )
        for name, metric in outcome.metrics.items()
    ]
    return tables_within(title, list(outcome.arms), columns, width)
