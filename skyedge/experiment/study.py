"""The study file, as types: one question of the control plane, with arms, seeds and claims as an experiment has them.

A study flies no scene.  Its ``study`` names a :class:`~skyedge.experiment.study_subject.Subject`, whose own model checks
``parameters``; everything else is the same for all studies.  What an experiment *measures* a study often *models*: it
comes out of constants.  Such a claim names the constants that decide it, and the runner says at which value of each, all
else as in the file, the verdict turns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from skyedge.experiment.spec import Arm, Metadata, Seeds
from skyedge.profiles import Part

RELATIVE = ("difference", "ratio", "gain", "reduction")
"""Figures made of every metric against the baseline of the same seed: x - b, x / b, x / b - 1, 1 - x / b."""


def _names_of_arms(arms: dict[str, Arm]) -> dict[str, Arm]:
    for name in arms:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
            raise ValueError(f"'{name}' is no name for an arm: letters, digits, dots, dashes and spaces are")
    return arms


def _distinct_claims(claims: tuple[StudyClaim, ...]) -> tuple[StudyClaim, ...]:
    names = [claim.name for claim in claims]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"the claim '{twice}' is there twice")
    return claims


class Bar(Part):
    """One part of a claim: a figure and the bar that its whole interval must clear."""

    metric: str = Field(description="A metric of the study, or one of it with _difference, _ratio, _gain or _reduction.")
    at_least: float | None = Field(default=None, description="A share where the unit is %, so 0.2 for 20 %.")
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bar(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a part needs one of at_least and at_most")
        return self


class Constant(Part):
    """A figure that was not measured here and that decides a claim, and the range in which it may well lie."""

    key: str = Field(pattern=r"^parameters(\.[^.]+)+$", description="For example parameters.start.boot_s.")
    low: float
    high: float
    unit: str = ""
    source: str = Field(default="assumed", description="Who says what is in the file.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be less than high")
        return self


class StudyClaim(Part):
    """A claim of the field: one and the same arm must meet all its parts."""

    name: str
    parts: tuple[Bar, ...] = Field(min_length=1)
    arms: tuple[str, ...] = Field(
        default=(), description="Arms that may meet it; all but the baseline and oracles if empty."
    )
    source: str = Field(default="", description="Who makes the claim.")
    evidence: Literal["measured", "modelled", "cited"]
    constants: tuple[Constant, ...] = Field(default=(), description="What decides a claim that is modelled.")

    @model_validator(mode="after")
    def _constants_of_a_model(self) -> Self:
        if self.evidence == "modelled" and not self.constants:
            raise ValueError("a claim that is modelled must name the constants that decide it")
        return self


class StudyRuntime(Part):
    """How the runs are carried out; no result depends on it."""

    hosting: Literal["in-process", "grouped"] = Field(default="in-process", description="grouped spreads runs over Ray.")
    workers: int | None = Field(default=None, ge=1, description="Runs at once on Ray; the number of cores if not given.")


class Study(Part):
    """One question of the control plane, one file."""

    apiVersion: Literal["skyedge/v1"]  # noqa: N815
    kind: Literal["Study"]
    metadata: Metadata
    study: str = Field(description="A built-in study, or one of your own as package.module:Class.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Checked by the study.")
    arms: Annotated[dict[str, Arm], AfterValidator(_names_of_arms)] = Field(min_length=1)
    baseline: str = Field(description="The arm that the others are compared with.")
    seeds: Seeds = Field(default=(0,), min_length=1)
    columns: tuple[str, ...] = Field(default=(), description="Figures of the table; all metrics of the study if empty.")
    claims: Annotated[tuple[StudyClaim, ...], AfterValidator(_distinct_claims)] = ()
    runtime: StudyRuntime = StudyRuntime()

    def arms_of(self, claim: StudyClaim) -> list[str]:
        """Arms of this study that may meet ``claim``; an oracle knows what nobody can, and may not."""
        if claim.arms:
            return [arm for arm in claim.arms if arm in self.arms]
        return [arm for arm in self.arms if arm != self.baseline and not arm.startswith("oracle")]


def relative_figures(figures: Mapping[str, float], base: Mapping[str, float]) -> dict[str, float]:
    """The :data:`RELATIVE` figures of one run against the baseline's of the same seed; NaN where the baseline is zero."""
    made: dict[str, float] = {}
    for name, value in figures.items():
        ratio = value / base[name] if base[name] else float("nan")
        made |= {
            f"{name}_difference": value - base[name],
            f"{name}_ratio": ratio,
            f"{name}_gain": ratio - 1,
            f"{name}_reduction": 1 - ratio,
        }
    return made
