"""The replicas of one workload, cluster by cluster name: what a policy asks for, in the words of its author.

The arithmetic is that of :mod:`skyedge.layers.federation.division`, over one row.  An assignment is a map from the name of
a cluster to a number of replicas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skyedge.errors import InputError
from skyedge.layers.federation.division import (
    Mode,
    Strategy,
    divide_by_room,
    divide_by_static_weight,
    ties_descend,
)
from skyedge.layers.federation.webster import Counts, webster

Assignment = dict[str, int]


class Unschedulable(InputError):
    """The candidates have too little room for the replicas that are wanted."""


@dataclass(frozen=True)
class Candidate:
    """A cluster that a workload may run on.

    Attributes:
        room: how many more replicas fit.
        overflow_order: its tier; a higher one is used only for what does not fit on the lower ones.
    """

    name: str
    room: int = 0
    overflow_order: int = 0


@dataclass(frozen=True)
class StaticWeight:
    """The weight of some clusters; of all, if none is named."""

    weight: int
    cluster_names: tuple[str, ...] = ()


def static_weights(candidates: Sequence[str], weights: Sequence[StaticWeight] | None) -> dict[str, int]:
    """The largest weight that matches each candidate; those that none matches are left out.

    Without a list, or if all weights are zero, all candidates weigh the same.
    """
    found: dict[str, int] = {}
    for name in candidates:
        mine = [rule.weight for rule in weights or () if not rule.cluster_names or name in rule.cluster_names]
        if mine:
            found[name] = max(mine)
    return found if any(found.values()) else dict.fromkeys(candidates, 1)


def dispense_by_weight(
    new_replicas: int, weights: Mapping[str, int], held: Mapping[str, int] | None = None, uid: str = ""
) -> Assignment:
    """What is held, and the new replicas by weight; ties as the workload's ``uid`` says.

    The new ones are divided by themselves: what is held has no say in who gets them, as when a workload is scaled up.

    Raises:
        InputError: if a number is negative.
    """
    shares = webster(new_replicas, weights, descending=ties_descend(uid))
    return merge_assignments(held or {}, shares)


def assign_by_static_weight(
    candidates: Sequence[str], replicas: int, weights: Sequence[StaticWeight] | None = None, uid: str = ""
) -> Assignment:
    """All replicas by the weights of a policy, whatever room there is; who weighs too little for one has 0."""
    found = static_weights(candidates, weights)
    names = sorted(candidates)
    given = np.array([[found.get(name, 0) for name in names]], np.int64)
    shares = divide_by_static_weight(
        np.array([replicas]), given, np.ones(given.shape, np.bool_), np.array([ties_descend(uid)])
    )
    return {name: count for name, count in zip(names, shares[0].tolist(), strict=True) if found.get(name)}


def assign_duplicated(candidates: Sequence[str], replicas: int) -> Assignment:
    """Every candidate gets all."""
    return dict.fromkeys(candidates, replicas)


def assign_by_room(
    room: Mapping[str, int],
    replicas: int,
    scheduled: Mapping[str, int],
    strategy: Strategy,
    mode: Mode = Mode.STEADY,
    uid: str = "",
) -> Assignment:
    """By the room of each candidate, dynamic or aggregated.

    Args:
        room: how many more replicas fit on each candidate.
        replicas: wanted in all.
        scheduled: where replicas are; clusters that are no candidates drop out.
        strategy: ``DYNAMIC_WEIGHT`` or ``AGGREGATED``.
        mode: whether replicas that run stay.
        uid: of the workload, for ties.

    Raises:
        Unschedulable: if the room is short.
    """
    names = sorted(room)
    division = divide_by_room(
        np.array([replicas], np.int64),
        np.array([[room[name] for name in names]], np.int64).reshape(1, -1),
        np.array([[scheduled.get(name, 0) for name in names]], np.int64).reshape(1, -1),
        np.ones((1, len(names)), np.bool_),
        np.array([strategy is Strategy.AGGREGATED]),
        np.array([mode is Mode.FRESH]),
        np.array([ties_descend(uid)]),
    )
    if missing := int(division.missing[0]):
        raise Unschedulable(f"{missing} of {replicas} replicas have no room on any cluster")
    return _named(names, division.replicas[0])


def divide_available(
    available: Mapping[str, int],
    target_replicas: int,
    scheduled: Mapping[str, int],
    strategy: Strategy,
    uid: str = "",
) -> Assignment:
    """What is scheduled, and ``target_replicas`` more over what is available.

    Raises:
        Unschedulable: if too little is available.
    """
    room = dict.fromkeys(scheduled, 0) | dict(available)
    return assign_by_room(room, target_replicas + sum(scheduled.values()), scheduled, strategy, uid=uid)


def assign_replicas(
    candidates: Sequence[Candidate],
    replicas: int,
    scheduled: Mapping[str, int],
    strategy: Strategy,
    weights: Sequence[StaticWeight] | None = None,
    mode: Mode = Mode.STEADY,
    uid: str = "",
) -> Assignment:
    """By any strategy, tier by tier.

    A tier takes what has room there, counting what it runs already, and the next one the rest; the last has to take it.
    Duplicated workloads do not overflow: every candidate gets all.

    Raises:
        InputError: if there is no candidate.
        Unschedulable: if the last tier has too little room.
    """
    if not candidates:
        raise InputError("no cluster is left to run on")
    if strategy is Strategy.DUPLICATED or not replicas:
        return assign_duplicated([candidate.name for candidate in candidates], replicas)
    tiers = sorted({candidate.overflow_order for candidate in candidates})
    result: Assignment = {}
    left = replicas
    for order in tiers:
        mine = [candidate for candidate in candidates if candidate.overflow_order == order]
        there = {candidate.name: scheduled.get(candidate.name, 0) for candidate in mine}
        fits = sum(candidate.room for candidate in mine) + sum(there.values())
        target = left if order == tiers[-1] else min(left, fits)
        if strategy is Strategy.STATIC_WEIGHT:
            given = assign_by_static_weight([candidate.name for candidate in mine], target, weights, uid)
            part = {name: count for name, count in given.items() if count}
        else:
            part = assign_by_room({candidate.name: candidate.room for candidate in mine}, target, there, strategy, mode, uid)
        result = merge_assignments(result, part)
        left -= target
    return result


def merge_assignments(old: Mapping[str, int], new: Mapping[str, int]) -> Assignment:
    """Both together."""
    return {name: old.get(name, 0) + new.get(name, 0) for name in {**old, **new}}


def attach_zero_replicas(candidates: Sequence[str], assignment: Mapping[str, int]) -> Assignment:
    """The assignment with every candidate in it, those without replicas at 0: they keep the workload's configuration."""
    return dict.fromkeys(candidates, 0) | dict(assignment)


def _named(names: Sequence[str], replicas: Counts) -> Assignment:
    return {name: count for name, count in zip(names, replicas.tolist(), strict=True) if count}
