"""Near endpoints first: how localities of endpoints get priorities and weights for one caller (Istio).

A locality is region, zone and subzone.  Priority 0 is used while it is well; :mod:`~skyedge.layers.mesh.priority_load` says
how much spills to the next.  Priorities that come out are compacted: 0 to k without a gap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from skyedge.errors import InputError

SUBZONE, ZONE, REGION, ELSEWHERE, NO_TARGET = range(5)
"""How far an endpoint is: same subzone, same zone, same region, another region, one that failover does not name."""

NETWORK = "topology.istio.io/network"
"""The label of those who reach each other without a gateway."""


@dataclass(frozen=True, order=True)
class Locality:
    """Where something runs; empty is not known."""

    region: str = ""
    zone: str = ""
    subzone: str = ""

    def matches(self, rule: str) -> bool:
        """Whether it is within ``region/zone/subzone``, where ``*`` or what is missing means any.

        Raises:
            InputError: if the rule has more than three parts.
        """
        parts = rule.split("/")
        if len(parts) > 3:
            raise InputError(f"a locality has region, zone and subzone, and '{rule}' has more")
        region, zone, subzone = (*parts, "", "")[:3]
        return region in ("*", self.region) and zone in ("*", "", self.zone) and subzone in ("*", "", self.subzone)


NOWHERE = Locality()


@dataclass(frozen=True)
class Endpoint:
    """Somebody who answers."""

    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1


@dataclass(frozen=True)
class EndpointGroup:
    """Endpoints of a service in one locality, of one priority."""

    locality: Locality
    endpoints: tuple[Endpoint, ...]
    priority: int = 0

    @property
    def weight(self) -> int:
        """Of all its endpoints together."""
        return sum(endpoint.weight for endpoint in self.endpoints)


def distance(caller: Locality, other: Locality) -> int:
    """``SUBZONE``, ``ZONE``, ``REGION`` or ``ELSEWHERE``."""
    if caller.region != other.region:
        return ELSEWHERE
    if caller.zone != other.zone:
        return REGION
    return SUBZONE if caller.subzone == other.subzone else ZONE


def compacted(priorities: Sequence[int]) -> list[int]:
    """The same order from 0 without gaps."""
    return np.unique(np.asarray(priorities, np.int64), return_inverse=True)[1].tolist()


def failover_distances(caller: Locality, groups: Sequence[Locality], failover: Sequence[tuple[str, str]] = ()) -> list[int]:
    """How far each group is, where of other regions only the one that failover names is ``ELSEWHERE``.

    Args:
        caller: whose proxy asks.
        groups: localities of groups of endpoints.
        failover: from a region to a region; the first that starts from the caller's counts.
    """
    target = next((to for start, to in failover if start == caller.region), None)

    def far(other: Locality) -> int:
        away = distance(caller, other)
        return NO_TARGET if away == ELSEWHERE and target not in (None, other.region) else away

    return [far(other) for other in groups]


def failover_priorities(caller: Locality, groups: Sequence[Locality], failover: Sequence[tuple[str, str]] = ()) -> list[int]:
    """The priority of each group by its locality, compacted; arguments as :func:`failover_distances`."""
    return compacted(failover_distances(caller, groups, failover))


def zone_aware_priorities(
    caller: Locality, groups: Sequence[Locality], failover: Sequence[tuple[str, str]] = ()
) -> list[int]:
    """As :func:`failover_priorities`, but within a region all are equal: the balancer itself prefers the zone."""
    return compacted([max(far, REGION) for far in failover_distances(caller, groups, failover)])


def split_by_labels(
    caller: Locality,
    caller_labels: Mapping[str, str],
    wanted: Sequence[str],
    groups: Sequence[EndpointGroup],
    failover: Sequence[tuple[str, str]] = (),
) -> list[EndpointGroup]:
    """Groups split by how many of the labels in ``wanted`` their endpoints share with the caller, from the first on.

    The network, where it is the first label, only prefers (Istio since 1.31): within it the other labels decide, and
    outside of it they decide again.

    Args:
        caller: whose proxy asks.
        caller_labels: of the caller; without any nothing is split.
        wanted: labels, the most important first; ``label=value`` stands for the caller's own value.
        groups: endpoints by locality.
        failover: as :func:`failover_distances`; if given, localities decide among those of one priority.

    Returns:
        In the order of ``groups``, parts of one group by ascending priority; priorities compacted.
    """
    if not wanted:
        priorities = failover_priorities(caller, [group.locality for group in groups], failover)
        return [_at(group, group.endpoints, priority) for group, priority in zip(groups, priorities, strict=True)]
    parts: list[EndpointGroup] = []
    named = [_label_and_value(label, caller_labels) for label in wanted]
    for group in groups:
        missed = [_labels_missed(named, endpoint) if caller_labels else 0 for endpoint in group.endpoints]
        for priority in sorted(set(missed)):
            members = tuple(one for one, mine in zip(group.endpoints, missed, strict=True) if mine == priority)
            parts.append(_at(group, members, priority))
    priorities = [part.priority for part in parts]
    if failover:
        away = failover_distances(caller, [part.locality for part in parts], failover)
        ranks = compacted(priorities)
        priorities = [rank * (NO_TARGET + 1) + far for rank, far in zip(ranks, away, strict=True)]
    return [_at(part, part.endpoints, rank) for part, rank in zip(parts, compacted(priorities), strict=True)]


def distribute(
    caller: Locality,
    groups: Sequence[Locality],
    rules: Sequence[tuple[str, Mapping[str, int]]],
    weights: Sequence[int] | None = None,
) -> list[int] | None:
    """The weight of each group when a rule fixes what share goes where.

    The share of a locality is divided among its groups by their own weights, rounded up; a group in none gets nothing.
    A group that fits several localities belongs to the most narrowly described one, then to the first by name.

    Args:
        caller: whose proxy asks.
        groups: localities of groups of endpoints.
        rules: from a locality, to localities with percents; the first that starts from the caller's counts.
        weights: of each group, 1 if not given.

    Returns:
        None if no rule starts from the caller's locality.

    Raises:
        InputError: as :meth:`Locality.matches`.
    """
    targets = next((to for start, to in rules if caller.matches(start)), None)
    if targets is None:
        return None
    own = [1] * len(groups) if weights is None else list(weights)
    result = [0] * len(groups)
    left = set(range(len(groups)))
    for rule in sorted(targets, key=lambda rule: (-_narrowness(rule), rule)):
        mine = sorted(group for group in left if groups[group].matches(rule))
        left.difference_update(mine)
        together = sum(own[group] for group in mine)
        for group in mine:
            result[group] = math.ceil(own[group] * targets[rule] / together) if together else 0
    return result


def _narrowness(rule: str) -> int:
    return sum(part not in ("", "*") for part in rule.split("/"))


def _label_and_value(wanted: str, labels: Mapping[str, str]) -> tuple[str, str]:
    label, given, value = wanted.partition("=")
    return label, value if given else labels.get(label, "")


def _labels_missed(named: Sequence[tuple[str, str]], endpoint: Endpoint) -> int:
    # The network is preferred, not required: the other labels rank endpoints within it, and then again outside of it.
    if named[0][0] == NETWORK:
        outside = endpoint.labels.get(NETWORK, "") != named[0][1]
        return _labels_missed_in_order(named[1:], endpoint) + outside * len(named)
    return _labels_missed_in_order(named, endpoint)


def _labels_missed_in_order(named: Sequence[tuple[str, str]], endpoint: Endpoint) -> int:
    misses = (at for at, (label, value) in enumerate(named) if endpoint.labels.get(label, "") != value)
    return len(named) - next(misses, len(named))


def _at(group: EndpointGroup, endpoints: tuple[Endpoint, ...], priority: int) -> EndpointGroup:
    return EndpointGroup(group.locality, endpoints, priority)
