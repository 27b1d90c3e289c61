"""The on-board cloud filter: what is mostly cloud is not worth a pass.

Dropping a clear scene loses it for ever, sending a cloudy one only wastes bytes, so the threshold is set for a wanted
rate of clear scenes dropped (the phi-sat-1 mission asked for at most 1.2 % and an accuracy of at least 85 %).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyedge.inference.scores import rounded, softmax

CLEAR, CLOUDY = 0, 1


def cloud_score(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of cloud, (scenes,), from the logits (scenes, 2) of a clear/cloudy network."""
    return rounded(softmax(logits)[:, CLOUDY])


@dataclass(frozen=True)
class CloudFilter:
    """Drops scenes whose cloud score is at or above ``threshold``."""

    threshold: float = 0.5

    @classmethod
    def for_clear_loss(
        cls, scores: NDArray[np.float64], cloudy: NDArray[np.bool_], maximum_clear_loss: float
    ) -> CloudFilter:
        """The lowest threshold that drops at most ``maximum_clear_loss`` of the clear calibration scenes."""
        clear = np.sort(scores[~cloudy])
        if not len(clear):
            return cls(1.0)
        allowed = int(np.floor(maximum_clear_loss * len(clear)))
        if allowed >= len(clear):
            return cls(0.0)  # every clear scene may go
        # Just above the score of the first clear scene that must be kept.
        return cls(float(np.round(clear[len(clear) - 1 - allowed] + 1e-4, 4)))

    def is_cloudy(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which scenes are dropped."""
        return scores >= self.threshold
