"""Failovers in virtual time: nothing leaves without somewhere to go, and nothing is deleted that is all there is."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.layers.federation.data import Network
from skyedge.layers.federation.detection import Sighting, Spells, Weather, watch
from skyedge.layers.federation.failover_events import Begun, Copies, Event
from skyedge.layers.federation.failover_loop import run_failover
from skyedge.layers.federation.failover_settings import (
    KARMADA_DEFAULTS,
    KARMADA_EVICTION_ON,
    NO_FAILOVER,
    SETTINGS,
    SKYEDGE,
    EvictionRate,
    settings_named,
)
from skyedge.layers.federation.service import serve
from skyedge.layers.federation.spare_room import SpareRoom
from skyedge.layers.federation.starting import Starting

UNTIL_S = 3000.0


class TenSeconds:
    """New copies take ten seconds, whatever they are."""

    def begin(self, at_s, workload, cluster, replicas):
        return Begun(*(np.full(len(workload), at_s + takes_s) for takes_s in (4.0, 7.0, 10.0)))


def fail(settings_, running, clusters, down, room, workloads=1, seen=None, tolerated_s=0.0, size=1):
    """One failover; ``running`` are triples of workload, cluster and replicas."""
    columns = np.array(running).T
    down = Spells.of(down)
    if seen is None:
        seen = watch(settings_.health, clusters, Weather(down), UNTIL_S, 0) if settings_.watched else []
    homes = SpareRoom(np.array(room), np.full(workloads, size))
    copies = Copies.running(columns[0], columns[1], columns[2])
    tolerated = np.full(workloads, tolerated_s)
    timeline = run_failover(settings_, copies, clusters, down, seen, homes, TenSeconds(), tolerated, UNTIL_S)
    return timeline, homes, down, seen


def left(timeline) -> Counter:
    copies = timeline.copies
    kept = copies.deleted_at_s == math.inf
    found = Counter()
    for key, count in zip(zip(copies.workload[kept], copies.cluster[kept], strict=True), copies.replicas[kept], strict=True):
        found[tuple(map(int, key))] += int(count)
    return found


def first_s(timeline, event: Event) -> float:
    return float(timeline.at_s[timeline.rows_of(event)[0]])


@st.composite
def federations(draw, latest_s=1200):
    clusters, workloads = draw(st.integers(2, 5)), draw(st.integers(1, 4))
    places = [(workload, cluster) for workload in range(workloads) for cluster in range(clusters)]
    chosen = draw(st.lists(st.sampled_from(places), min_size=1, max_size=8, unique=True))
    running = [(*place, draw(st.integers(1, 6))) for place in sorted(chosen)]
    room = draw(st.lists(st.integers(0, 12), min_size=clusters, max_size=clusters))
    down = []
    for cluster in range(clusters):
        edges = sorted(draw(st.lists(st.integers(10, latest_s), max_size=4, unique=True)))
        down += [(cluster, start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]
        if len(edges) % 2:  # the last never returns
            down.append((cluster, edges[-1], math.inf))
    return running, clusters, down, room, workloads


@settings(max_examples=100)
@given(federations(), st.sampled_from(sorted(SETTINGS)))
def test_room_is_neither_made_nor_lost(federation, name):
    running, clusters, down, room, workloads = federation
    timeline, homes, *_ = fail(settings_named(name), running, clusters, down, room, workloads)
    before, after = Counter(), Counter()
    for _, cluster, count in running:
        before[cluster] += count
    for (_, cluster), count in left(timeline).items():
        after[cluster] += count
    # A move that was decided when time ran out holds room for copies that are not there yet; there is none here.
    assert [before[cluster] + room[cluster] for cluster in range(clusters)] == [
        after[cluster] + int(homes.room[cluster]) for cluster in range(clusters)
    ]
    assert (homes.room >= 0).all()


@settings(max_examples=100)
@given(federations())
def test_skyedge_evicts_nothing_without_somewhere_to_go_and_deletes_nothing_alone(federation):
    running, clusters, down, room, workloads = federation
    timeline, *_ = fail(SKYEDGE, running, clusters, down, room, workloads)
    assert timeline.deleted_alone == 0
    evicted, placed = (timeline.replicas[timeline.rows_of(event)].sum() for event in (Event.EVICTED, Event.REPLACED))
    called_off = timeline.replicas[timeline.rows_of(Event.KEPT)].sum()
    assert evicted - called_off <= placed <= evicted
    # Replicas that run and replicas that wait for their cluster add up to those wanted; copies in the middle of a move to a
    # cluster that died in turn are there twice.
    wanted, there = Counter(), Counter()
    for workload, _, count in running:
        wanted[workload] += count
    for (workload, _), count in left(timeline).items():
        there[workload] += count
    healthy = (timeline.copies.healthy_at_s < math.inf) | (timeline.copies.deleted_at_s < math.inf)
    for workload in wanted:
        assert there[workload] >= wanted[workload]
        if healthy.all():
            assert there[workload] == wanted[workload]


@settings(max_examples=200)
@given(federations(latest_s=60), st.sampled_from([0.0, 1.0, 6.0]))
def test_clusters_that_come_and_go_in_the_middle_of_moves_lose_nothing(federation, decision_s):
    running, clusters, down, room, workloads = federation
    seen = [Sighting(cluster, start + 0.3, start + 0.6, end + 0.3) for cluster, start, end in down]
    settings_ = replace(SKYEDGE, decision_s=decision_s)
    timeline, homes, *_ = fail(settings_, running, clusters, down, room, workloads, seen=seen)
    for row in timeline.rows_of(Event.HEALTHY):
        at_s, where = timeline.at_s[row], timeline.cluster[row]
        assert not any(cluster == where and start <= at_s < end for cluster, start, end in down)
    before, after, wanted, there = Counter(), Counter(), Counter(), Counter()
    for workload, cluster, count in running:
        before[cluster] += count
        wanted[workload] += count
    for (workload, cluster), count in left(timeline).items():
        after[cluster] += count
        there[workload] += count
    assert [before[cluster] + room[cluster] - after[cluster] for cluster in range(clusters)] == homes.room.tolist()
    assert timeline.deleted_alone == 0
    waits = (timeline.copies.healthy_at_s == math.inf) & (timeline.copies.deleted_at_s == math.inf)
    assert there == wanted if not waits.any() else there >= wanted


@settings(max_examples=50)
@given(federations(), st.sampled_from([NO_FAILOVER, KARMADA_DEFAULTS]))
def test_without_failover_and_with_karmadas_defaults_nothing_moves(federation, settings_):
    running, clusters, down, room, workloads = federation
    timeline, *_ = fail(settings_, running, clusters, down, room, workloads)
    assert left(timeline) == Counter({(workload, cluster): count for workload, cluster, count in running})
    moved = {Event.TAINTED, Event.EVICTED, Event.REPLACED, Event.DELETED, Event.NOWHERE}
    assert not moved & {Event(number) for number in timeline.event.tolist()}


@settings(max_examples=30)
@given(st.floats(10, 100), st.floats(0.1, 29.9))
def test_a_cluster_that_is_back_before_it_is_declared_moves_nothing(dies_at_s, gone_s):
    for settings_, longest_s in ((KARMADA_EVICTION_ON, 29.9), (SKYEDGE, 1.9)):
        down = [(0, dies_at_s, dies_at_s + min(gone_s, longest_s))]
        timeline, *_ = fail(settings_, [(0, 0, 3)], 2, down, [5, 5])
        assert left(timeline) == Counter({(0, 0): 3})
        assert not len(timeline.rows_of(Event.EVICTED))


@settings(max_examples=60)
@given(federations())
def test_a_cluster_that_returns_does_not_take_back_what_moved(federation):
    running, clusters, down, room, workloads = federation
    timeline, *_ = fail(SKYEDGE, running, clusters, down, room, workloads)
    up = {cluster for cluster, _, end in down if end < math.inf}
    for row in timeline.rows_of(Event.DELETED):
        # What is deleted had healthy copies elsewhere first.
        earlier = timeline.rows_of(Event.HEALTHY)
        mine = earlier[timeline.workload[earlier] == timeline.workload[row]]
        assert timeline.at_s[mine].min() <= timeline.at_s[row]
    assert set(timeline.cluster[timeline.rows_of(Event.RECOVERED)].tolist()) <= up


def test_the_order_of_one_failover():
    timeline, *_ = fail(SKYEDGE, [(0, 0, 3)], 2, [(0, 50.0, math.inf)], [0, 5])
    words = [Event(number).name for number in timeline.event.tolist()]
    assert words[:6] == ["DOWN", "SUSPECTED", "DETECTED", "TAINTED", "EVICTED", "REPLACED"]
    assert words[6:] == ["STARTED", "DATA_THERE", "HEALTHY", "DELETED"]
    assert first_s(timeline, Event.HEALTHY) == pytest.approx(first_s(timeline, Event.DETECTED) + SKYEDGE.decision_s + 10)


def test_karmada_lets_one_workload_go_every_two_seconds():
    running = [(workload, 0, 1) for workload in range(5)]
    timeline, *_ = fail(KARMADA_EVICTION_ON, running, 3, [(0, 50.0, math.inf)], [0, 9, 9], workloads=5)
    assert np.diff(timeline.at_s[timeline.rows_of(Event.EVICTED)]) == pytest.approx([2.0] * 4)


def test_when_most_clusters_are_dead_karmada_goes_slower_or_halts():
    rate = EvictionRate()
    assert rate.now_per_s(55, 100) == 0.5
    assert rate.now_per_s(56, 100) == 0.1
    assert rate.now_per_s(6, 10) == 0


@pytest.mark.parametrize("back_s", [math.inf, 4000.0])
def test_a_halted_eviction_waits_for_a_cluster_that_returns_and_for_nothing_else(back_s):
    room = SpareRoom(np.array([0, 0, 9]), np.array([1]))
    copies = Copies.running(*np.array([[0], [0], [3]]))
    down = Spells.of([(0, 50.0, math.inf), (1, 50.0, back_s)])
    cleared_s = back_s + 30
    seen = [Sighting(0, 60.0, 90.0, math.inf), Sighting(1, 60.0, 90.0, cleared_s)]
    timeline = run_failover(KARMADA_EVICTION_ON, copies, 3, down, seen, room, TenSeconds(), np.zeros(1))
    assert left(timeline) == Counter({(0, 0 if back_s == math.inf else 2): 3})
    looked_at_s = [90 + 1800 * times for times in range(1, 4)]
    assert back_s == math.inf or first_s(timeline, Event.EVICTED) == next(s for s in looked_at_s if s > cleared_s)


def test_without_room_karmada_gives_the_workload_up_and_deletes_it_when_its_cluster_returns():
    gone = [(0, 50.0, 1500.0)]
    karmada, *_ = fail(KARMADA_EVICTION_ON, [(0, 0, 3)], 2, gone, [0, 2])
    assert karmada.deleted_alone == 3
    assert first_s(karmada, Event.DELETED) == 1500
    skyedge, *_ = fail(SKYEDGE, [(0, 0, 3)], 2, gone, [0, 2])
    assert left(skyedge) == Counter({(0, 1): 2, (0, 0): 1})
    assert skyedge.replicas[skyedge.rows_of(Event.NOWHERE)].tolist() == [1]


def test_what_had_nowhere_to_go_goes_when_there_is_room():
    down = [(0, 50.0, math.inf), (1, 10.0, 500.0)]
    for settings_ in (KARMADA_EVICTION_ON, SKYEDGE):
        timeline, *_ = fail(settings_, [(0, 0, 3)], 4, down, [0, 5, 0, 0])
        assert first_s(timeline, Event.NOWHERE) < 100 < 500 < first_s(timeline, Event.REPLACED)
        assert left(timeline) == Counter({(0, 1): 3})


def test_karmada_finds_a_place_again_for_what_it_deleted_once_the_cluster_is_ready():
    timeline, *_ = fail(KARMADA_EVICTION_ON, [(0, 0, 3)], 2, [(0, 50.0, 1500.0)], [0, 2])
    assert left(timeline) == Counter({(0, 0): 3})
    assert 1530 <= first_s(timeline, Event.HEALTHY) <= 1560


def test_when_several_clusters_return_at_once_a_workload_is_placed_once():
    down = [(1, 10.0, math.inf), (2, 10.0, 11.0), (3, 10.0, 11.0)]
    seen = [Sighting(cluster, start + 0.3, start + 0.6, end + 0.3) for cluster, start, end in down]
    timeline, *_ = fail(replace(SKYEDGE, decision_s=0.0), [(0, 1, 1)], 4, down, [0, 0, 0, 2], seen=seen)
    assert left(timeline) == Counter({(0, 3): 1})


def test_what_is_not_healthy_elsewhere_yet_stays_with_a_cluster_that_is_back():
    seen = [Sighting(0, 52.0, 53.0, 58.0)]
    timeline, *_ = fail(SKYEDGE, [(0, 0, 3)], 2, [(0, 50.0, 55.0)], [0, 5], seen=seen)
    assert left(timeline) == Counter({(0, 0): 3})
    assert timeline.replicas[timeline.rows_of(Event.KEPT)].tolist() == [3]
    assert timeline.replicas[timeline.rows_of(Event.CALLED_OFF)].tolist() == [3]


def test_a_workload_that_tolerates_a_dead_cluster_waits_so_long():
    timeline, *_ = fail(SKYEDGE, [(0, 0, 3)], 2, [(0, 50.0, math.inf)], [0, 5], tolerated_s=60.0)
    assert first_s(timeline, Event.EVICTED) == pytest.approx(first_s(timeline, Event.DETECTED) + 60)
    for_ever, *_ = fail(SKYEDGE, [(0, 0, 3)], 2, [(0, 50.0, math.inf)], [0, 5], tolerated_s=math.inf)
    assert not len(for_ever.rows_of(Event.EVICTED))


def test_a_home_that_dies_too_is_left_for_another():
    down = [(0, 50.0, math.inf), (1, 56.0, math.inf)]
    timeline, *_ = fail(SKYEDGE, [(0, 0, 3)], 3, down, [0, 5, 4])
    assert left(timeline) == Counter({(0, 2): 3})


def test_nothing_new_goes_to_a_cluster_that_is_only_suspected():
    down = [(0, 50.0, math.inf), (1, 50.0, math.inf)]
    timeline, *_ = fail(SKYEDGE, [(0, 0, 3)], 3, down, [0, 9, 4])
    assert set(timeline.cluster[timeline.rows_of(Event.REPLACED)].tolist()) == {2}


def one_step_at_a_time(copies, wanted, headroom, down, seen, until_s, step_s):
    """Lost share of each workload's demand, in seconds of it, by looking every ``step_s``."""
    lost = np.zeros(len(wanted))
    for number in range(round(until_s / step_s)):
        now_s = (number + 0.5) * step_s
        for workload in range(len(wanted)):
            live = vain = 0
            for of, cluster, count, from_s, end_s in zip(
                copies.workload, copies.cluster, copies.replicas, copies.healthy_at_s, copies.deleted_at_s, strict=True
            ):
                if of != workload or not from_s <= now_s < end_s:
                    continue
                if any(one.cluster == cluster and one.declared_at_s <= now_s < one.cleared_at_s for one in seen):
                    continue
                spells = zip(down.cluster, down.from_s, down.until_s, strict=True)
                if any(one == cluster and start <= now_s < end for one, start, end in spells):
                    vain += count
                else:
                    live += count
            arrives = live / (live + vain) if live + vain else 0.0
            lost[workload] += step_s * (1 - min(arrives, live / wanted[workload] * (1 + headroom)))
    return lost


@settings(max_examples=15)
@given(federations(), st.sampled_from(sorted(SETTINGS)))
def test_requests_are_lost_as_if_every_moment_were_looked_at(federation, name):
    running, clusters, down, room, workloads = federation
    timeline, _, down, seen = fail(settings_named(name), running, clusters, down, room, workloads)
    wanted = np.maximum(np.bincount([row[0] for row in running], [row[2] for row in running], workloads), 1).astype(int)
    service = serve(timeline.copies, wanted, 0.2, down, seen, 400.0)
    lost = service.lost_requests(np.ones(workloads))
    assert lost == pytest.approx(one_step_at_a_time(timeline.copies, wanted, 0.2, down, seen, 400.0, 0.5), abs=3.0)
    assert service.share_over_time(np.ones(workloads), np.array([0.0])) == pytest.approx(
        service.share[service.from_s == 0].sum() / workloads
    )


def test_requests_to_a_dead_cluster_are_lost_until_it_is_seen_and_then_what_is_left_is_short():
    copies = Copies.running(np.array([0, 0]), np.array([0, 1]), np.array([5, 5]))
    seen = [Sighting(0, 102.0, 103.0, math.inf)]
    service = serve(copies, np.array([10]), 0.2, Spells.of([(0, 100.0, math.inf)]), seen, 200.0)
    assert service.lost_requests(np.array([50.0]))[0] == pytest.approx(50 * (3 * 0.5 + 97 * 0.4))
    assert service.served_again_s(100.0, 1)[0] == math.inf


def test_starts_take_longer_with_larger_images_and_more_copies_on_one_registry():
    network = Network(np.zeros(3, np.intp), np.ones((1, 1)), np.zeros((1, 1)), np.ones((1, 1), np.int64))

    def ready_s(size_bytes, copies):
        image = Image(size_bytes=size_bytes, registry_bytes_per_s=5e8)
        starting = Starting(StartUp(), image, network, copies, 0)
        rows = np.arange(copies)
        return starting.begin(0.0, rows, np.zeros(copies, np.intp), np.ones(copies, np.int64)).ready_s.max()

    assert ready_s(0, 1) < ready_s(500_000_000, 1) < ready_s(500_000_000, 50) < ready_s(2_000_000_000, 50)
    assert ready_s(500_000_000, 50) >= 50
