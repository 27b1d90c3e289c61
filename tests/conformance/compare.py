"""When an answer is the expected one: equality, unless the kind of case or the name of a field says otherwise.

An answer may say more than was expected; only what was expected is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Rule = Callable[[Any, Any, "Tolerance"], bool]


class Tolerance:
    """How far a figure may be from the expected one: by an amount, or by a share of it."""

    def __init__(self, absolute: float = 0.0, relative: float = 0.0) -> None:
        self.absolute = absolute
        self.relative = relative

    def admits(self, expected: float, got: float) -> bool:
        """Whether ``got`` is near enough."""
        return got == expected or abs(got - expected) <= max(self.absolute, self.relative * abs(expected))


def matches(kind: str, expected: Mapping[str, Any], answer: Mapping[str, Any]) -> bool:
    """Whether ``answer`` says all that is ``expected`` of a case of ``kind``."""
    usual = USUAL_TOLERANCE.get(kind, 0.0)
    tolerance = Tolerance(expected.get("tolerance", usual), expected.get("relative_tolerance", 0.0))
    return all(
        key in answer and (RULES.get((kind, key)) or RULES.get(("", key)) or same)(value, answer[key], tolerance)
        for key, value in expected.items()
        if key not in ("tolerance", "relative_tolerance")
    )


def same(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    """Equal all the way down; figures within the tolerance; true is not 1."""
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and expected.keys() == got.keys()
            and all(same(value, got[key], tolerance) for key, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(same(one, other, tolerance) for one, other in zip(expected, got, strict=True))
        )
    if _is_figure(expected) and _is_figure(got):
        return tolerance.admits(expected, got)
    return type(expected) is type(got) and bool(expected == got)


def unordered(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    """Lists with the same items as often, in whatever order; anything else as it is."""
    if isinstance(expected, list) and isinstance(got, list):
        return same(sorted(expected, key=_sort_key), sorted(got, key=_sort_key), tolerance)
    return same(expected, got, tolerance)


def listed(each: Rule) -> Rule:
    """Maps that agree, by ``each``, on the keys that are listed in the expected one; a missing list is an empty one."""

    def rule(expected: Any, got: Any, tolerance: Tolerance) -> bool:
        if not isinstance(expected, dict) or not isinstance(got, dict):
            return same(expected, got, tolerance)
        return all(
            each(value, got.get(key, [] if isinstance(value, list) else None), tolerance) for key, value in expected.items()
        )

    return rule


def said_elsewhere(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    """Words about how the peer checks: nothing to compare."""
    return True


def one_of(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    """Several answers are as good: equal to one of them."""
    return isinstance(expected, list) and any(same(one, got, tolerance) for one in expected)


def zeros_apart(expected: Any, got: Any, tolerance: Tolerance) -> bool:
    """Maps that agree when what is zero, and what is empty then, is left out of both."""
    return same(_without_zeros(expected), _without_zeros(got), tolerance)


USUAL_TOLERANCE = {"weighted_split": 0.01, "capacity_queue_share": 1e-6}
"""Absolute, for kinds whose cases do not say theirs."""

RULES: dict[tuple[str, str], Rule] = {
    ("", "evicted"): unordered,
    ("", "victims"): unordered,
    ("session", "pipelined"): listed(unordered),
    ("session", "pod_group_phase"): listed(same),
    ("elastic_resources", "elastic"): zeros_apart,
    ("assign_replicas", "assignment_any_of"): one_of,
    ("dispense_by_weight", "assignment_any_of"): one_of,
    ("dependencies", "dependencies"): unordered,
    ("http_route", "upstream_headers"): listed(same),
    ("http_route", "response_headers"): listed(same),
    ("outlier_config", "effective"): listed(same),
    ("retry_policy", "policy"): listed(same),
    ("seen_hosts", "ports"): listed(same),
    ("traffic_policy", "hash_key"): listed(same),
    ("traffic_policy", "connections"): listed(same),
    ("weighted_split", "upstream_check"): said_elsewhere,
}
"""The rule for a field, of cases of one kind or, where the kind is empty, of any."""


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _without_zeros(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    pruned = {key: _without_zeros(part) for key, part in value.items()}
    return {key: part for key, part in pruned.items() if part not in (0, {})}
