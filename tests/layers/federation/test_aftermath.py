"""What is left after a failover: replicas that serve, those that serve no longer, and replica-seconds between."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.federation.aftermath import aftermath
from skyedge.layers.federation.detection import Spells
from skyedge.layers.federation.division import Strategy
from skyedge.layers.federation.failover_events import Copies
from skyedge.layers.federation.failover_settings import KARMADA_DEFAULTS, KARMADA_EVICTION_ON, NO_FAILOVER, SKYEDGE
from skyedge.layers.federation.objects import Cluster, NodePool, Workload
from skyedge.layers.federation.placement import PlacementRules
from skyedge.layers.federation.policy import Resource
from skyedge.layers.federation.scene import Scene
from skyedge.layers.federation.service import serve
from skyedge.layers.federation.timeline import PATIENCE_S, Failure, failover_timeline
from skyedge.layers.scheduler.objects import PodShape

RULES = PlacementRules(strategy=Strategy.AGGREGATED)
WEB = Workload(Resource("Deployment", "web", "shop", "apps/v1"), 10, PodShape((("cpu", 1000),)), RULES)
AGENT = replace(WEB, resource=Resource("Deployment", "agent", "shop", "apps/v1"), replicas=2, rules=PlacementRules())


def clusters(*slots):
    return [
        Cluster(name, pools=(NodePool(count, {"cpu": 1000, "pods": 110_000}),))
        for name, count in zip("abcd", slots, strict=False)
    ]


def told(failures, settings_, *slots, workloads=(WEB,), shares=None):
    shares = {"shop/web": {"a": 10}} if shares is None else shares
    return failover_timeline(clusters(*slots), workloads, shares, failures, settings_)


@pytest.mark.parametrize("settings_", [NO_FAILOVER, KARMADA_DEFAULTS])
def test_who_moves_nothing_loses_all_that_ran_there_until_the_end(settings_):
    story = told([Failure("a", 50.0)], settings_, 0, 9)
    (left,) = story.aftermath
    assert (left.replicas, left.serving, left.lost, left.lost_with) == (10, 0, 10, ("a",))
    assert story.end_s == 50 + PATIENCE_S
    assert left.not_served_replica_s == pytest.approx(10 * PATIENCE_S)


@pytest.mark.parametrize("settings_", [SKYEDGE, KARMADA_EVICTION_ON])
def test_what_moves_is_missed_until_it_serves_again(settings_):
    story = told([Failure("a", 50.0)], settings_, 0, 20)
    (left,) = story.aftermath
    (served,) = (row.at_s for row in story.rows if row.event == "healthy")
    assert (left.serving, left.lost, left.lost_with, left.ended) == (10, 0, (), 0)
    assert left.not_served_replica_s == pytest.approx(10 * (served - 50))


def test_what_finds_no_room_is_lost_with_its_cluster():
    (left,) = told([Failure("a", 5.0)], SKYEDGE, 0, 4, 3).aftermath
    assert (left.serving, left.lost, left.lost_with) == (7, 3, ("a",))


def test_a_cluster_that_is_back_has_lost_nothing():
    story = told([Failure("a", 5.0, 25.0)], NO_FAILOVER, 0, 0)
    (left,) = story.aftermath
    assert (left.serving, left.lost) == (10, 0)
    assert left.not_served_replica_s == pytest.approx(10 * 20)


def test_a_copy_that_every_cluster_has_is_missed_only_with_the_last_of_them():
    shares = {"shop/agent": {"a": 2, "b": 2, "c": 2}}
    some = told([Failure("a", 5.0), Failure("b", 9.0)], SKYEDGE, 0, 0, 0, workloads=[AGENT], shares=shares)
    (left,) = some.aftermath
    assert (left.replicas, left.serving, left.lost, left.ended, left.not_served_replica_s) == (6, 2, 0, 4, 0)
    assert "a is gone, and its own copies of shop/agent with it" in [row.words for row in some.rows]
    both = [Failure("a", 5.0), Failure("b", 9.0), Failure("c", 15.0)]
    (left,) = told(both, SKYEDGE, 0, 0, 0, workloads=[AGENT], shares=shares).aftermath
    assert (left.serving, left.lost, left.ended, left.lost_with) == (0, 6, 0, ("a", "b", "c"))
    assert left.not_served_replica_s == pytest.approx(2 * PATIENCE_S)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(1, 5), st.integers(0, 90), st.one_of(st.just(math.inf), st.integers(1, 99))
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=3, max_size=3),
)
def test_replica_seconds_are_those_of_the_service(rows, gone):
    """``serve`` counts replicas that serve in another way; where nobody knows of a death, both look at the same."""
    rows = [(0, cluster, count, from_s, max(from_s, until_s)) for cluster, count, from_s, until_s in rows]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    copies = Copies(*columns[:3], columns[3].astype(float), columns[4].astype(float))
    down = Spells.of([(cluster, start, start + long) for cluster, (start, long) in enumerate(gone)])
    scene = Scene.of(clusters(0, 0, 0), [WEB], {"shop/web": {"a": 10}})
    (left,) = aftermath(scene, copies, down, 100.0)
    service = serve(copies, np.array([10]), 0.0, down, [], 100.0)
    missed = np.maximum(0, 10 - service.live) * (service.until_s - service.from_s)
    assert left.not_served_replica_s == pytest.approx(missed.sum())
