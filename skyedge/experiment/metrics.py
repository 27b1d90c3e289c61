"""What a run was worth, from its record and the truth about its scenes.

The definitions are those of the field guide: *accuracy* is correct answers that reached the user within the deadline,
divided by the scenes worth answering (planned captures over evaluate blocks, truly clear, whose deadline ends inside
the run).  That denominator is the same in every arm, and a scene that never came down is a wrong answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.earth.blocks import COLUMNS, EVALUATE, ROWS
from skyedge.earth.land import CLIMATE_ZONES
from skyedge.earth.scenes import SceneTable
from skyedge.experiment.layer_metrics import LAYER_METRICS, layer_figures
from skyedge.experiment.records import TIERS, RunRecord
from skyedge.time import MINUTE, Instant

BLOCKS = ROWS * COLUMNS

METRICS = (
    "scored_scenes",
    "accuracy",
    "delivered_accuracy",
    "answered_share",
    "macro_f1",
    "downlink_demanded_mb",
    "downlink_delivered_mb",
    "backhaul_mb_hops",
    "uplink_mb",
    *(f"latency_p{percent}_min" for percent in (50, 95, 99)),
    "orbit_joules_per_answer",
    "orbit_compute_share",
    *(f"answered_by_{tier.replace('-', '_')}" for tier in TIERS),
    *(f"accuracy_{zone}" for zone in CLIMATE_ZONES[1:]),
    *(f"accuracy_gain{points}{base}" for points in ("", "_points") for base in ("", "_over_archive")),
    *(f"{link}_reduction{base}" for link in ("downlink", "backhaul") for base in ("", "_over_raw")),
    *LAYER_METRICS,
)
"""Every figure that there can be; some need a baseline, scenes in a climate zone, or a layer that is on."""


@dataclass(frozen=True, eq=False)
class RunMetrics:
    """Figures of one run, and the counts by block from which intervals are drawn."""

    figures: dict[str, float]
    correct_by_block: NDArray[np.float64]  # (blocks,)
    worth_by_block: NDArray[np.float64]  # (blocks,)


@dataclass(frozen=True, eq=False)
class CountedAnswers:
    """The answer that counts for each scene; columns over all scenes of the run."""

    predicted: NDArray[np.int16]  # -1: none in time
    tier: NDArray[np.int8]  # -1: none in time
    latency_us: NDArray[np.int64]


def worth_answering(scenes: SceneTable, deadline_us: int, end: Instant) -> NDArray[np.bool_]:
    """Which scenes are scored, (scenes,)."""
    in_time = scenes.captured_at + deadline_us <= end
    return (scenes.split == EVALUATE) & ~scenes.cloudy & in_time


def counted_answers(record: RunRecord, scenes: SceneTable, deadline_us: int) -> CountedAnswers:
    """Of the answers that arrived in time, the one of the most trusted tier, and of those the first."""
    answers = record.answers
    latency = answers["answered_at"] - scenes.captured_at[answers["scene"]]
    in_time = np.flatnonzero(latency <= deadline_us)
    scene, tier, latency = answers["scene"][in_time], answers["tier"][in_time], latency[in_time]
    order = np.lexsort((-latency, tier, scene))
    # Later rows overwrite earlier ones: the last of a scene is its most trusted tier, and of that the quickest.
    chosen = in_time[order]
    predicted = np.full(len(scenes), -1, np.int16)
    best_tier = np.full(len(scenes), -1, np.int8)
    best_latency = np.full(len(scenes), -1, np.int64)
    predicted[scene[order]] = answers["predicted"][chosen]
    best_tier[scene[order]] = tier[order]
    best_latency[scene[order]] = latency[order]
    return CountedAnswers(predicted, best_tier, best_latency)


def measure(
    record: RunRecord, scenes: SceneTable, deadline_us: int, end: Instant, *, longest_deadline_us: int | None = None
) -> RunMetrics:
    """All figures of one run that need no other run.

    ``longest_deadline_us`` is that of all arms: arms of different patience must answer the same scenes.
    """
    scored = worth_answering(scenes, longest_deadline_us or deadline_us, end)
    counted = counted_answers(record, scenes, deadline_us)
    correct = scored & (counted.predicted == scenes.label)
    answered = scored & (counted.predicted >= 0)
    latency_min = counted.latency_us[answered] / MINUTE
    ledger = record.ledger
    figures = {
        "scored_scenes": float(scored.sum()),
        "accuracy": _ratio(correct.sum(), scored.sum()),
        "delivered_accuracy": _ratio(correct.sum(), answered.sum()),
        "answered_share": _ratio(answered.sum(), scored.sum()),
        "macro_f1": macro_f1(scenes.label[scored], counted.predicted[scored]),
        "downlink_demanded_mb": ledger.total_bytes("offered", segment="downlink") / 1e6,
        "downlink_delivered_mb": ledger.total_bytes("delivered", segment="downlink") / 1e6,
        "backhaul_mb_hops": ledger.byte_hops("offered", segment="terrestrial") / 1e6,
        "uplink_mb": ledger.total_bytes("offered", segment="uplink") / 1e6,
        **{
            f"latency_p{percent}_min": float(np.percentile(latency_min, percent)) if len(latency_min) else float("nan")
            for percent in (50, 95, 99)
        },
        **_energy(record, int((counted.predicted >= 0).sum())),
        **{
            f"answered_by_{tier.replace('-', '_')}": _ratio((counted.tier[scored] == number).sum(), scored.sum())
            for number, tier in enumerate(TIERS)
        },
    }
    for number, zone in enumerate(CLIMATE_ZONES):
        here = scored & (scenes.climate == number)
        if number and here.any():
            figures[f"accuracy_{zone}"] = _ratio((correct & here).sum(), here.sum())
    figures |= layer_figures(record, int((counted.predicted >= 0).sum()), end)
    return RunMetrics(
        figures,
        np.bincount(scenes.block[correct], minlength=BLOCKS).astype(float),
        np.bincount(scenes.block[scored], minlength=BLOCKS).astype(float),
    )


def macro_f1(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> float:
    """Mean over the classes that occur of F1; no answer is a wrong one."""
    scores = []
    for label in np.unique(truth):
        true, said = truth == label, predicted == label
        scores.append(2 * np.count_nonzero(true & said) / (np.count_nonzero(true) + np.count_nonzero(said)))
    return float(np.mean(scores)) if scores else float("nan")


def confusion(
    record: RunRecord, scenes: SceneTable, scored: NDArray[np.bool_], classes: int, deadline_us: int
) -> NDArray[np.int64]:
    """Scored scenes by truth (rows) and answer (columns; the last column is "none in time"): (classes, classes + 1)."""
    said = counted_answers(record, scenes, deadline_us).predicted[scored]
    table = np.zeros((classes, classes + 1), np.int64)
    np.add.at(table, (scenes.label[scored], np.where(said < 0, classes, said)), 1)
    return table


def relative_figures(
    figures: Mapping[str, NDArray[np.float64]], baselines: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> dict[str, NDArray[np.float64]]:
    """Figures that compare an arm with the baselines of the same seed; all arrays of one shape.

    ``baselines`` maps ``in_orbit``, ``in_orbit_archive``, ``bent_pipe`` and ``bent_pipe_raw`` to their figures, as far
    as the experiment has them.
    """
    relative: dict[str, NDArray[np.float64]] = {}
    for name, suffix in (("in_orbit", ""), ("in_orbit_archive", "_over_archive")):
        if name in baselines:
            base = baselines[name]["accuracy"]
            with np.errstate(divide="ignore", invalid="ignore"):
                relative[f"accuracy_gain{suffix}"] = (figures["accuracy"] - base) / base
            relative[f"accuracy_gain_points{suffix}"] = 100 * (figures["accuracy"] - base)
    for name, suffix in (("bent_pipe", ""), ("bent_pipe_raw", "_over_raw")):
        if name in baselines:
            for figure, metric in (
                ("downlink_demanded_mb", "downlink_reduction"),
                ("backhaul_mb_hops", "backhaul_reduction"),
            ):
                with np.errstate(divide="ignore", invalid="ignore"):
                    relative[f"{metric}{suffix}"] = 1 - figures[figure] / baselines[name][figure]
    return relative


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _energy(record: RunRecord, answers: int) -> dict[str, float]:
    spent = dict.fromkeys(("inference", "transmission", "harvested", "baseline"), 0.0)
    in_orbit = {key.rpartition("/")[0] for key in record.energy if key.endswith("/harvested")}
    for key, joules in record.energy.items():
        node, _, purpose = key.rpartition("/")
        if node in in_orbit:
            spent[purpose] += joules
    total = spent["inference"] + spent["transmission"] + spent["baseline"]
    return {
        "orbit_joules_per_answer": _ratio(spent["inference"] + spent["transmission"], answers),
        "orbit_compute_share": _ratio(spent["inference"], total),
    }
