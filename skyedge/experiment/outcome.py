"""The outcome of an experiment: every figure of every arm with its interval, the tests and the claims.

The JSON that ``skyedge run --json OUT`` writes:

    {"experiment": NAME, "digest": SPEC DIGEST, "seeds": [..], "stopped": bool,
     "arms": {ARM: {METRIC: {"mean": x, "low": x | null, "high": x | null, "per_seed": [..]}}},
     "equal_bytes": {MINER: {METRIC: {..}}}, at a tenth of the bytes of the compressed bent pipe,
     "tests": {ARM: {"difference_points": x, "p": x | null, "p_holm": x | null, "verdict": ".."}},
     "claims": [{"name": .., "verdict": "met" | "not met" | "not tested", "arm": .., "evidence": .., "constants": [..]}]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

from rich import box
from rich.table import Table

from skyedge.experiment.claims import ClaimResult, judge
from skyedge.experiment.equal_bytes import at_equal_bytes
from skyedge.experiment.kept_files import keep
from skyedge.experiment.loading import canonical, digest, resolve_arm, value_at
from skyedge.experiment.metrics import RunMetrics
from skyedge.experiment.spec import Claim, Experiment
from skyedge.experiment.statistics import (
    REAL_BELOW,
    SEEDS_FOR_A_MEAN,
    Estimate,
    estimates,
    holm,
    permutation_p,
    seeds_for_a_test,
)
from skyedge.wording import counted


@dataclass(frozen=True)
class ArmTest:
    """Is the arm's accuracy another than the in-orbit arm's?"""

    difference_points: float
    p: float | None
    p_holm: float | None
    verdict: str


@dataclass(frozen=True)
class Outcome:
    """All that is shown of an experiment."""

    experiment: str
    digest: str
    seeds: tuple[int, ...]
    stopped: bool
    arms: dict[str, dict[str, Estimate]]
    equal_bytes: dict[str, dict[str, Estimate]]
    tests: dict[str, ArmTest]
    claims: tuple[ClaimResult, ...]

    @property
    def baseline(self) -> str:
        """The arm that the others are tested against: the one without a test of its own."""
        untested = [arm for arm in self.arms if arm not in self.tests]
        return untested[0] if self.tests and untested else "in-orbit"

    def as_dict(self) -> dict[str, Any]:
        """Plain types, NaN as None."""
        plain: dict[str, Any] = without_nan(asdict(self))
        return plain

    def write_json(self, path: Path) -> None:
        """Write atomically."""
        write_json(path, self.as_dict())


def conclude(experiment: Experiment, metrics: Mapping[str, Sequence[RunMetrics]], *, stopped: bool = False) -> Outcome:
    """Estimates, tests and claims from the metrics of each arm, one entry a seed."""
    roles = experiment.baselines.model_dump()
    table = estimates(metrics, roles, experiment.metadata.name)
    equal = at_equal_bytes(experiment, metrics)
    base = {roles["in_orbit"]: metrics[roles["in_orbit"]]} if equal else {}
    # Estimated beside the in-orbit arm, so that their gains come of the same draws of seeds and places.
    by_miner = estimates({**base, **equal}, roles, experiment.metadata.name) if equal else {}
    claims = tuple(_judged(experiment, claim, table) for claim in experiment.claims)
    seeds = tuple(experiment.seeds)[: len(next(iter(metrics.values())))]
    tests = _tests(metrics, roles["in_orbit"])
    name = experiment.metadata.name
    equal_bytes = {miner: by_miner[miner] for miner in equal}
    return Outcome(name, digest(canonical(experiment)), seeds, stopped, table, equal_bytes, tests, claims)


def _judged(experiment: Experiment, claim: Claim, table: Mapping[str, Mapping[str, Estimate]]) -> ClaimResult:
    """The verdict, with the constants that decide it as the arm has them of which it speaks."""
    result = judge(claim, table)
    if not claim.constants:
        return result
    arm = resolve_arm(experiment, result.arm) if result.arm is not None else experiment
    values = [f"{one.key} = {_plain(value_at(arm, one.key))} ({one.source})" for one in claim.constants]
    return replace(result, constants=tuple(values))


def _plain(value: object) -> str:
    """A figure without digits that say nothing, a word as it is."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _tests(metrics: Mapping[str, Sequence[RunMetrics]], base: str) -> dict[str, ArmTest]:
    if base not in metrics:
        return {}
    differences = {
        arm: [run.figures["accuracy"] - other.figures["accuracy"] for run, other in zip(runs, metrics[base], strict=True)]
        for arm, runs in metrics.items()
        if arm != base
    }
    seeds = len(metrics[base])
    needed = seeds_for_a_test(len(differences))
    if seeds < needed:
        return {
            arm: ArmTest(100 * sum(d) / len(d), None, None, f"not tested: {counted(seeds, 'seed(s)')}, {needed} needed")
            for arm, d in differences.items()
        }
    # Where nothing was scored there is no difference to test, and none that others have to be corrected for.
    p_values = {arm: permutation_p(d) for arm, d in differences.items() if math.isfinite(sum(d))}
    corrected = holm(p_values)
    nothing = ArmTest(math.nan, None, None, "not tested: a seed has no scene to score")
    return {
        arm: ArmTest(
            100 * sum(d) / len(d), p_values[arm], corrected[arm], "real" if corrected[arm] < REAL_BELOW else "unclear"
        )
        if arm in p_values
        else nothing
        for arm, d in differences.items()
    }


TABLE_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("accuracy", "accuracy", "percent"),
    ("accuracy_gain", "gain over in-orbit", "percent"),
    ("downlink_demanded_mb", "bytes demanded", "bytes"),
    ("downlink_delivered_mb", "bytes delivered", "bytes"),
    ("downlink_reduction", "less than bent pipe", "saved"),
    ("downlink_reduction_over_raw", "less than raw", "saved"),
    ("backhaul_reduction", "less backhaul", "saved"),
    ("latency_p50_min", "latency p50 min", "plain"),
    ("latency_p95_min", "latency p95 min", "plain"),
    ("orbit_joules_per_answer", "J per answer", "plain"),
)
"""(metric, heading, how it is written) of the table on the terminal and in the report."""

LAYER_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("pool_wait_p50_s", "pool wait p50 s", "plain"),
    ("pool_wait_p95_s", "pool wait p95 s", "plain"),
    ("cost_per_day", "cost a day", "plain"),
    ("cost_per_answer", "cost per 1,000 answers", "thousand"),
    ("cost_reduction", "less than peak always", "saved"),
    ("idle_share", "idle", "percent"),
    ("cold_starts_per_day", "cold starts a day", "plain"),
    ("gpu_utilisation", "GPUs in use", "percent"),
    ("gpu_lost_share", "of it lost", "percent"),
    ("job_wait_mean_min", "job waits mean min", "plain"),
    ("job_wait_p95_min", "job waits p95 min", "plain"),
    ("training_completed", "trainings done", "plain"),
    ("evaluation_completed", "evalua- tions done", "plain"),
    ("preemptions", "pods evicted", "plain"),
    ("picture_mb_hops", "pictures × hops", "bytes"),
    ("image_mb_hops", "images × hops", "bytes"),
    ("training_mb_hops", "training data × hops", "bytes"),
    ("busiest_cluster_share", "at the busiest cluster", "percent"),
    ("kept_share", "of what landed kept", "percent"),
    ("pictures_lost", "pictures lost", "plain"),
    ("answers_lost", "answers lost", "plain"),
    ("sent_again", "sent again", "plain"),
    ("kept_back", "kept back until served", "plain"),
    ("failover_declared_s", "outage seen after s", "plain"),
    ("failover_serving_s", "served elsewhere after s", "plain"),
    ("requests_served", "requests served", "percent"),
    ("requests_lost", "requests lost", "percent"),
    ("request_p50_ms", "request p50 ms", "plain"),
    ("request_p99_ms", "request p99 ms", "plain"),
    ("request_mb_hops", "requests × hops", "bytes"),
    ("ground_carbon_g", "g CO2 on the ground", "plain"),
    ("ground_cost", "cost of replicas", "plain"),
)
"""The same for the layers of the control plane; a column is shown if an arm has its figure."""


def columns_of(arms: Mapping[str, Mapping[str, object]], baseline: str = "in-orbit") -> list[tuple[str, str, str]]:
    """The columns that the table of these arms has; gains are over ``baseline``."""
    present = {metric for figures in arms.values() for metric in figures}
    columns = [*TABLE_COLUMNS, *(column for column in LAYER_COLUMNS if column[0] in present)]
    return [(metric, heading.replace("in-orbit", baseline), style) for metric, heading, style in columns]


_STYLES = {"percent": (100.0, "%"), "saved": (100.0, "%"), "plain": (1.0, ""), "thousand": (1000.0, "")}
_BYTE_UNITS = ((1e6, 1e-6, " TB"), (1e3, 1e-3, " GB"), (0.0, 1.0, " MB"))


def written(estimate: Estimate | None, style: str) -> str:
    """A mean with half the width of its interval, as ``52.3 ± 1.2%``; a half that rounds to nothing is left out.

    Bytes come in megabytes.
    """
    if estimate is None or not math.isfinite(estimate.mean):
        return "–"
    if style == "saved" and estimate.mean < -1:
        return f"{1 - estimate.mean:.1f} × more"
    if style == "bytes":
        factor, unit = next((factor, unit) for least, factor, unit in _BYTE_UNITS if estimate.mean >= least)
    else:
        factor, unit = _STYLES[style]
    value = estimate.mean * factor
    digits = 1 if abs(value) >= 10 or style in ("percent", "saved") else 2
    half = (
        "" if estimate.low is None or estimate.high is None else f"{(estimate.high - estimate.low) / 2 * factor:.{digits}f}"
    )
    return f"{value:.{digits}f}{f' ± {half}' if half.strip('0.') else ''}{unit}"


def terminal_tables(outcome: Outcome, width: int) -> list[Table]:
    """Arms by columns: one table, or as many as it takes where ``width`` characters do not hold one."""
    seeds = len(outcome.seeds)
    scored = next(iter(outcome.arms.values()))["scored_scenes"].mean
    title = (
        f"{outcome.experiment}: {counted(seeds, 'seed(s)')}, {scored:,.0f} scored scenes a seed, "
        f"{'mean ± half a 95 % interval' if seeds >= SEEDS_FOR_A_MEAN else f'no intervals below {SEEDS_FOR_A_MEAN} seeds'}"
    )
    columns = [
        (heading, [written(figures.get(metric), style) for figures in outcome.arms.values()])
        for metric, heading, style in columns_of(outcome.arms, outcome.baseline)
    ]
    return tables_within(title, list(outcome.arms), columns, width)


def tables_within(title: str, arms: Sequence[str], columns: Sequence[tuple[str, list[str]]], width: int) -> list[Table]:
    """Headings with their cells, one cell an arm: one table, or as many as it takes in ``width`` characters."""
    room = width - max(len(arm) for arm in arms) - 3
    groups: list[list[tuple[str, list[str]]]] = [[]]
    taken = 0
    for heading, column in columns:
        lines = wrap(heading, 9)
        needed = max(map(len, [*column, *lines])) + 3
        if groups[-1] and taken + needed > room:
            groups.append([])
            taken = 0
        groups[-1].append(("\n".join(lines), column))
        taken += needed
    tables = []
    for number, group in enumerate(groups):
        table = Table(title=None if number else title, box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("arm", no_wrap=True)
        for heading, _ in group:
            table.add_column(heading, justify="right", no_wrap=True)
        for row, arm in enumerate(arms):
            table.add_row(arm, *(column[row] for _, column in group))
        tables.append(table)
    return tables


def equal_bytes_table(outcome: Outcome) -> Table:
    """Miners by what they would be worth at the same bytes, the best first."""
    table = Table(title="miners at equal bytes: a tenth of the compressed bent pipe", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("miner", "accuracy", f"gain over {outcome.baseline}"):
        table.add_column(heading, justify="left" if heading == "miner" else "right")
    for miner, figures in by_worth(outcome.equal_bytes):
        table.add_row(miner, written(figures["accuracy"], "percent"), written(figures["accuracy_gain"], "percent"))
    return table


def by_worth(equal_bytes: Mapping[str, dict[str, Estimate]]) -> list[tuple[str, dict[str, Estimate]]]:
    """Miners and their figures, the most accurate first."""
    return sorted(equal_bytes.items(), key=lambda item: (-item[1]["accuracy"].mean, item[0]))


def write_json(path: Path, content: Any) -> None:
    """Write plain types to ``path``, whole or not at all."""
    keep(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def without_nan(value: Any) -> Any:
    """Nested plain types with None for what is no finite number."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
