"""One knob a miner: set so that a given share of the scenes is sent, which is how miners are compared fairly.

A threshold on a margin and one on an energy mean different things, so miners at thresholds that somebody typed say
little about one another.  Here each miner's knob is turned, on scenes over calibrate blocks, until it sends the same
share; then they are compared on evaluate blocks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from skyedge.errors import InputError
from skyedge.inference.miners import Miner, Observation
from skyedge.streams import stream

_HALVINGS = 40

KNOBS: dict[str, tuple[str, float, float]] = {
    "Threshold": ("threshold", 0.0, 1.0),
    "CrossEntropy": ("threshold_cross_entropy", 0.0, 1.0),
    "Random": ("random_ratio", 0.0, 1.0),
    "Margin": ("threshold", 0.0, 1.0),
    "Energy": ("threshold", 60.0, -60.0),
    "CalibratedConfidence": ("threshold", 0.0, 1.0),
    "ThreeZone": ("q", 0.0, 1.0),
    "IBT": ("threshold_box", 0.0, 1.0),
    "OutOfDistribution": ("threshold", 1e4, 0.0),
}
"""By miner: the parameter to turn, where it sends least, and where most."""


def knob_of(miner: Miner) -> tuple[str, float, float]:
    """The parameter to turn of ``miner``, where it sends least, and where most.

    Raises:
        InputError: for a miner without a knob.
    """
    name = type(miner).__name__
    knob: tuple[str, float, float] | None = KNOBS.get(name, getattr(miner, "knob", None))
    if knob is None:
        raise InputError(f"miner {name} has no knob to set to a share of the captures", where="pipeline.miner")
    return knob


def set_to_share(miner: Miner, observation: Observation, captures: int, share: float) -> Miner:
    """The miner with its knob where it sends ``share`` of ``captures``.

    Args:
        miner: one of :data:`KNOBS`, or any with a class attribute ``knob`` (name, value that sends least, most).
        observation: scenes over calibrate blocks that reach the miner.
        captures: all scenes captured there, those that the cloud filter dropped included.
        share: of the captures, 0 to 1.  If even the far end of the knob sends less, it is left there.

    Raises:
        InputError: for a miner without a knob.
    """
    name = type(miner).__name__
    knob = knob_of(miner)
    parameter, least, most = knob
    if name == "ThreeZone":
        least = miner.p  # type: ignore[attr-defined]

    def turned(value: float) -> Any:
        return replace(miner, **{parameter: value})  # type: ignore[type-var]

    wanted = share * captures
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        sent = turned(middle).mine(observation, stream(0, name, "set to share")).send.sum()
        least, most = (middle, most) if sent < wanted else (least, middle)
    return turned(most) if share > 0 else turned(knob[1])
