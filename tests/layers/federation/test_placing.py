"""Placing many workloads at once is placing each by itself; and a change concerns only those whom it touches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.columns import Federation
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.explaining import explain
from skyedge.layers.federation.nodes import NodeClass
from skyedge.layers.federation.objects import Cluster, NodePool, Taint, Workload
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules
from skyedge.layers.federation.placing import Placer, place
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.room import fits_on_node, flavour_of
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.scheduler.objects import PodShape
from tests.layers.federation.drawn import clusters, workloads
from tests.layers.federation.reference import place_one, tier_of

CPU = PodShape((("cpu", 1000),))


def pool(cores, count=1):
    return (NodePool(count, {"cpu": cores * 1000}),)


def app(name, replicas, rules, **more):
    return Workload(Resource("Deployment", name, "ns", "apps/v1"), replicas, CPU, rules, **more)


@settings(max_examples=40)
@given(clusters(), workloads())
def test_many_at_once_are_placed_as_each_by_itself(members, apps):
    federation = Federation.of(members)
    placements = place(federation, apps)
    for row, one in enumerate(apps):
        answer = place_one(federation, one)
        assert placements.of(row) == (answer.replicas or {})
        assert placements.placed[row] == (answer.replicas is not None)
        assert placements.group_name(row) == answer.group
        assert bool(placements.reason(row)) != placements.placed[row]


@settings(max_examples=25)
@given(clusters(), workloads(), st.sets(st.integers(0, 6), min_size=1, max_size=3))
def test_who_loses_a_cluster_is_placed_again_and_nobody_else(members, apps, gone):
    federation = Federation.of(members)
    placer = Placer(federation)
    placer.place([replace(one, fresh=False) for one in apps])
    before = {one.name: (one, placer.of(one.name)) for one in placer.workloads}
    lost = frozenset(federation.names[place] for place in gone if place < len(federation))
    again = placer.lose(lost)
    concerned = {one.name for one in again.workloads}
    for name, (one, ran) in before.items():
        if not lost & ran.keys():
            assert name not in concerned
            assert placer.of(name) == ran
            continue
        kept = {cluster: number for cluster, number in ran.items() if cluster not in lost}
        answer = place_one(federation, replace(one, scheduled=kept), lost)
        assert name in concerned
        assert placer.of(name) == (kept if answer.replicas is None else answer.replicas)


@settings(max_examples=15)
@given(clusters(), workloads())
def test_what_is_explained_is_what_was_decided(members, apps):
    federation = Federation.of(members)
    placements = place(federation, apps)
    for row, one in enumerate(apps):
        group = max(int(placements.group[row]), 0)
        verdicts = explain(placements.batch, row, group)
        assert [verdict.cluster for verdict in verdicts] == list(federation.names)
        for verdict, cluster in zip(verdicts, federation.clusters, strict=True):
            assert bool(verdict.turned_away) == bool(verdict.because) == (verdict.tier < 0)
            meant = tier_of(cluster, (one.rules.groups or (AffinityGroup(),))[group])
            assert verdict.tier < 0 or verdict.tier == meant
        if placements.placed[row]:
            assert {verdict.cluster: verdict.replicas for verdict in verdicts if verdict.chosen} == placements.of(row)


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 9), min_size=3, max_size=6),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=5),
    st.sampled_from([Strategy.DYNAMIC_WEIGHT, Strategy.AGGREGATED]),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 3)),
)
def test_each_tier_takes_what_has_no_room_on_those_before_it(cores, wanted, strategy, scheduled):
    federation = Federation.of([Cluster(name, pools=pool(free)) for name, free in zip("abcdef", cores, strict=False)])
    tiers = [ClusterAffinity(cluster_names=names) for names in (("a", "b"), ("c",), ("d", "e", "f", "a"))]
    rules = [
        PlacementRules((AffinityGroup("g", tiers[first], tuple(tiers[first + 1 :])),), strategy=strategy)
        for first in range(3)
    ]
    apps = [
        app(f"app-{number}", replicas, rules[first], scheduled=scheduled) for number, (replicas, first) in enumerate(wanted)
    ]
    placements = place(federation, apps)
    for row, one in enumerate(apps):
        assert placements.of(row) == (place_one(federation, one).replicas or {})


def test_nothing_is_placed_of_nothing():
    assert place(Federation.of([]), []).replicas.shape == (0, 0)
    placements = place(Federation.of([]), [app("a", 1, PlacementRules())])
    assert placements.reason(0) == "no cluster of 0 will do: there are none"


def test_it_is_said_what_turned_clusters_away():
    members = [
        Cluster("a", taints=(Taint("team", "x"),), pools=pool(4)),
        Cluster("b", pools=pool(4), api_kinds=frozenset({"v1/Pod"})),
        Cluster("c", pools=pool(4), ready=False),
        Cluster("d", pools=pool(4)),
    ]
    rules = PlacementRules((AffinityGroup("west", ClusterAffinity(exclude_clusters=("d",))),))
    placements = place(Federation.of(members), [app("web", 2, rules)])
    assert placements.reason(0) == (
        "no cluster of 4 will do: 1 does not know its kind, 1 is not ready, 1 has taints that it does not tolerate, "
        "1 is not meant by its affinity"
    )
    assert [verdict.because for verdict in explain(placements.batch, 0)] == [
        "has the taint team=x:NoSchedule, which is not tolerated",
        "does not know apps/v1/Deployment",
        "is not ready",
        "is not meant by the affinity group 'west'",
    ]


def test_it_is_said_what_is_short():
    members = [Cluster(name, region="north", pools=pool(2)) for name in "ab"]
    tight = PlacementRules(strategy=Strategy.DYNAMIC_WEIGHT)
    wide = PlacementRules(spread=(SpreadConstraint("cluster", 3, 4),))
    small = PlacementRules(spread=(SpreadConstraint("cluster", 1, 1),), strategy=Strategy.AGGREGATED)
    regions = PlacementRules(spread=(SpreadConstraint("region", 2, 2), SpreadConstraint("cluster", 2, 4)))
    apps = [app("tight", 7, tight), app("wide", 1, wide), app("small", 3, small), app("regions", 1, regions)]
    placements = place(Federation.of(members), apps)
    assert [placements.reason(row) for row in range(4)] == [
        "3 of 7 replicas find no room",
        "it has to run on at least 3 clusters, and 2 will do",
        "it may run on 1 cluster, and no choice of them has room for 3 replicas",
        "it has to run in at least 2 regions on at least 2 clusters, and no choice among the 2 clusters that will do "
        "gives that",
    ]


def test_each_is_placed_by_itself_and_it_is_said_where_that_is_too_much():
    federation = Federation.of([Cluster("a", pools=pool(4)), Cluster("b", pools=pool(40))])
    rules = PlacementRules((AffinityGroup("", ClusterAffinity(cluster_names=("a",))),), strategy=Strategy.DYNAMIC_WEIGHT)
    placements = place(federation, [app("one", 3, rules), app("two", 3, rules)])
    assert placements.placed.all()
    assert placements.overcommitted() == {"a": {"cpu": 1.5}}
    # What runs already is not free any more, and is not asked for again.
    again = place(federation, [app("one", 3, rules, scheduled={"a": 3}), app("two", 3, rules)])
    assert again.overcommitted() == {}


def test_a_workload_that_was_placed_by_a_later_group_stays_with_it():
    members = [Cluster("a", pools=pool(9)), Cluster("b", pools=pool(9)), Cluster("c", pools=pool(9))]
    groups = (
        AffinityGroup("first", ClusterAffinity(cluster_names=("a",))),
        AffinityGroup("second", ClusterAffinity(cluster_names=("b", "c"))),
    )
    placer = Placer(Federation.of(members))
    placer.lose(["a"])
    one = app("web", 4, PlacementRules(groups, strategy=Strategy.AGGREGATED))
    assert placer.place([one]).of(0) == {"b": 4}
    placer.regain(["a"])
    placer.lose(["b"])
    assert placer.of("ns/web") == {"c": 4}


def test_a_cluster_whose_nodes_have_changed_has_the_room_of_the_new_ones():
    members = [Cluster("a", pools=pool(2)), Cluster("b", pools=pool(2))]
    placer = Placer(Federation.of(members))
    rules = PlacementRules(strategy=Strategy.DYNAMIC_WEIGHT)
    assert not placer.place([app("web", 9, rules)]).placed[0]
    placer.update(replace(members[1], pools=(NodePool(2, {"cpu": 3000}), NodePool(1, {"cpu": 1000}, {"new": "yes"}))))
    assert placer.again(["ns/web"]).of(0) == {"a": 2, "b": 7}


def test_score_times_room_divides_replicas_if_the_policy_says_so():
    members = [
        Cluster("clean", facts={"carbon_g_per_kwh": 40.0}, pools=pool(30)),
        Cluster("dirty", facts={"carbon_g_per_kwh": 140.0}, pools=pool(30)),
        Cluster("unknown", pools=pool(30)),
    ]
    rules = PlacementRules(strategy=Strategy.DYNAMIC_WEIGHT, scores={"carbon": 1}, weigh_by_score=True)
    federation = Federation.of(members)
    assert place(federation, [app("web", 30, rules)]).of(0) == {"clean": 23, "dirty": 7}
    # What does not fit where it is welcome goes elsewhere; never more than there is room for.
    assert place(federation, [app("web", 70, rules)]).of(0) == {"clean": 30, "dirty": 30, "unknown": 10}
    assert place(federation, [app("web", 30, replace(rules, weigh_by_score=False))]).of(0) == dict.fromkeys(
        ["clean", "dirty", "unknown"], 10
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (PlacementRules(spread=(SpreadConstraint("zone", 1, 1),)), "spread by cluster and region, not by 'zone'"),
        (PlacementRules(spread=(SpreadConstraint("region", 1, 1),)), "nothing is said of clusters"),
        (PlacementRules(scores={"latancy": 1}), "no score 'latancy'.*did you mean 'latency'"),
        (PlacementRules(scores={"carbon": 0}), "all zero"),
        (PlacementRules(scores={"carbon": -1}), "not negative"),
    ],
)
def test_rules_that_are_not_in_order_are_refused(rules, message):
    with pytest.raises(InputError, match=message):
        place(Federation.of([Cluster("a")]), [app("web", 1, rules)])


def test_names_are_told_apart():
    placer = Placer(Federation.of([Cluster("north", pools=pool(1))]))
    with pytest.raises(InputError, match="two workloads are called 'ns/web'"):
        placer.place([app("web", 1, PlacementRules())] * 2)
    with pytest.raises(InputError, match=r"no cluster 'nord'.*did you mean 'north'"):
        placer.lose(["nord"])
    with pytest.raises(InputError, match="-1 replicas"):
        placer.place([app("web", -1, PlacementRules())])


def test_the_order_of_workloads_does_not_matter():
    federation = Federation.of([Cluster(name, pools=pool(5)) for name in "abc"])
    rules = PlacementRules(strategy=Strategy.DYNAMIC_WEIGHT)
    apps = [app(f"app-{number}", number + 1, rules, uid=str(number)) for number in range(9)]
    forth, back = place(federation, apps), place(federation, apps[::-1])
    assert np.array_equal(forth.replicas, back.replicas[::-1])


def in_turn(members, apps):
    """Each on what those before it left, node by node."""
    ordered = sorted(members, key=lambda cluster: cluster.name)
    classes = list(dict.fromkeys(class_of(pool) for cluster in ordered for pool in cluster.pools if pool.count))
    singles = [
        replace(
            cluster,
            pools=tuple(
                replace(pool, count=1)
                for pool in sorted((p for p in cluster.pools if p.count), key=lambda p: classes.index(class_of(p)))
                for _ in range(pool.count)
            ),
        )
        for cluster in ordered
    ]
    answers = {}
    for one in sorted(apps, key=lambda one: (-one.priority, one.name)):
        answers[one.name] = place_one(Federation.of(singles), one).replicas or {}
        flavour = flavour_of(one.shape)
        for number, cluster in enumerate(singles):
            left = max(0, answers[one.name].get(cluster.name, 0) - one.scheduled.get(cluster.name, 0))
            nodes = []
            for node in cluster.pools:
                fits = fits_on_node(node.free, flavour.request) if flavour.habitat.admits(class_of(node)) else 0
                given = min(left, fits)
                left -= given
                asked = dict(flavour.request)
                nodes.append(
                    replace(node, free={name: free - given * asked.get(name, 0) for name, free in node.free.items()})
                )
            singles[number] = replace(cluster, pools=tuple(nodes))
    return answers


def class_of(pool):
    return NodeClass(tuple(sorted(pool.labels.items())), pool.taints)


@settings(max_examples=20)
@given(clusters(), workloads(), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_in_turn_each_sees_what_those_before_it_left(members, apps, priorities):
    apps = [replace(one, priority=priority) for one, priority in zip(apps, priorities, strict=False)]
    placements = place(Federation.of(members), apps, reserve=True)
    expected = in_turn(members, apps)
    assert {one.name: placements.of(row) for row, one in enumerate(apps)} == expected


def test_the_more_important_one_comes_first_and_who_finds_no_node_waits():
    federation = Federation.of([Cluster("a", pools=(NodePool(2, {"cpu": 2500}),))])
    rules = PlacementRules(strategy=Strategy.DYNAMIC_WEIGHT)
    apps = [app("first", 3, rules), app("important", 3, rules, priority=1), app("everywhere", 9, PlacementRules())]
    placements = place(federation, apps, reserve=True)
    assert [placements.of(row) for row in range(3)] == [{}, {"a": 3}, {"a": 9}]
    assert placements.waiting == {2: {"a": 8}}
    assert placements.reason(0) == "3 of 3 replicas find no room"
    # The federation itself is as it was.
    assert place(federation, apps).placed.all()
