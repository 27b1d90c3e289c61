"""Cases about how replicas are divided."""

from __future__ import annotations

from skyedge.layers.federation import assignment
from skyedge.layers.federation.division import Mode, Strategy
from skyedge.layers.federation.webster import TieBreak, webster

from .objects import Answer, Given, only, static_weights_from, strategy_from


def divide_static_weight(given: Given) -> Answer:
    """By given weights."""
    weights = static_weights_from(given["static_weights"])
    return {"assignment": assignment.assign_by_static_weight(given["candidates"], given["replicas"], weights)}


def divide_dynamic(given: Given) -> Answer:
    """By room."""
    room = {one["name"]: one["allocatable_replicas"] for one in given["candidates"]}
    strategy, mode = strategy_from(given["strategy"]), Mode(given["mode"])
    return {"assignment": assignment.assign_by_room(room, given["replicas"], given["scheduled"], strategy, mode)}


def divide_duplicated(given: Given) -> Answer:
    """All everywhere."""
    return {"assignment": assignment.assign_duplicated(given["candidates"], given["replicas"])}


def divide_available(given: Given) -> Answer:
    """By what is available."""
    available = {one["cluster"]: one["replicas"] for one in given["available"]}
    strategy = {"DynamicWeight": Strategy.DYNAMIC_WEIGHT, "Aggregated": Strategy.AGGREGATED}[given["strategy"]]
    shares = assignment.divide_available(available, given["target_replicas"], given["scheduled"], strategy)
    return {"assignment": shares}


TIE_BREAKS = {
    "fewer_seats_then_name_ascending": (TieBreak.FEWER_SEATS_THEN_NAME, False),
    "fewer_seats_then_name_descending": (TieBreak.FEWER_SEATS_THEN_NAME, True),
    "name_ascending": (TieBreak.NAME, False),
    "name_descending": (TieBreak.NAME, True),
}


def seats_by_webster(given: Given) -> Answer:
    """Seats of parties."""
    tie_break, descending = TIE_BREAKS[given["tie_break"]]
    return {"seats": webster(given["new_seats"], given["votes"], given["initial"], tie_break, descending) or None}


def dispense_by_weight(given: Given) -> Answer:
    """New replicas by weight."""
    shares = assignment.dispense_by_weight(given["new_replicas"], given["weights"], given["initial"], given["uid"])
    return {"assignment": shares, "assignment_any_of": shares}


def merge_assignments(given: Given) -> Answer:
    """Two assignments together."""
    return {"assignment": assignment.merge_assignments(given["old"], given["new"])}


def attach_zero_replicas(given: Given) -> Answer:
    """Candidates without replicas."""
    return {"assignment": assignment.attach_zero_replicas(given["candidates"], given["assignment"])}


def assign_replicas(given: Given) -> Answer:
    """Tier by tier."""
    for one in given["candidates"]:
        only(one, ("name", "overflow_order", "allocatable_replicas"), "a candidate")
    candidates = [
        assignment.Candidate(one["name"], one.get("allocatable_replicas", 0), one.get("overflow_order", 0))
        for one in given["candidates"]
    ]
    strategy = given["strategy"]
    weights = static_weights_from((strategy or {}).get("static_weights"))
    shares = assignment.assign_replicas(candidates, given["replicas"], given["scheduled"], strategy_from(strategy), weights)
    return {"assignment": shares, "assignment_any_of": shares}


def divided_by_room(given: Given) -> Answer:
    """Whether room has a say in how replicas are divided."""
    return {"by_room": strategy_from(given["strategy"]).by_room}


def replicas_changed(given: Given) -> Answer:
    """Whether dividing anew, with no more room, would change anything."""
    divided = {"Duplicated": Strategy.DUPLICATED, "Divided": Strategy.DYNAMIC_WEIGHT}[given["scheduling_type"]]
    candidates = [assignment.Candidate(name) for name in given["scheduled"]]
    shares = assignment.assign_replicas(candidates, given["replicas"], given["scheduled"], divided)
    return {"changed": shares != given["scheduled"]}
