"""Which clusters and regions a workload is spread over."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.assignment import Unschedulable
from skyedge.layers.federation.spread import (
    Group,
    RankedCluster,
    Region,
    Scheduling,
    SpreadConstraint,
    check_constraints,
    group_score,
    regions_of,
    select_groups,
    sort_clusters,
    spread_by_cluster,
    spread_by_region,
)

CLUSTERS = st.lists(
    st.builds(RankedCluster, st.text("abcdef", min_size=1, max_size=2), st.integers(0, 3), st.integers(0, 9)),
    unique_by=lambda cluster: cluster.name,
    max_size=7,
).map(sort_clusters)


def every_choice(groups, least, most, target):
    """All choices, in the order in which a search through all of them would end at them."""
    order = sorted(groups, key=lambda group: (group.value, -group.weight, group.name))

    def ends(places):
        value = sum(order[place].value for place in places)
        return bool(places) and least <= len(places) <= most and value >= target

    choices = [
        places
        for count in range(1, len(order) + 1)
        for places in combinations(range(len(order)), count)
        if ends(places) and not any(ends(places[:head]) for head in range(1, count))
    ]
    return [[order[place] for place in places] for places in sorted(choices)]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=7),
    st.integers(0, 4),
    st.integers(1, 6),
    st.integers(0, 12),
)
def test_cutting_branches_changes_no_choice_of_groups(figures, least, most, target):
    groups = [Group(f"g{number}", value, weight) for number, (value, weight) in enumerate(figures)]
    choices = every_choice(groups, least, most, target)
    by_weight = [sorted(choice, key=lambda group: (-group.weight, group.name)) for choice in choices]
    expected = None
    if choices:
        best = max(by_weight, key=lambda choice: (sum(g.weight for g in choice), sum(g.value for g in choice)))
        expected = min((choice for choice in by_weight if choice == best[: len(choice)]), key=len)
    got = select_groups(groups, least, most, target)
    assert got == (expected and [group.name for group in expected])


@given(CLUSTERS, st.integers(0, 4), st.integers(0, 4), st.none() | st.integers(0, 40))
def test_clusters_are_as_many_as_asked_for_with_room_enough(clusters, least, more, need):
    constraint = SpreadConstraint("cluster", least, least + more)
    try:
        chosen = spread_by_cluster(constraint, clusters, need)
    except Unschedulable:
        most = sorted((cluster.available_replicas for cluster in clusters), reverse=True)[: constraint.max_groups or None]
        assert len(clusters) < least or sum(most) < need
        return
    assert len({cluster.name for cluster in chosen}) == len(chosen) >= least
    assert len(chosen) == min(len(clusters), constraint.max_groups or len(clusters))
    if need is None:
        assert chosen == clusters[: len(chosen)]
    else:
        assert sum(cluster.available_replicas for cluster in chosen) >= need


def test_the_worst_gives_way_to_the_roomiest():
    clusters = [RankedCluster("a", 60, 40), RankedCluster("b", 50, 30), RankedCluster("c", 40, 60)]
    chosen = spread_by_cluster(SpreadConstraint("cluster", 1, 2), clusters, 80)
    assert [cluster.name for cluster in chosen] == ["a", "c"]


@given(st.lists(CLUSTERS, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 6))
def test_every_region_that_is_chosen_has_a_cluster_of_its_own(lists, regions_wanted, clusters_wanted):
    regions = [
        Region(f"r{number}", number, tuple(RankedCluster(f"{number}/{c.name}", c.score, c.available_replicas) for c in mine))
        for number, mine in enumerate(lists)
    ]
    constraints = [SpreadConstraint("region", regions_wanted), SpreadConstraint("cluster", clusters_wanted)]
    try:
        names = [cluster.name for cluster in spread_by_region(constraints, regions)]
    except Unschedulable:
        filled = [mine for mine in lists if mine]
        assert not filled or len(filled) < regions_wanted or sum(map(len, filled)) < clusters_wanted
        return
    assert len(set(names)) == len(names) >= clusters_wanted
    assert len({name.partition("/")[0] for name in names}) >= regions_wanted


def test_a_spread_by_what_cannot_be_spread_by_is_refused():
    with pytest.raises(InputError, match=r"not by 'regions' \(did you mean 'region'\?\)"):
        check_constraints([SpreadConstraint("regions")])
    with pytest.raises(InputError, match="no number of clusters"):
        check_constraints([SpreadConstraint("cluster", 3, 2)])
    with pytest.raises(InputError, match="nothing is said of clusters"):
        spread_by_region([SpreadConstraint("region", 1, 1)], [])
    with pytest.raises(InputError, match="two spread constraints"):
        check_constraints([SpreadConstraint("cluster")] * 2)


def test_a_region_is_worth_the_share_that_it_can_run():
    clusters = [RankedCluster("a", 100, 30), RankedCluster("b", 0, 30)]
    # A share is half of 100: both are needed for it.
    assert group_score(clusters, 100, Scheduling.DIVIDED, 2) == 50_000 + 50
    assert group_score(clusters, 40, Scheduling.DIVIDED, 2, 1) == 20_000 + 50
    assert group_score(clusters, 30, Scheduling.DUPLICATED) == 2_000 + 50
    assert group_score(clusters, 31, Scheduling.DUPLICATED) == 0


def test_a_cluster_whose_region_is_not_known_is_in_none():
    clusters = [RankedCluster("a", 1, 5), RankedCluster("b", 2, 5), RankedCluster("c", 9, 5)]
    regions = regions_of(clusters, {"a": "north", "b": "north"}, 5, Scheduling.DUPLICATED, [])
    assert [(region.name, [cluster.name for cluster in region.clusters]) for region in regions] == [("north", ["b", "a"])]
