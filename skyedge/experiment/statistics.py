"""Means, intervals and tests over seeds and places.

A seed is a day of departure, a sky and a training; a block is a place.  Both are samples, so an interval comes from a
bootstrap that draws seeds *and* blocks anew, the same draw for every arm (a paired, crossed bootstrap).  A difference
between two arms is tested by flipping its sign seed by seed, in all ways there are (Fisher 1935), and the family of
tests is corrected by Holm's method (1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.experiment.metrics import RunMetrics, relative_figures
from skyedge.streams import stream

RESAMPLES = 2000
SEEDS_FOR_A_MEAN = 3
SEEDS_FOR_A_TEST = 10
REAL_BELOW = 0.05
"""A corrected p value below this is called real."""
EXACT_UP_TO_SEEDS = 16


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, its 95 % interval (None with fewer than three seeds) and the values by seed."""

    mean: float
    low: float | None
    high: float | None
    per_seed: tuple[float, ...]


def estimates(
    metrics: Mapping[str, Sequence[RunMetrics]], baselines: Mapping[str, str], name: str
) -> dict[str, dict[str, Estimate]]:
    """Estimates of every figure of every arm.

    Args:
        metrics: by arm, one entry a seed, the seeds in the same order for all.
        baselines: which arm plays ``in_orbit``, ``in_orbit_archive``, ``bent_pipe`` and ``bent_pipe_raw``.
        name: keys the random stream.
    """
    arms = list(metrics)
    seeds = len(metrics[arms[0]])
    draw = stream(0, name, "bootstrap")
    blocks = np.stack([[run.worth_by_block for run in metrics[arm]] for arm in arms])
    correct = np.stack([[run.correct_by_block for run in metrics[arm]] for arm in arms])
    used = np.flatnonzero(blocks.sum(axis=(0, 1)))
    block_weights = np.empty((0, RESAMPLES))  # where nothing was scored, there is no place to draw
    if len(used):
        block_weights = draw.multinomial(len(used), np.full(len(used), 1 / len(used)), RESAMPLES).T.astype(float)
    seed_weights = draw.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES).T / seeds
    with np.errstate(invalid="ignore", divide="ignore"):
        resampled = (correct[:, :, used] @ block_weights) / (blocks[:, :, used] @ block_weights)
    resampled_by_arm = dict(zip(arms, resampled, strict=True))

    def figures(arm: str, *, resample: bool) -> dict[str, NDArray[np.float64]]:
        """Arrays (seeds, 1), or (seeds, resamples) for what depends on the places drawn."""
        names = metrics[arm][0].figures
        plain = {key: np.array([[run.figures.get(key, np.nan)] for run in metrics[arm]]) for key in names}
        return {**plain, "accuracy": resampled_by_arm[arm]} if resample else plain

    present = {role: arm for role, arm in baselines.items() if arm in metrics}
    table: dict[str, dict[str, Estimate]] = {}
    for arm in arms:
        point, spread = figures(arm, resample=False), figures(arm, resample=True)
        point |= relative_figures(point, {role: figures(base, resample=False) for role, base in present.items()})
        spread |= relative_figures(spread, {role: figures(base, resample=True) for role, base in present.items()})
        table[arm] = {key: _estimate(point[key][:, 0], spread[key], seed_weights) for key in point}
    return table


def _estimate(per_seed: NDArray[np.float64], spread: NDArray[np.float64], seed_weights: NDArray[np.float64]) -> Estimate:
    values = tuple(float(value) for value in per_seed)
    mean = float(per_seed.mean())
    if len(values) < SEEDS_FOR_A_MEAN or not np.isfinite(spread).all():
        return Estimate(mean, None, None, values)
    low, high = np.percentile((seed_weights * spread).sum(axis=0), [2.5, 97.5])
    return Estimate(mean, float(low), float(high), values)


def estimates_over_seeds(per_seed: Mapping[str, Mapping[str, Sequence[float]]], name: str) -> dict[str, dict[str, Estimate]]:
    """Estimates of the figures of each arm where there is nothing to draw but seeds: the same draws for every arm.

    Args:
        per_seed: by arm and figure, one value a seed, the seeds in the same order for all.
        name: keys the random stream.
    """
    seeds = max((len(values) for figures in per_seed.values() for values in figures.values()), default=0)
    if not seeds:
        return {arm: {} for arm in per_seed}
    seed_weights = stream(0, name, "bootstrap").multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES).T / seeds
    table: dict[str, dict[str, Estimate]] = {}
    for arm, figures in per_seed.items():
        columns = {key: np.array(values, float) for key, values in figures.items()}
        table[arm] = {key: _estimate(column, column[:, None], seed_weights) for key, column in columns.items()}
    return table


def permutation_p(differences: Sequence[float]) -> float:
    """Two-sided p of a mean difference under random signs; exact up to 16 seeds, 2¹⁶ random sign patterns beyond."""
    d = np.asarray(differences, float)
    n = len(d)
    if n <= EXACT_UP_TO_SEEDS:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = stream(0, f"{n} seeds", "permutation").choice([-1, 1], (2**EXACT_UP_TO_SEEDS, n))
    return float(np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-12))


def seeds_for_a_test(tests: int) -> int:
    """How many seeds it takes until any of so many tests can say that an effect is real, however large it is.

    Of n seeds a difference that all of them share has p = 2 / 2ⁿ, and nothing has less.
    """
    seeds = SEEDS_FOR_A_TEST
    while 2 / 2**seeds * tests >= REAL_BELOW:
        seeds += 1
    return seeds


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p values corrected for their number (Holm 1979)."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda key: (p_values[key], key))):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - rank)))
        corrected[name] = largest
    return corrected
