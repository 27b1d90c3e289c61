"""Clusters that are drained, upgraded, or leave: nothing is lost, nothing goes where it may not, and the empty are empty."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import ClusterAffinity, matches_affinity
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.membership import Membership, Origin, Phase
from skyedge.layers.federation.objects import Cluster, NodePool, Taint, Toleration, Workload
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules, WeightedAffinity
from skyedge.layers.federation.planned import UPGRADE_S, PlannedMove, Purpose, planned_timeline
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.quotas import Quota
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.scheduler.objects import PodShape

NAMES = ("a", "b", "c", "d")
DRAINING = "skyedge.io/draining"


def cluster(name, slots, **more):
    return Cluster(name, pools=(NodePool(slots, {"cpu": 1000, "pods": 1000}),), **more)


def workload(name, running, strategy=Strategy.DYNAMIC_WEIGHT, **rules):
    resource = Resource("Deployment", name, "shop", "apps/v1")
    return Workload(resource, sum(running.values()), PodShape((("cpu", 1000),)), PlacementRules(strategy=strategy, **rules))


def members(names=NAMES, origin=Origin.DATA_CENTRE, phase=Phase.MEMBER):
    return {name: Membership(name, origin, phase) for name in names}


def drain(name="a", at_s=0.0, purpose=Purpose.DRAIN):
    return PlannedMove(name, purpose, at_s)


def events(rows, *names):
    return [(row.event, row.cluster, row.replicas) for row in rows if row.event in names]


def serving(rows, running):
    """After each row: healthy replicas by workload and cluster."""
    now = Counter({(name, where): count for name, share in running.items() for where, count in share.items()})
    yield 0.0, now
    for row in rows:
        if row.event in ("healthy", "deleted"):
            now = now.copy()
            now[row.workload, row.cluster] += row.replicas * (1 if row.event == "healthy" else -1)
        yield row.at_s, now


# ----------------------------------------------------------------------------------------------- for every federation


@st.composite
def federations(draw):
    """Clusters with free slots, workloads that run somewhere on them, and moves of some clusters."""
    taints = st.sampled_from([(), (), (Taint("team", "x", "NoSchedule"),)])
    clusters = [cluster(name, draw(st.integers(0, 6)), taints=draw(taints)) for name in NAMES]
    running, workloads = {}, []
    for number in range(draw(st.integers(1, 3))):
        share = draw(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 4), min_size=1))
        strategy = draw(st.sampled_from([one for one in Strategy if one is not Strategy.DUPLICATED]))
        meant = ClusterAffinity(exclude_clusters=tuple(draw(st.sets(st.sampled_from(NAMES[1:]), max_size=1))))
        weights = (WeightedAffinity(2, ClusterAffinity(("b",))), WeightedAffinity(1, ClusterAffinity()))
        rules = {"groups": (AffinityGroup("", meant),), "static_weights": weights}
        one = workload(f"w{number}", share, strategy, **rules)
        workloads.append(one)
        running[one.name] = share
    moved = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
    moves = [PlannedMove(name, draw(st.sampled_from(Purpose)), float(draw(st.integers(0, 40)))) for name in moved]
    hard = draw(st.none() | st.integers(0, 6))
    quotas = () if hard is None else (Quota("q", "shop", {}, {"b": {"cpu": 1000 * hard}}),)
    return clusters, workloads, running, moves, quotas


@settings(max_examples=60)
@given(federations())
def test_as_many_replicas_serve_at_any_time_as_did_before(federation):
    clusters, workloads, running, moves, quotas = federation
    rows = planned_timeline(clusters, workloads, running, moves, members(), quotas=quotas)
    last_s, moments = 0.0, {}
    for at_s, now in serving(rows, running):
        assert at_s >= last_s
        last_s, moments[at_s] = at_s, now
    for now in moments.values():
        assert min(now.values(), default=0) >= 0
        for one in workloads:
            assert sum(count for (name, _), count in now.items() if name == one.name) >= one.replicas
    for one in workloads:
        assert sum(count for (name, _), count in now.items() if name == one.name) == one.replicas, "and no more in the end"


@settings(max_examples=60)
@given(federations())
def test_nothing_new_goes_where_there_is_no_room_or_where_policies_taints_and_quotas_are_against_it(federation):
    clusters, workloads, running, moves, quotas = federation
    rows = planned_timeline(clusters, workloads, running, moves, members(), quotas=quotas)
    by_name = {one.name: one for one in clusters}
    rules = {one.name: one.rules for one in workloads}
    slots = {one.name: sum(pool.count for pool in one.pools) for one in clusters}
    before = Counter({name: sum(share.get(name, 0) for share in running.values()) for name in NAMES})
    for row in rows:
        if row.event == "replaced":
            assert matches_affinity(by_name[row.cluster], rules[row.workload].groups[0].affinity)
            assert not by_name[row.cluster].taints or row.cluster in running[row.workload], "who is there is not asked again"
    for _, now in serving(rows, running):
        there = {name: sum(count for (_, where), count in now.items() if where == name) for name in NAMES}
        for name in NAMES:
            assert there[name] <= slots[name] + before[name]
        for quota in quotas:
            assert there["b"] <= max(quota.static["b"]["cpu"] // 1000, before["b"])


@settings(max_examples=60)
@given(federations())
def test_a_moved_cluster_is_empty_in_the_end_or_it_is_told_what_is_stuck_there(federation):
    clusters, workloads, running, moves, quotas = federation
    rows = planned_timeline(clusters, workloads, running, moves, members(), quotas=quotas)
    *_, (_, now) = serving(rows, running)
    upgraded = {row.cluster for row in rows if row.event == "upgraded"}
    for move in moves:
        left = sum(count for (_, where), count in now.items() if where == move.cluster)
        ends = events(rows, "emptied", "stuck")
        mine = [(event, count) for event, where, count in ends if where == move.cluster]
        assert len(mine) == 1
        assert mine[0] == ("stuck", left) if mine[0][0] == "stuck" else left == 0 or move.cluster in upgraded
        assert (move.cluster in upgraded) == (mine[0][0] == "emptied" and move.purpose is Purpose.UPGRADE)
        left_it = [row.cluster for row in rows if row.event == "left"]
        assert (move.cluster in left_it) == (mine[0][0] == "emptied" and move.purpose is Purpose.LEAVE)


@settings(max_examples=60)
@given(federations(), st.randoms())
def test_the_order_in_which_things_are_given_does_not_matter(federation, random_):
    clusters, workloads, running, moves, quotas = federation
    once = planned_timeline(clusters, workloads, running, moves, members(), quotas=quotas)

    def shuffled(things):
        return random_.sample(list(things), len(things))

    shares = {name: dict(shuffled(running[name].items())) for name in shuffled(running)}
    backwards = members(NAMES[::-1])
    again = planned_timeline(shuffled(clusters), shuffled(workloads), shares, shuffled(moves), backwards, quotas=quotas)
    assert again == once


@given(
    st.integers(1, 8), st.integers(0, 8), st.integers(0, 8), st.sampled_from([Strategy.DYNAMIC_WEIGHT, Strategy.AGGREGATED])
)
def test_as_many_leave_as_there_is_room_for_elsewhere(replicas, in_b, in_c, strategy):
    running = {"shop/w": {"a": replicas}}
    given_ = [cluster("a", 0), cluster("b", in_b), cluster("c", in_c)]
    rows = planned_timeline(given_, [workload("w", {"a": replicas}, strategy)], running, [drain()], members("abc"))
    assert sum(count for *_, count in events(rows, "deleted")) == min(replicas, in_b + in_c)


# ----------------------------------------------------------------------------------------------- one by one

ROOMY = [cluster("a", 0), cluster("b", 9), cluster("c", 9)]
WEB, ON_A = workload("web", {"a": 4}), {"shop/web": {"a": 4}}


def test_of_two_drained_at_one_moment_the_first_by_name_takes_what_room_there_is():
    one_slot = [cluster("a", 0), cluster("b", 0), cluster("c", 1)]
    both = [workload("x", {"b": 1}), workload("y", {"a": 1})]
    running = {"shop/x": {"b": 1}, "shop/y": {"a": 1}}
    for moves in ([drain("a"), drain("b")], [drain("b"), drain("a")]):
        rows = planned_timeline(one_slot, both, running, moves, members("abc"))
        assert events(rows, "emptied", "stuck") == [("emptied", "a", 0), ("stuck", "b", 1)]


def test_an_old_copy_goes_only_when_all_that_replace_it_serve():
    rows = planned_timeline(ROOMY, [WEB], ON_A, [drain(at_s=30.0)], members("abc"))
    assert rows[0].words == "a is drained: nothing new goes there"
    assert rows[0].at_s == 30.0
    served_s = max(row.at_s for row in rows if row.event == "healthy")
    assert [row.at_s for row in rows if row.event == "deleted"] == [served_s]
    assert (rows[-1].event, rows[-1].words) == ("emptied", "a is empty, and Drained")


def test_an_upgraded_cluster_is_back_after_its_upgrade_and_a_second_move_may_use_it():
    small = [cluster("a", 0), cluster("b", 4)]
    moves = [drain("a", 0.0, Purpose.UPGRADE), drain("b", 2000.0)]
    rows = planned_timeline(small, [WEB], ON_A, moves, members("ab"))
    empty_s = next(row.at_s for row in rows if (row.event, row.cluster) == ("emptied", "a"))
    assert [row.at_s for row in rows if row.event == "upgraded"] == [empty_s + UPGRADE_S]
    assert events(rows, "emptied", "stuck") == [("emptied", "a", 0), ("emptied", "b", 0)]
    assert ("replaced", "a", 4) in events(rows, "replaced"), "what it gave up is free there again"


def test_two_that_are_drained_at_once_do_not_flee_to_each_other():
    rows = planned_timeline(ROOMY, [WEB], ON_A, [drain("a"), drain("b")], members("abc"))
    assert {where for _, where, _ in events(rows, "replaced")} == {"c"}


def test_who_puts_up_with_drains_stays_and_is_no_longer_in_the_way_of_being_told():
    tolerant = workload("web", {"a": 4}, tolerations=(Toleration(DRAINING, "Exists"),))
    rows = planned_timeline(ROOMY, [tolerant], ON_A, [drain()], members("abc"))
    assert events(rows, "replaced", "deleted") == []
    assert events(rows, "stuck") == [("stuck", "a", 4)]
    later = workload("web", {"a": 4}, tolerations=(Toleration(DRAINING, "Exists", toleration_s=300.0),))
    rows = planned_timeline(ROOMY, [later], ON_A, [drain(at_s=10.0)], members("abc"))
    assert [row.at_s for row in rows if row.event == "leaving"] == [310.0]
    assert rows[-1].event == "emptied"


def test_a_copy_that_every_cluster_has_ends_with_its_cluster():
    everywhere = workload("agent", {"a": 2, "b": 2}, Strategy.DUPLICATED)
    rows = planned_timeline(
        ROOMY, [replace(everywhere, replicas=2)], {"shop/agent": {"a": 2, "b": 2}}, [drain()], members("abc")
    )
    assert events(rows, "replaced", "stuck") == []
    alone = replace(
        everywhere, replicas=2, rules=replace(everywhere.rules, groups=(AffinityGroup("", ClusterAffinity(("a", "c"))),))
    )
    rows = planned_timeline(ROOMY, [alone], {"shop/agent": {"a": 2}}, [drain()], members("abc"))
    assert events(rows, "replaced") == [("replaced", "c", 2)]


def test_a_copy_moves_where_the_policy_leaves_some_out_and_goes_where_the_others_are_enough():
    twice = workload("agent", {"a": 2, "b": 2}, Strategy.DUPLICATED, spread=(SpreadConstraint("cluster", 1, 2),))
    rows = planned_timeline(
        ROOMY, [replace(twice, replicas=2)], {"shop/agent": {"a": 2, "b": 2}}, [drain(), drain("b", 100.0)], members("abc")
    )
    assert events(rows, "replaced", "stuck") == [("replaced", "c", 2)]
    assert events(rows, "deleted") == [("deleted", "a", 2), ("deleted", "b", 2)]
    assert [row.words for row in rows if row.event == "emptied"] == ["a is empty, and Drained", "b is empty, and Drained"]


def test_a_full_cluster_is_no_home_whatever_static_weights_say():
    heavy = (WeightedAffinity(9, ClusterAffinity(("b",))), WeightedAffinity(1, ClusterAffinity()))
    by_weight = workload("web", {"a": 4}, Strategy.STATIC_WEIGHT, static_weights=heavy)
    full = [cluster("a", 0), cluster("b", 0), cluster("c", 4)]
    rows = planned_timeline(full, [by_weight], ON_A, [drain()], members("abc"))
    assert events(rows, "replaced", "stuck") == [("replaced", "c", 4)]


@pytest.mark.parametrize(("room_on_b", "replaced", "stuck"), [(0, 0, 4), (3, 3, 1), (4, 4, 0)])
def test_static_weights_never_move_anything_to_a_cluster_that_they_do_not_name(room_on_b, replaced, stuck):
    named = (WeightedAffinity(2, ClusterAffinity(("a",))), WeightedAffinity(1, ClusterAffinity(("b",))))
    by_weight = workload("web", {"a": 4}, Strategy.STATIC_WEIGHT, static_weights=named)
    there = [cluster("a", 0), cluster("b", room_on_b), cluster("c", 9)]
    rows = planned_timeline(there, [by_weight], ON_A, [drain()], members("abc"))
    assert sum(count for *_, count in events(rows, "replaced")) == replaced
    assert {where for _, where, _ in events(rows, "replaced")} <= {"b"}
    assert sum(count for *_, count in events(rows, "stuck")) == stuck


def test_two_of_a_namespace_share_the_quota_of_a_cluster():
    quota = Quota("q", "shop", {}, {"b": {"cpu": 3000}, "c": {"cpu": 0}})
    both = [workload("api", {"a": 2}), workload("web", {"a": 2})]
    running = {"shop/api": {"a": 2}, "shop/web": {"a": 2}}
    rows = planned_timeline(ROOMY, both, running, [drain()], members("abc"), quotas=[quota])
    assert sum(count for *_, count in events(rows, "replaced")) == 3
    assert events(rows, "stuck") == [("stuck", "a", 1)]


@pytest.mark.parametrize(
    ("purpose", "origin", "phase", "words"),
    [
        (Purpose.UPGRADE, Origin.THIRD_PARTY, Phase.MEMBER, "which its owner upgrades"),
        (Purpose.DRAIN, Origin.EDGE, Phase.LEFT, "a is Left: 'drain' cannot be now"),
        (Purpose.DRAIN, Origin.EDGE, Phase.DRAINED, "a is Drained: 'drain' cannot be now"),
        (Purpose.LEAVE, Origin.EDGE, Phase.JOINING, "a is Joining: 'drain' cannot be now"),
    ],
)
def test_what_the_life_of_a_cluster_forbids_is_said_before_anything_moves(purpose, origin, phase, words):
    with pytest.raises(InputError, match=words):
        planned_timeline(ROOMY, [WEB], ON_A, [drain(purpose=purpose)], members("abc", origin, phase))


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.DRAINED])
def test_who_is_being_drained_already_may_go_on_to_leave(phase):
    running = ON_A if phase is Phase.DRAINING else {"shop/web": {"b": 4}}
    rows = planned_timeline(ROOMY, [WEB], running, [drain(purpose=Purpose.LEAVE)], members("abc", phase=phase))
    assert rows[-1].event == "left"
    assert rows[-1].at_s < math.inf
