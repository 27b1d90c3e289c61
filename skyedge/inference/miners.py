"""Hard-example miners: which scenes are worth sending to a bigger model?

Sedna's miners keep their names and parameters, so a Sedna user finds them at once; their decisions differ from the
originals only where those are defective:

* probabilities of exactly 0 and a single class are scored, where CrossEntropy fails with a domain error or a division
  by zero; arrays are accepted;
* an image in which nothing was detected is *hard* for Threshold and IBT: the original never sends it, which loses
  just the scenes that the small model missed altogether (``empty_is_hard`` restores that);
* Random draws from a stream of its own, not from global state.

A verdict has a *value* besides the yes or no, the expected worth of sending, which orders the downlink queue.

A miner may have a method ``fitted(examples) -> miner``: before the flight it is shown what both models said on calibrate
blocks, and flies as the miner that it returns.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from skyedge.errors import InputError, nearest
from skyedge.inference.scores import (
    ClassDistance,
    confidence,
    energy,
    fit_temperature,
    margin,
    normalised_certainty,
    softmax,
)
from skyedge.plugins import is_import_path, load_class
from skyedge.profiles import check_value


@dataclass(frozen=True, eq=False)
class Observation:
    """What a miner may look at, one row a scene.

    ``logits`` is None in mining-then-inference, where nothing has been inferred yet; ``worth_sending`` (would the
    big model turn a wrong answer into a right one?) is given to the oracle alone.
    """

    scenes: NDArray[np.int32]
    logits: NDArray[np.float32] | None = None
    worth_sending: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.scenes)


@dataclass(frozen=True, eq=False)
class Examples:
    """What both models said of clear scenes over calibrate blocks, and the truth: for miners that learn before flight."""

    small_logits: NDArray[np.float32]  # (scenes, classes)
    big_logits: NDArray[np.float32]  # (scenes, classes), of the pictures as they reach the ground
    labels: NDArray[np.integer]  # (scenes,)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What becomes of each scene: is the picture sent, is the on-board answer sent, and how much is sending worth?"""

    send: NDArray[np.bool_]
    keep_answer: NDArray[np.bool_]
    value: NDArray[np.float64]


class Miner(Protocol):
    """Decides which scenes are hard."""

    needs_logits: ClassVar[bool]
    uses_truth: ClassVar[bool]

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        """A verdict on each scene of ``observation``."""
        ...


def _verdict(hard: NDArray[np.bool_], value: NDArray[np.float64]) -> Verdict:
    # The on-board answer always goes down: it costs some tens of bytes and stands in until the picture has arrived.
    return Verdict(hard, np.ones(len(hard), bool), value)


def _logits(observation: Observation) -> NDArray[np.float32]:
    if observation.logits is None:
        raise InputError("this miner needs the on-board model's answer, so it cannot mine before inference")
    return observation.logits


@dataclass(frozen=True)
class Threshold:
    """Hard where the confidence is below ``threshold`` (Sedna scores boxes: see :mod:`box_miners`)."""

    threshold: float = 0.5
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        sure = confidence(_logits(observation))
        return _verdict(sure < self.threshold, 1.0 - sure)


@dataclass(frozen=True)
class CrossEntropy:
    """Hard where 1 + Σ p ln p / ln n is below ``threshold_cross_entropy``."""

    threshold_cross_entropy: float = 0.5
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        certainty = normalised_certainty(softmax(_logits(observation)))
        return _verdict(certainty < self.threshold_cross_entropy, 1.0 - certainty)


@dataclass(frozen=True)
class IBT:
    """Hard where the share of boxes with score <= ``threshold_box`` is at least 1 − ``threshold_img``.

    A scene is one box with the confidence as its score; for real boxes see :mod:`box_miners`.
    """

    threshold_box: float = 0.5
    threshold_img: float = 0.5
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        sure = confidence(_logits(observation))
        # One box is either doubtful, a share of one and never too few, or not.
        return _verdict(sure <= self.threshold_box, 1.0 - sure)


@dataclass(frozen=True)
class Random:
    """Hard with probability ``random_ratio``."""

    random_ratio: float = 0.3
    needs_logits: ClassVar[bool] = False
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        draw = generator.random(len(observation))
        return _verdict(draw < self.random_ratio, 1.0 - draw)


@dataclass(frozen=True)
class CloudOnly:
    """Everything is hard."""

    needs_logits: ClassVar[bool] = False
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        return _verdict(np.ones(len(observation), bool), np.ones(len(observation)))


@dataclass(frozen=True)
class EdgeOnly:
    """Nothing is hard."""

    needs_logits: ClassVar[bool] = False
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        return _verdict(np.zeros(len(observation), bool), np.zeros(len(observation)))


@dataclass(frozen=True)
class Margin:
    """Hard where the two likeliest classes are less than ``threshold`` apart."""

    threshold: float = 0.3
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        apart = margin(_logits(observation))
        return _verdict(apart < self.threshold, 1.0 - apart)


@dataclass(frozen=True)
class Energy:
    """Hard where the energy score is above ``threshold``: the model has not seen the like."""

    threshold: float = -2.0
    temperature: float = 1.0
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise InputError(f"temperature must be above 0, not {self.temperature}")

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        score = energy(_logits(observation), self.temperature)
        return _verdict(score > self.threshold, score)


@dataclass(frozen=True)
class CalibratedConfidence:
    """Hard where the confidence at ``temperature`` is below ``threshold``; fitted on calibrate blocks if not given."""

    threshold: float = 0.6
    temperature: float | None = None
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def fitted(self, examples: Examples) -> CalibratedConfidence:
        """The miner at the temperature of ``examples``, unless it was given one."""
        return replace(self, temperature=self.temperature or fit_temperature(examples.small_logits, examples.labels))

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        sure = confidence(_logits(observation), self.temperature or 1.0)
        return _verdict(sure < self.threshold, 1.0 - sure)


@dataclass(frozen=True)
class ThreeZone:
    """Below ``p`` discard the scene, above ``q`` accept the on-board answer, send what lies between (TargetFuse)."""

    p: float = 0.2
    q: float = 0.7
    temperature: float | None = None
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.p <= self.q <= 1:
            raise InputError(f"ThreeZone needs 0 <= p <= q <= 1, not p={self.p}, q={self.q}")

    def fitted(self, examples: Examples) -> ThreeZone:
        """The miner at the temperature of ``examples``, unless it was given one."""
        return replace(self, temperature=self.temperature or fit_temperature(examples.small_logits, examples.labels))

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        sure = confidence(_logits(observation), self.temperature or 1.0)
        return Verdict((sure >= self.p) & (sure <= self.q), sure >= self.p, 1.0 - sure)


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """Hard where the answer lies far from those to calibrate scenes: Mahalanobis distance above ``threshold``.

    The distance (Lee et al. 2018) is taken between vectors of logits, which is all that the int8 network gives away.
    """

    threshold: float = 20.0
    reference: ClassDistance | None = None
    needs_logits: ClassVar[bool] = True
    uses_truth: ClassVar[bool] = False

    def fitted(self, examples: Examples) -> OutOfDistribution:
        """The miner that measures distances to ``examples``."""
        return replace(self, reference=ClassDistance.fit(examples.small_logits, examples.labels))

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        if self.reference is None:
            raise InputError("the out-of-distribution miner has not been fitted on calibrate scenes")
        distance = self.reference.distance(_logits(observation))
        return _verdict(distance > self.threshold, distance)


@dataclass(frozen=True)
class Oracle:
    """Sends exactly the scenes that the small model gets wrong and the big one right: a bound, not a method."""

    needs_logits: ClassVar[bool] = False
    uses_truth: ClassVar[bool] = True

    def mine(self, observation: Observation, generator: np.random.Generator) -> Verdict:
        if observation.worth_sending is None:
            raise InputError("the oracle was not told which scenes are worth sending")
        return _verdict(observation.worth_sending, observation.worth_sending.astype(float))


MINERS: dict[str, type[Any]] = {
    miner.__name__: miner
    for miner in (
        Threshold,
        CrossEntropy,
        IBT,
        Random,
        CloudOnly,
        EdgeOnly,
        Margin,
        Energy,
        CalibratedConfidence,
        ThreeZone,
        OutOfDistribution,
        Oracle,
    )
}
"""Miners by the name that an experiment gives; ``Budgeted`` (:mod:`budget`) needs the contact plan and joins there."""


def build_miner(name: str, parameters: Mapping[str, Any], *, where: object = None) -> Miner:
    """The miner called ``name``, or a user's own class as ``package.module:Class``.

    Raises:
        InputError: for an unknown name or parameter, with the nearest right word.
    """
    from skyedge.inference.budget import Budgeted

    known = {**MINERS, "Budgeted": Budgeted}
    miner_class = load_class(name, where=where) if is_import_path(name) else known.get(name)
    if miner_class is None:
        raise InputError(f"unknown miner '{name}'", where=where, nearest=nearest(name, known))
    accepted = _parameters(miner_class, name, where)
    for parameter, value in parameters.items():
        if parameter not in accepted:
            raise InputError(
                f"miner {name} has no parameter '{parameter}'", where=where, nearest=nearest(parameter, accepted)
            )
        kind = accepted[parameter]
        if value is None and type(None) in get_args(kind):
            continue
        check_value(parameter, value, next(iter(get_args(kind)), kind), where=where)
    try:
        built: Miner = miner_class(**parameters)
    except InputError as error:
        raise InputError(f"miner {name}: {error.message}", where=error.where or where) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"miner {name}: {error}", where=where) from None
    return built


def _parameters(miner_class: type[Any], name: str, where: object) -> dict[str, Any]:
    """What an experiment may set of a miner, by name, and of which type it is (None if the class does not say)."""
    wanting = [need for need in ("mine", "needs_logits", "uses_truth") if not hasattr(miner_class, need)]
    if wanting:
        raise InputError(f"{name} is no miner: it has no '{wanting[0]}'", where=where)
    if not is_dataclass(miner_class):
        return dict.fromkeys(inspect.signature(miner_class).parameters)
    try:
        types = get_type_hints(miner_class)
    except (NameError, TypeError):
        types = {}
    plain = (float, int, bool, str)
    # What is learned before the flight is no parameter of ours.
    ours = miner_class.__module__.startswith("skyedge.")
    kinds = {field.name: types.get(field.name) for field in fields(miner_class) if field.init}
    return {key: kind for key, kind in kinds.items() if not ours or kind in plain or set(get_args(kind)) & set(plain)}


def try_out(miner: Miner, *, where: object = None) -> None:
    """Let a user's own miner look at a few made-up scenes (numbered -1, as none of a run's is) before it flies.

    Raises:
        InputError: if it fails, or its verdict is none.
    """
    name, draw = type(miner).__name__, np.random.default_rng(0)
    logits, labels = draw.normal(0, 2, (64, 4)).astype(np.float32), draw.integers(0, 4, 64)
    scenes = np.full(8, -1, np.int32)
    try:
        if hasattr(miner, "fitted"):
            miner = miner.fitted(Examples(logits, logits, labels))
        verdict = miner.mine(Observation(scenes, logits[:8] if miner.needs_logits else None, np.zeros(8, bool)), draw)
        columns = {"send": verdict.send, "keep_answer": verdict.keep_answer, "value": verdict.value}
    except Exception as error:  # whatever a user's own miner does
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"miner {name} failed on a few scenes to try it out: {reason}", where=where) from None
    for column, values in columns.items():
        if not isinstance(values, np.ndarray) or values.shape != scenes.shape:
            raise InputError(f"miner {name}: '{column}' of its verdict should be an array with a row a scene", where=where)
    for column in ("send", "keep_answer"):
        if columns[column].dtype != bool:
            raise InputError(f"miner {name}: '{column}' of its verdict should be true or false for each scene", where=where)


def upload_ratio(sent: Sequence[bool] | NDArray[np.bool_]) -> float:
    """Hard scenes ÷ scenes inferred.  Sedna reports H / (N + H), since it counts each hard scene twice."""
    sent = np.asarray(sent, bool)
    return float(sent.mean()) if len(sent) else 0.0
