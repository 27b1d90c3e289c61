"""The budgeted miner: fill the next pass with the scenes whose sending should add most accuracy per byte.

A threshold asks "is this scene hard?"; the link asks "is it harder than the others that wait?".  The budgeted miner
holds its candidates on board, and when a pass opens it offers the best of them, up to what the pass can carry and
what the mission allows.  "Best" is the expected gain, P(the big model is right) − P(the small one is right) given the
small model's answer and sureness, learned on the calibrate blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError
from skyedge.inference.miners import Examples, Observation, Verdict
from skyedge.inference.scores import margin, rounded


def pool_adjacent_violators(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The non-increasing sequence nearest to ``values`` in least squares (Ayer et al. 1955)."""
    levels: list[float] = []
    sizes: list[int] = []
    for value in values:
        levels.append(float(value))
        sizes.append(1)
        while len(levels) > 1 and levels[-2] < levels[-1]:
            size = sizes[-2] + sizes[-1]
            levels[-2] = (levels[-2] * sizes[-2] + levels[-1] * sizes[-1]) / size
            sizes[-2] = size
            levels.pop()
            sizes.pop()
    return np.repeat(levels, sizes)


@dataclass(frozen=True, eq=False)
class GainCurve:
    """Expected gain of sending as a non-increasing function of the margin, plus an offset for each predicted class."""

    margins: NDArray[np.float64]  # (knots,) increasing
    gains: NDArray[np.float64]  # (knots,)
    class_offsets: NDArray[np.float64]  # (classes,)

    KNOTS: ClassVar[int] = 24
    SHRINKAGE: ClassVar[float] = 30.0  # pseudo-scenes: a class seen rarely moves the estimate little

    @classmethod
    def fit(
        cls, small_logits: NDArray[np.float32], big_logits: NDArray[np.float32], labels: NDArray[np.integer]
    ) -> GainCurve:
        """Fit on calibrate scenes: logits (scenes, classes) of both models, labels (scenes,)."""
        small, big = small_logits.argmax(axis=1), big_logits.argmax(axis=1)
        gain = (big == labels).astype(float) - (small == labels).astype(float)
        sureness = margin(small_logits)
        order = np.argsort(sureness, kind="stable")
        monotone = pool_adjacent_violators(gain[order])
        knots = np.unique(np.linspace(0, len(order) - 1, cls.KNOTS).astype(int))
        curve_at = np.interp(sureness, sureness[order][knots], monotone[knots])
        classes = small_logits.shape[1]
        residual = np.bincount(small, gain - curve_at, classes)
        offsets = residual / (np.bincount(small, minlength=classes) + cls.SHRINKAGE)
        return cls(sureness[order][knots], monotone[knots], offsets)

    def gain(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Expected gain of sending each scene, (scenes,)."""
        return rounded(np.interp(margin(logits), self.margins, self.gains) + self.class_offsets[logits.argmax(axis=1)])


@dataclass(frozen=True, eq=False)
class Budgeted:
    """Holds candidates and offers the best of them when a pass opens.

    Args:
        share_of_captures: pictures offered so far may not exceed this share of the scenes captured so far.
        minimum_gain: scenes that should gain less are never candidates.
        curve: expected gains; :meth:`fitted` on calibrate blocks.
    """

    share_of_captures: float = 0.08
    minimum_gain: float = 0.0
    curve: GainCurve | None = None
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.share_of_captures <= 1:
            raise InputError(f"share_of_captures must lie between 0 and 1, not {self.share_of_captures}")

    def fitted(self, examples: Examples) -> Budgeted:
        """The miner that expects the gains of ``examples``."""
        return replace(self, curve=GainCurve.fit(examples.small_logits, examples.big_logits, examples.labels))

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        """Marks candidates; which of them are offered is decided pass by pass, by :func:`choose`."""
        if observation.logits is None or self.curve is None:
            raise InputError("the budgeted miner needs the on-board model's answer and a fitted gain curve")
        value = self.curve.gain(observation.logits)
        return Verdict(value > self.minimum_gain, np.ones(len(value), bool), value)


def choose(value: NDArray[np.float64], size_bytes: NDArray[np.int64], budget_bytes: float) -> NDArray[np.intp]:
    """Rows to offer: greatest value per byte first, as long as they fit into ``budget_bytes``; ties in row order."""
    order = np.argsort(-(value / np.maximum(size_bytes, 1)), kind="stable")
    return np.sort(order[np.cumsum(size_bytes[order]) <= budget_bytes])
