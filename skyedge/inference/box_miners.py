"""Sedna's miners over detections: boxes as rows (x1, y1, x2, y2, score, ...), one array an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SCORE_COLUMN = 4


def _scores(boxes: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    table = np.asarray(boxes, np.float64)
    return table.reshape(0) if table.size == 0 else np.atleast_2d(table)[:, SCORE_COLUMN]


@dataclass(frozen=True)
class BoxThreshold:
    """Hard if the mean score of the boxes is below ``threshold`` (Sedna's Threshold)."""

    threshold: float = 0.5
    empty_is_hard: bool = True

    def is_hard(self, boxes: ArrayLike) -> bool:
        """Is the image with ``boxes`` hard?"""
        scores = _scores(boxes)
        return bool(scores.mean() < self.threshold) if len(scores) else self.empty_is_hard


@dataclass(frozen=True)
class BoxIBT:
    """Hard if the share of boxes with score <= ``threshold_box`` is at least 1 − ``threshold_img`` (Sedna's IBT)."""

    threshold_box: float = 0.5
    threshold_img: float = 0.5
    empty_is_hard: bool = True

    def is_hard(self, boxes: ArrayLike) -> bool:
        """Is the image with ``boxes`` hard?  With ``threshold_img`` = 1 a single doubtful box is enough."""
        scores = _scores(boxes)
        if not len(scores):
            return self.empty_is_hard
        doubtful = np.count_nonzero(scores <= self.threshold_box)
        # In the original threshold_img = 1 makes every image hard, even one without a doubtful box.
        return bool(doubtful > 0 and doubtful / len(scores) >= 1 - self.threshold_img)
