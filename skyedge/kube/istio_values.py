"""What Istio's kinds are made of: durations, conditions on a text, percents, selectors of workloads.

A duration is a word such as "5s" or "1h30m", as in Go; a condition is one of exact, prefix or regex.  Regular expressions
are RE2's (:mod:`skyedge.re2`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, field

from skyedge.kube.istio_names import check_label_words
from skyedge.kube.problem import Problem
from skyedge.kube.shape import EXPLAINED_BY, Shape, shown
from skyedge.re2 import NotRe2, compiled

Port = Annotated[int, Meta(ge=1, le=65535)]
Percentage = Annotated[float, Meta(ge=0, le=100)]
Share = Annotated[int, Meta(ge=0, le=100)]

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(f"(?:{_PART.pattern})+")
_REFERENCE = re.compile(r"\\(.?)", re.DOTALL)


def seconds(text: str) -> float:
    """A duration as Go writes it, in seconds.

    Raises:
        Problem: if it is none, or negative.
    """
    if text == "0":
        return 0.0
    if text.startswith("-"):
        raise Problem((), f"the duration '{text}' is negative")
    if _WHOLE.fullmatch(text) is None:
        hint = f"{text}s" if re.fullmatch(r"\d+(\.\d+)?", text) else None
        raise Problem((), f"'{text}' is no duration; one is written like 5s, 250ms or 1h30m", hint)
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def _explain_number(value: Any) -> None:
    """Raise a :class:`Problem` for a number that would be no duration in quotes either."""
    if isinstance(value, bool | int | float):
        seconds(shown(value))


Duration = Annotated[str, Meta(extra={EXPLAINED_BY: _explain_number})]
"""A duration as it is written; what it says is checked by :func:`check_durations`."""


def seconds_or_none(text: str | None) -> float | None:
    """As :func:`seconds`; None for what is not there."""
    return None if text is None else seconds(text)


def check_durations(part: Shape, *attributes: str, least_s: float = 0.0, step_ms: int = 0) -> None:
    """Raise a :class:`Problem` unless each of these is not there, or a duration of at least ``least_s``.

    Args:
        part: what has them.
        attributes: their names in the struct.
        least_s: the shortest; where one is said, parts of a millisecond cannot be.
        step_ms: what it is a multiple of, in milliseconds; 0 for what ``least_s`` says.
    """
    step_ms = step_ms or (1 if least_s else 0)
    names = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))
    for attribute in attributes:
        text = getattr(part, attribute)
        if text is None:
            continue
        try:
            long = seconds(text)
        except Problem as problem:
            raise problem.below(names[attribute]) from None
        if long < least_s:
            raise Problem((names[attribute],), f"'{text}' is too short; {least_s * 1e3:g}ms is the least")
        if step_ms and round(long * 1e9) % (step_ms * 1_000_000):
            unit = "seconds" if step_ms == 1000 else "milliseconds"
            raise Problem((names[attribute],), f"'{text}' is no whole number of {unit}")


def check_regex(pattern: str) -> None:
    """Raise a :class:`Problem` unless ``pattern`` is a regular expression of RE2."""
    try:
        compiled(pattern)
    except NotRe2 as error:
        raise Problem((), f"'{pattern}' {error}") from None


def check_substitution(pattern: str, substitution: str) -> None:
    """Raise a :class:`Problem` unless ``substitution`` is one of RE2's, with no group that ``pattern`` has not."""
    groups = compiled(pattern).groups
    for reference in _REFERENCE.findall(substitution):
        if not (reference.isascii() and reference.isdigit()) and reference != "\\":
            raise Problem((), f"'{substitution}': after a backslash RE2 wants a digit or another backslash")
        if reference.isdigit() and int(reference) > groups:
            has = "has no group" if not groups else "has only 1 group" if groups == 1 else f"has only {groups} groups"
            raise Problem((), f"there is no group {reference} to put in: '{pattern}' {has}")


def check_one_of(part: Shape, attributes: Sequence[str], *, needed: bool = False) -> None:
    """Raise a :class:`Problem` if several of these are given or, where one is needed, none is."""
    names = dict(zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True))
    given = [names[attribute] for attribute in attributes if getattr(part, attribute) not in (None, False, ())]
    if len(given) > 1:
        raise Problem((given[1],), f"only one of {' and '.join(given)} can be given")
    if needed and not given:
        raise Problem((), f"one of {', '.join(names[attribute] for attribute in attributes)} is needed")


class StringMatchShape(Shape, frozen=True, kw_only=True):
    """A condition on a text; without any of the three the text need only be there."""

    exact: str | None = None
    prefix: str | None = None
    regex: str | None = None

    def check(self) -> None:
        check_one_of(self, ("exact", "prefix", "regex"))
        if self.prefix == "":
            raise Problem(("prefix",), "an empty prefix says nothing; leave the condition out, or write {} for presence")
        if self.regex is not None and self.regex != "*":
            try:
                check_regex(self.regex)
            except Problem as problem:
                raise problem.below("regex") from None


class Percent(Shape, frozen=True, kw_only=True):
    """A share of requests."""

    value: Percentage = 0.0


class PortSelector(Shape, frozen=True, kw_only=True):
    """A port of a service."""

    number: Port


class WorkloadSelector(Shape, frozen=True, kw_only=True):
    """Labels that a workload must have; networking's kinds say ``labels`` and security's ``matchLabels``."""

    labels: dict[str, str] = field(default_factory=dict)
    match_labels: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        check_label_words(self.labels.items(), "labels")
        check_label_words(self.match_labels.items(), "matchLabels")

    @property
    def wanted(self) -> dict[str, str]:
        """Whichever was written."""
        return {**self.labels, **self.match_labels}
