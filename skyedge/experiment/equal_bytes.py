"""Accuracy at equal bytes: what would each miner be worth if all of them sent as much?

Arms that differ in nothing but their miner form families, one a miner.  Between two arms of a family, a mission that
tosses a coin before each pass has, on average, the bytes and the accuracy in between; so a family's accuracy at any
budget is the linear interpolation between its arms.  Sending nothing (``in-orbit``) is the lower end of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skyedge.experiment.loading import canonical, resolve_arm
from skyedge.experiment.metrics import RunMetrics
from skyedge.experiment.spec import Experiment

BUDGET_OF_BENT_PIPE = 0.1
"""The budget: a tenth of what the compressed bent pipe demands, the bar of the field's claim."""


def families(experiment: Experiment) -> dict[str, list[str]]:
    """Arms by miner, of the arms that are the experiment's own pipeline but for the miner."""
    common = _but_for_the_miner(canonical(experiment))
    common["pipeline"]["mode"] = "collaborative"
    found: dict[str, list[str]] = {}
    for arm in experiment.arms:
        content = canonical(resolve_arm(experiment, arm))
        # Another radio or another model would be a difference that is not the miner's.
        if _but_for_the_miner(content) == common:
            found.setdefault(content["pipeline"]["miner"]["name"], []).append(arm)
    return found


def _but_for_the_miner(content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "arms": None, "pipeline": {**content["pipeline"], "miner": None}}


def at_equal_bytes(experiment: Experiment, metrics: Mapping[str, Sequence[RunMetrics]]) -> dict[str, list[RunMetrics]]:
    """What each family would have measured at the budget of each seed; families that do not reach it are left out."""
    roles = experiment.baselines
    if roles.bent_pipe not in metrics or roles.in_orbit not in metrics:
        return {}
    found: dict[str, list[RunMetrics]] = {}
    for name, arms in families(experiment).items():
        members = [roles.in_orbit, *(arm for arm in arms if arm in metrics)]
        runs = [
            mixed([metrics[arm][seed] for arm in members], BUDGET_OF_BENT_PIPE * _demanded(pipe))
            for seed, pipe in enumerate(metrics[roles.bent_pipe])
        ]
        if all(run is not None for run in runs):
            found[name] = [run for run in runs if run is not None]
    return found


def mixed(runs: Sequence[RunMetrics], budget_mb: float) -> RunMetrics | None:
    """The mixture of the two runs on either side of ``budget_mb``; None if all demand less, or all more."""
    ordered = sorted(runs, key=_demanded)
    demanded = np.array([_demanded(run) for run in ordered])
    above = int(np.searchsorted(demanded, budget_mb))
    if above == 0 or above == len(ordered):
        return None
    low, high = ordered[above - 1], ordered[above]
    share = (budget_mb - demanded[above - 1]) / (demanded[above] - demanded[above - 1])
    correct = (1 - share) * low.correct_by_block + share * high.correct_by_block
    accuracy = float(correct.sum() / max(1.0, low.worth_by_block.sum()))
    return RunMetrics({"accuracy": accuracy, "downlink_demanded_mb": budget_mb}, correct, low.worth_by_block)


def _demanded(run: RunMetrics) -> float:
    return run.figures["downlink_demanded_mb"]
