"""Cases about how many replicas an autoscaler asks for, given what it would have by the measurements alone."""

from __future__ import annotations

from skyedge.layers.federation.autoscaling import (
    DOWN,
    UP_UNSAID,
    AutoscalerRules,
    FederatedAutoscaler,
    MetricTarget,
    Pace,
    PacePolicy,
    Reading,
)

from .objects import Answer, Given, only


def pace_from(given: Given | None, usual: Pace) -> Pace:
    """One direction of scaling."""
    if given is None:
        return usual
    only(given, ("window_seconds", "policies"), "a pace")
    policies = tuple(PacePolicy(one["kind"], one["value"], one["period_seconds"]) for one in given.get("policies") or ())
    return Pace(given.get("window_seconds", 0), policies)


def autoscaler(given: Given) -> Answer:
    """How many replicas after what was measured before and now; each replica is to have one of what is measured."""
    only(given, ("current", "desired", "min", "max", "up", "down", "before"), "a look of an autoscaler")
    up, down = pace_from(given.get("up"), UP_UNSAID), pace_from(given.get("down"), DOWN)
    rules = AutoscalerRules((MetricTarget("load", 1.0),), given["min"], given["max"], up, down, tolerance=0.0)
    scaler, current = FederatedAutoscaler(rules), given["current"]
    for one in given.get("before") or ():
        scaler.look(-one["seconds_ago"], current, [[Reading("a", one["desired"], current)]])
    return {"replicas": scaler.look(0, current, [[Reading("a", given["desired"], current)]]).replicas}


def autoscaler_metric(given: Given) -> Answer:
    """How many replicas for what is measured, before any pace and within wide bounds."""
    only(given["target"], ("kind", "value"), "a target")
    only(given["measured"], ("total", "pods", "requested"), "a measurement")
    target = MetricTarget("load", given["target"]["value"], given["target"]["kind"])
    unhurried = Pace(0)
    rules = AutoscalerRules((target,), 1, 1000, unhurried, unhurried)
    measured = given["measured"]
    reading = Reading("a", measured["total"], measured["pods"], measured["requested"])
    return {"replicas": FederatedAutoscaler(rules).look(0, given["current"], [[reading]]).replicas}
