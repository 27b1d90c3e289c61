"""What happens when clusters die, told in words: who is watched how, what moves, and why something has no home."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.federation.affinity import ClusterAffinity
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.failover_settings import (
    KARMADA_DEFAULTS,
    SKYEDGE,
    settings_named,
)
from skyedge.layers.federation.objects import Cluster, NodePool, Toleration, Workload
from skyedge.layers.federation.placement import AffinityGroup, PlacementRules
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.scene import TimelineRow
from skyedge.layers.federation.spread import SpreadConstraint
from skyedge.layers.federation.timeline import Failure, failover_timeline
from skyedge.layers.scheduler.objects import PodShape


def cluster(name: str, slots: int) -> Cluster:
    return Cluster(name, pools=(NodePool(slots, {"cpu": 1000, "pods": 110_000}),))


RULES = PlacementRules(strategy=Strategy.AGGREGATED)
WEB = Workload(Resource("Deployment", "web", "shop", "apps/v1"), 10, PodShape((("cpu", 1000),)), RULES)
CLUSTERS = [cluster("a", 0), cluster("b", 4), cluster("c", 3)]
ON_A = {"shop/web": {"a": 10}}


def told(rows: tuple[TimelineRow, ...], event: str) -> list[tuple[str, int]]:
    return [(row.cluster, row.replicas) for row in rows if row.event == event]


def test_what_has_somewhere_to_go_goes_and_what_has_not_is_said():
    rows = failover_timeline(CLUSTERS, [WEB], ON_A, [Failure("a", 5.0)]).rows
    assert sorted(told(rows, "replaced")) == [("b", 4), ("c", 3)]
    assert told(rows, "nowhere") == [("a", 3)]
    assert told(rows, "deleted") == [("a", 7)]
    assert "3 replicas of shop/web have no home but a: too little room elsewhere" in [row.words for row in rows]
    assert [row.at_s for row in rows] == sorted(row.at_s for row in rows)


def test_karmada_as_it_is_installed_only_sees_it():
    rows = failover_timeline(CLUSTERS, [WEB], ON_A, [Failure("a", 5.0)], KARMADA_DEFAULTS).rows
    assert [row.event for row in rows] == ["down", "suspected", "detected"]


def test_a_toleration_of_the_policy_keeps_a_workload_where_it_is():
    rules = replace(RULES, tolerations=(Toleration("cluster.karmada.io/not-ready", "Exists", effect="NoExecute"),))
    rows = failover_timeline(CLUSTERS, [replace(WEB, rules=rules)], ON_A, [Failure("a")]).rows
    assert not told(rows, "evicted")


def test_two_workloads_do_not_count_on_the_same_room():
    other = replace(WEB, resource=Resource("Deployment", "api", "shop", "apps/v1"), replicas=5)
    rows = failover_timeline(CLUSTERS, [WEB, other], {**ON_A, "shop/api": {"a": 5}}, [Failure("a")]).rows
    assert sum(count for _, count in told(rows, "replaced")) == 7


def test_the_order_in_which_things_are_given_does_not_matter():
    other = replace(WEB, resource=Resource("Deployment", "api", "shop", "apps/v1"), replicas=5)
    shares = {**ON_A, "shop/api": {"a": 3, "b": 2}}
    for failures in ([Failure("a", 5.0, 100.0), Failure("c", 30.0)], [Failure("a", 5.0), Failure("b", 5.0)]):
        once = failover_timeline(CLUSTERS, [WEB, other], shares, failures)
        again = failover_timeline(CLUSTERS[::-1], [other, WEB], dict(reversed(shares.items())), failures[::-1])
        assert once == again


@pytest.mark.parametrize(
    ("shares", "failure", "words"),
    [
        (ON_A, Failure("d"), "there is no cluster 'd'"),
        (ON_A, Failure("a", 5.0, 5.0), "no span of time"),
        ({"shop/web": {"z": 1}}, Failure("a"), "runs on 'z'"),
        ({"shop/wep": {"a": 1}}, Failure("a"), "there is no workload 'shop/wep'"),
    ],
)
def test_what_is_not_there_is_named(shares, failure, words):
    with pytest.raises(InputError, match=words):
        failover_timeline(CLUSTERS, [WEB], shares, [failure])


def test_settings_are_known_by_name():
    assert settings_named("skyedge") is SKYEDGE
    with pytest.raises(InputError) as caught:
        settings_named("karmada-default")
    assert caught.value.nearest == "karmada-defaults"


def test_a_lease_that_runs_out_is_one_event_and_names_the_mode():
    both = [replace(one, pulls=one.name == "a") for one in CLUSTERS]
    failures = [Failure("a"), Failure("c")]
    rows = failover_timeline(both, [WEB], ON_A, failures, KARMADA_DEFAULTS).rows
    said = {(row.event, row.cluster): row.words for row in rows}
    assert ("suspected", "a") not in said
    assert said["detected", "a"].endswith("(Pull)")
    assert said["suspected", "c"].endswith("(Push)")
    assert said["detected", "c"].endswith("(Push)")


def no_home(rules: PlacementRules, **failures: float) -> list[str]:
    """What is said of replicas on a that have no home, shortly."""
    dead = [Failure(name, at_s) for name, at_s in failures.items()] or [Failure("a")]
    rows = failover_timeline([cluster("a", 0), cluster("b", 9)], [replace(WEB, rules=rules)], ON_A, dead).rows
    return [row.words.partition(": ")[2] for row in rows if row.event == "nowhere"]


def test_why_there_is_no_home_is_said():
    only_a = AffinityGroup(affinity=ClusterAffinity(cluster_names=("a",)))
    assert no_home(replace(RULES, spread=(SpreadConstraint("cluster", 2, 2),))) == [
        "it has to run on at least 2 clusters, and 1 will do"
    ]
    assert no_home(RULES) == ["too little room elsewhere"]
    assert no_home(replace(RULES, groups=(only_a,))) == [
        "no cluster of 2 will do: 1 is not ready, 1 is not meant by its affinity"
    ]
    assert no_home(RULES, a=5.0, b=0.0) == ["no cluster of 2 will do: 2 are not ready"]


def test_several_copies_without_a_home_on_one_cluster_are_told_once():
    shares = {"shop/web": {"a": 4, "b": 2}}
    rows = failover_timeline(CLUSTERS[:2], [WEB], shares, [Failure("a"), Failure("b", 60.0)]).rows
    assert told(rows, "replaced") == [("b", 4)]
    assert told(rows, "nowhere") == [("b", 6)]


NAMES = "abcdef"
COPIED = replace(WEB, replicas=2)


def on_several(least: int, most: int, **more) -> Workload:
    return replace(COPIED, rules=PlacementRules(spread=(SpreadConstraint("cluster", least, most),), **more))


@given(
    st.integers(1, 3), st.integers(0, 2), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 20), min_size=1, max_size=5)
)
def test_as_many_clusters_have_a_copy_afterwards_as_the_policy_asks_and_there_are(least, more, dead):
    most = least + more
    share = dict.fromkeys(NAMES[:most], COPIED.replicas)
    played = failover_timeline(
        [cluster(name, 2) for name in NAMES],
        [on_several(least, most)],
        {COPIED.name: share},
        [Failure(name, float(at_s)) for name, at_s in dead.items()],
    )
    alive = len(NAMES) - len(dead)
    if alive >= least:
        assert played.aftermath[0].serving == COPIED.replicas * min(most, alive)
        assert not played.aftermath[0].lost


def test_a_copy_of_which_others_are_enough_goes_without_another():
    roomy = [cluster(name, 9) for name in "abc"]
    share = {COPIED.name: {"a": 2, "b": 2, "c": 2}}
    played = failover_timeline(roomy, [on_several(1, 3)], share, [Failure("a")])
    assert told(played.rows, "evicted") == told(played.rows, "deleted") == [("a", 2)]
    assert not told(played.rows, "replaced")
    assert not told(played.rows, "nowhere")
    (left,) = played.aftermath
    assert (left.serving, left.ended, left.lost, left.not_served_replica_s) == (4, 2, 0, 0)


def test_a_copy_is_whole_or_not_at_all():
    played = failover_timeline(
        [cluster("a", 9), cluster("b", 1)], [on_several(1, 1)], {COPIED.name: {"a": 2}}, [Failure("a")]
    )
    assert told(played.rows, "nowhere") == [("a", 2)]
    assert not told(played.rows, "replaced")


def test_the_last_copy_goes_to_the_second_choice_of_the_policy():
    near, far = (
        AffinityGroup(name, ClusterAffinity(cluster_names=tuple(names))) for name, names in (("near", "ab"), ("far", "c"))
    )
    twice = replace(COPIED, rules=PlacementRules(groups=(near, far)))
    dead = [Failure("a"), Failure("b", 60.0)]
    played = failover_timeline([cluster(name, 9) for name in "abc"], [twice], {COPIED.name: {"a": 2, "b": 2}}, dead)
    assert told(played.rows, "replaced") == [("c", 2)]
    assert played.aftermath[0].serving == 2
