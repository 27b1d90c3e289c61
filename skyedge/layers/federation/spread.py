"""Over how many clusters and regions a workload is spread, and which: Karmada's spread constraints.

By cluster: the best by score; while they have too little room together, the worst of them gives way to the roomiest of the
rest.  By region: the set of regions with the best total score among those that hold clusters enough, then the best cluster
of each, then the best of what is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from skyedge.errors import InputError, nearest
from skyedge.layers.federation.assignment import Unschedulable

SPREAD_BY = ("cluster", "region")

SCORE_UNIT = 1000
"""What one replica (or, of duplicated workloads, one cluster) is worth beside the mean score, which is at most 100."""


class Scheduling(Enum):
    """Whether each cluster gets all replicas or a share of them."""

    DUPLICATED = "Duplicated"
    DIVIDED = "Divided"


@dataclass(frozen=True)
class SpreadConstraint:
    """At least and at most so many groups (0: as many as there are); a group is one cluster or the clusters of a region."""

    field: str
    min_groups: int = 0
    max_groups: int = 0


@dataclass(frozen=True)
class RankedCluster:
    """A cluster that passed the filters, with what the choice is made by.

    Attributes:
        available_replicas: that it could run, those that it runs already included.
    """

    name: str
    score: int = 0
    available_replicas: int = 0


@dataclass(frozen=True)
class Region:
    """A region with its clusters, the best first."""

    name: str
    score: int
    clusters: tuple[RankedCluster, ...]


@dataclass(frozen=True)
class Group:
    """What a choice is made from: ``value`` counts towards a target, ``weight`` says how good it is."""

    name: str
    value: int
    weight: int


def sort_clusters(clusters: Sequence[RankedCluster], by_available_replicas: bool = True) -> list[RankedCluster]:
    """The best first: by score, then (if asked for) by room, then by name."""
    return sorted(clusters, key=lambda c: (-c.score, -c.available_replicas if by_available_replicas else 0, c.name))


def check_constraints(constraints: Sequence[SpreadConstraint]) -> dict[str, SpreadConstraint]:
    """Constraints by their field.

    Raises:
        InputError: if a field cannot be spread by, is there twice, or has a maximum under its minimum.
    """
    found: dict[str, SpreadConstraint] = {}
    for constraint in constraints:
        if constraint.field not in SPREAD_BY:
            right = nearest(constraint.field, SPREAD_BY)
            raise InputError(f"workloads spread by cluster and region, not by '{constraint.field}'", nearest=right)
        if constraint.field in found:
            raise InputError(f"there are two spread constraints by {constraint.field}")
        if constraint.min_groups < 0 or 0 < constraint.max_groups < constraint.min_groups:
            raise InputError(
                f"at least {constraint.min_groups} and at most {constraint.max_groups} is no number of {constraint.field}s"
            )
        found[constraint.field] = constraint
    return found


def spread_by_cluster(
    constraint: SpreadConstraint, clusters: Sequence[RankedCluster], need_replicas: int | None
) -> list[RankedCluster]:
    """The clusters to run on.

    Args:
        constraint: how many.
        clusters: the best first.
        need_replicas: for which there must be room; None where room plays no part (duplicated, static weights).

    Raises:
        Unschedulable: if there are too few clusters, or with too little room.
    """
    if len(clusters) < constraint.min_groups:
        raise Unschedulable(f"there are {len(clusters)} clusters to choose from, and {constraint.min_groups} are wanted")
    count = min(constraint.max_groups or len(clusters), len(clusters))
    chosen, rest = list(clusters[:count]), list(clusters[count:])
    if need_replicas is None:
        return chosen
    room = sum(cluster.available_replicas for cluster in chosen)
    for place in reversed(range(count)):
        if room >= need_replicas or not rest:
            break
        # The first of several that are as roomy: it has the better score.
        roomiest = max(range(len(rest)), key=lambda one: (rest[one].available_replicas, -one))
        gain = rest[roomiest].available_replicas - chosen[place].available_replicas
        if gain > 0:
            chosen[place], rest[roomiest] = rest[roomiest], chosen[place]
            room += gain
    if room < need_replicas:
        raise Unschedulable(f"no {count} clusters were found with room for {need_replicas} replicas")
    return chosen


def spread_by_region(constraints: Sequence[SpreadConstraint], regions: Sequence[Region]) -> list[RankedCluster]:
    """The clusters to run on, at least one in each of the regions that are chosen.

    Raises:
        InputError: if there is no constraint by region, or none by cluster beside it.
        Unschedulable: if there are too few regions, or too few clusters in them.
    """
    found = check_constraints(constraints)
    if missing := [name for name in SPREAD_BY if name not in found]:
        raise InputError(
            f"who spreads by region has to say by how many regions and clusters: nothing is said of {missing[0]}s"
        )
    by_region, by_cluster = found["region"], found["cluster"]
    filled = {region.name: region for region in regions if region.clusters}
    if len(filled) < by_region.min_groups:
        raise Unschedulable(f"there are {len(filled)} regions to choose from, and {by_region.min_groups} are wanted")
    groups = [Group(region.name, len(region.clusters), region.score) for region in filled.values()]
    names = select_groups(groups, by_region.min_groups, by_region.max_groups or len(groups), by_cluster.min_groups)
    if names is None:
        raise Unschedulable(f"no choice of regions holds the {by_cluster.min_groups} clusters that are wanted")
    chosen = [filled[name].clusters[0] for name in names]
    rest = sort_clusters([cluster for name in names for cluster in filled[name].clusters[1:]])
    most = by_cluster.max_groups or len(chosen) + len(rest)
    return chosen + rest[: max(0, most - len(chosen))]


def select_groups(groups: Sequence[Group], min_groups: int, max_groups: int, target: int) -> list[str] | None:
    """The names of the best groups whose values reach ``target``, the heaviest first; None if no choice does.

    A choice grows in the order of values, the smallest first, and ends as soon as it has the target and ``min_groups``.  The
    best has the greatest weight, then the greatest value, then came first.  If the heaviest few of it would have been a
    choice by themselves, the fewest of them are taken.  Branches that cannot reach the target, or cannot become better than
    the best so far, are cut; the worst case stays exponential in the number of groups.
    """
    order = sorted(groups, key=lambda group: (group.value, -group.weight, group.name))
    search = _Search(order, min_groups, min(max_groups, len(order)), target)
    search.extend((), 0)
    if not search.best:
        return None
    best = sorted((order[place] for place in search.best), key=lambda group: (-group.weight, group.name))
    for count in range(1, len(best)):
        if search.is_choice(sorted(order.index(group) for group in best[:count])):
            return [group.name for group in best[:count]]
    return [group.name for group in best]


class _Search:
    """Depth first through the choices; ``best`` holds places in ``order``."""

    def __init__(self, order: Sequence[Group], min_groups: int, max_groups: int, target: int) -> None:
        self.order, self.min_groups, self.max_groups, self.target = order, min_groups, max_groups, target
        self.best: tuple[int, ...] = ()
        self._best_key = (0, 0)
        # Most that any so many groups from a place on can add; values are sorted, so the last ones add most of it.
        self._weights = [_running_sums(group.weight for group in order[place:]) for place in range(len(order) + 1)]
        self._values = [_running_sums(group.value for group in order[place:]) for place in range(len(order) + 1)]

    def is_choice(self, places: Sequence[int]) -> bool:
        """Whether the search would end at these places."""
        value = sum(self.order[place].value for place in places)
        before = value - self.order[places[-1]].value
        ends_earlier = len(places) - 1 >= self.min_groups and before >= self.target
        return self.min_groups <= len(places) <= self.max_groups and value >= self.target and not ends_earlier

    def extend(self, places: tuple[int, ...], begin: int) -> None:
        weight = sum(self.order[place].weight for place in places)
        value = sum(self.order[place].value for place in places)
        if places and value >= self.target and self.min_groups <= len(places) <= self.max_groups:
            if not self.best or (weight, value) > self._best_key:
                self.best, self._best_key = places, (weight, value)
            return
        more = min(self.max_groups - len(places), len(self.order) - begin)
        for place in range(begin, len(self.order)):
            more = min(more, len(self.order) - place)
            if more <= 0 or len(places) + more < self.min_groups:
                return
            most_value, most_weight = value + self._values[place][more], weight + self._weights[place][more]
            if most_value < self.target or (self.best and (most_weight, most_value) <= self._best_key):
                return
            self.extend((*places, place), place + 1)


def _running_sums(figures: Iterable[int]) -> list[int]:
    sums = [0]
    for figure in sorted(figures, reverse=True):
        sums.append(sums[-1] + max(0, figure))
    return sums


def group_score(
    clusters: Sequence[RankedCluster],
    replicas: int,
    scheduling: Scheduling,
    group_min_groups: int = 0,
    cluster_min_groups: int = 0,
) -> int:
    """How good a group of clusters is, the number of replicas (or clusters) that it can serve before the mean score.

    Duplicated: how many clusters can hold all.  Divided: how much of an even share, one of ``group_min_groups``, fits; of
    the clusters, only as many count as are needed for that, and at least ``cluster_min_groups``.

    Args:
        clusters: of the group, the best first.
        replicas: of the workload.
        scheduling: duplicated or divided.
        group_min_groups, cluster_min_groups: least number of groups and of clusters, from the spread constraints.
    """
    if scheduling is Scheduling.DUPLICATED:
        able = [cluster.score for cluster in clusters if cluster.available_replicas >= replicas]
        return SCORE_UNIT * len(able) + sum(able) // len(able) if able else 0
    if not clusters:
        return 0
    share = -(-replicas // max(group_min_groups, 1))
    least = max(group_min_groups, cluster_min_groups)
    room = score = count = 0
    for cluster in clusters:
        room, score, count = room + cluster.available_replicas, score + cluster.score, count + 1
        if count >= least and room >= share:
            break
    return SCORE_UNIT * min(room, share) + score // count


def regions_of(
    clusters: Sequence[RankedCluster],
    region_of: Mapping[str, str],
    replicas: int,
    scheduling: Scheduling,
    constraints: Sequence[SpreadConstraint],
) -> list[Region]:
    """The regions that clusters lie in, by name, scored; a cluster whose region is not known is left out.

    Raises:
        InputError: if a constraint is not in order.
    """
    least = {field: constraint.min_groups for field, constraint in check_constraints(constraints).items()}
    members: dict[str, list[RankedCluster]] = {}
    for cluster in sort_clusters(clusters):
        if region := region_of.get(cluster.name, ""):
            members.setdefault(region, []).append(cluster)
    return [
        Region(name, group_score(mine, replicas, scheduling, least.get("region", 0), least.get("cluster", 0)), tuple(mine))
        for name, mine in sorted(members.items())
    ]
