from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skyedge.layers.mesh.balancing import effective_weights, least_request, round_robin
from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.endpoint_table import EndpointTable
from skyedge.layers.mesh.hash_tables import hash_ring, maglev_table
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Balancer,
    Caller,
    HashKey,
    LoadBalancing,
    MeshDefaults,
    MeshEndpoint,
    Service,
    TrafficPolicy,
    Warmup,
)
from skyedge.layers.mesh.pools import cluster_of
from skyedge.layers.mesh.retries import RetryPolicy
from skyedge.layers.mesh.traffic.cluster_view import Choice, ClusterView
from skyedge.layers.mesh.traffic.slow_start import grown_weight
from tests.layers.mesh.traffic.worlds import CALLER, HOST

FAR = Locality("us", "a")


def drawing(*numbers):
    return iter(numbers).__next__


def choice(weights, active=None, balancer=Balancer.LEAST_REQUEST, **said):
    count = len(weights)
    key = HashKey(header="user") if balancer in (Balancer.RING_HASH, Balancer.MAGLEV) else None
    policy = TrafficPolicy(LoadBalancing(balancer, key, warmup=said.pop("warmup", None)))
    keys = [f"10.0.0.{number}" for number in range(count)]
    return Choice(range(count), weights, keys, active or [0] * count, policy, **said)


unit = st.floats(0, 1, exclude_max=True)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), min_size=1, max_size=6), unit, unit)
def test_least_request_chooses_what_the_rule_says(endpoints, first, second):
    weights, active = map(list, zip(*endpoints, strict=True))
    # On the very border between two endpoints the last digit of a sum decides, and either is right.
    borders = np.cumsum(effective_weights(weights, active))
    assume(len(set(weights)) == 1 or np.abs(borders / borders[-1] - first).min() > 1e-12)
    chosen = choice(weights, active).choose(drawing(first, second), 0, None)
    assert chosen == least_request(weights, active, (first, second))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 40))
def test_round_robin_takes_turns_by_weight(weights, count):
    turns = choice(weights, balancer=Balancer.ROUND_ROBIN)
    assert np.bincount([turns.choose(drawing(), 0, None) for _ in range(count)], minlength=len(weights)).tolist() == (
        pytest.approx(np.bincount(round_robin(weights, count), minlength=len(weights)).tolist(), abs=1)
    )


def test_a_key_belongs_to_the_host_of_the_peers_tables():
    keys = [f"10.0.0.{number}" for number in range(4)]
    on_ring, in_table = (choice([1] * 4, balancer=one) for one in (Balancer.RING_HASH, Balancer.MAGLEV))
    ring, table = hash_ring(keys, [1] * 4), maglev_table(keys, [1] * 4)
    for hashed in range(0, 2**64, 2**64 // 97):
        assert on_ring.choose(drawing(), 0, hashed) == ring.host(hashed)
        assert in_table.choose(drawing(), 0, hashed) == table[hashed % table.size]


def test_slow_start_grows_as_envoy_documents_it():
    linear, quick = Warmup(60, 1.0, 10), Warmup(60, 2.0, 10)
    assert [grown_weight(100, age, linear) for age in (0, 3, 30, 60, 90)] == pytest.approx([10, 10, 50, 100, 100])
    assert grown_weight(100, 15, quick) == pytest.approx(50)


def test_an_endpoint_that_just_came_up_gets_little_and_at_last_its_share():
    fresh = choice([1, 1], warmup=Warmup(60), started_us=[-(10**12), 0])
    draw = np.random.default_rng(0).random

    def share(at_s):
        return np.mean([fresh.choose(lambda: float(draw()), at_s * 1_000_000, None) for _ in range(4000)])

    assert share(6) == pytest.approx(0.1 / 1.1, abs=0.02)
    assert share(30) == pytest.approx(0.5 / 1.5, abs=0.03)
    assert share(60) == pytest.approx(0.5, abs=0.03)


QUICK = OutlierWish(consecutive_5xx_errors=2, max_ejection_percent=100)


def view(near=2, far=2, outlier=QUICK, unready=()):
    places = [CALLER.locality] * near + [FAR] * far
    members = [
        MeshEndpoint(f"10.0.0.{number}", HOST, place, healthy=number not in unready) for number, place in enumerate(places)
    ]
    cluster = cluster_of(Service(HOST), "", None, {}, TrafficPolicy(outlier=outlier), MeshDefaults())
    return ClusterView(cluster, EndpointTable([HOST], members), CALLER)


def chosen_from(seen, at_us=0, count=300):
    draw = np.random.default_rng(1).random
    return {seen.choose(lambda: float(draw()), at_us) for _ in range(count)}


def test_an_ejection_changes_routing_at_once_and_a_sweep_lets_it_back():
    seen = view(far=0)
    for _ in range(2):
        seen.answered(0, 503, 1_000_000)
    assert (seen.ejected, chosen_from(seen, 1_000_000)) == ({0}, {1})
    assert chosen_from(seen, 30_999_999) == {1}
    assert chosen_from(seen, 39_999_999) == {1}  # its time is over, but no sweep has passed
    assert chosen_from(seen, 40_000_000) == {0, 1}
    assert seen.changes == [(1_000_000, 0, True), (40_000_000, 0, False)]


def test_near_endpoints_first_and_the_far_ones_when_those_are_out():
    seen = view()
    assert chosen_from(seen) == {0, 1}
    for endpoint in (0, 0, 1, 1):
        seen.answered(endpoint, 500, 0)
    assert chosen_from(seen) == {2, 3}


def test_in_panic_the_ejected_are_asked_too_and_without_it_nobody_is():
    panicking, calm = view(far=0, outlier=replace(QUICK, min_health_percent=50)), view(far=0)
    for seen in (panicking, calm):
        for endpoint in (0, 0, 1, 1):
            seen.answered(endpoint, 503, 0)
    assert (panicking.in_panic, chosen_from(panicking)) == (True, {0, 1})
    assert (calm.in_panic, calm.choose(drawing(0.1, 0.2), 0)) == (False, None)


def test_who_is_not_ready_is_asked_by_nobody_and_does_not_count():
    panicking = view(near=3, far=0, outlier=replace(QUICK, min_health_percent=50), unready=(0, 1))
    assert (panicking.in_panic, chosen_from(panicking)) == (False, {2})
    assert view(far=0, unready=(0, 1)).choose(drawing(0.1, 0.2), 0) is None
    assert chosen_from(view(unready=(0,))) == {1}  # the far ones need not help


def test_a_retry_avoids_who_was_tried_as_long_as_its_draws_last():
    seen = view(near=2, far=0)
    assert seen.choose_another(drawing(0.0, 0.0, 0.9, 0.9), 0, None, [0], RetryPolicy()) == 1
    assert seen.choose_another(lambda: 0.0, 0, None, [0], RetryPolicy()) == 0
    assert seen.choose_another(drawing(0.0, 0.0), 0, None, [0], RetryPolicy(avoid_previous_hosts=False)) == 0


def test_a_retry_may_leave_the_priorities_that_were_tried_at_every_second_try():
    seen, policy = view(), RetryPolicy(other_priorities=True, avoid_previous_hosts=False)
    draw = np.random.default_rng(1).random

    def reached(tried):
        return {seen.choose_another(lambda: float(draw()), 0, None, tried, policy) for _ in range(100)}

    assert (reached([0]), reached([0, 1]), reached([0, 1, 2])) == ({0, 1}, {2, 3}, {2, 3})
    assert reached([0, 1, 2, 3]) == {0, 1}  # nowhere is left, so it begins again
    assert chosen_from(seen) == {0, 1}


def test_a_caller_in_another_place_sees_other_priorities():
    cluster = cluster_of(Service(HOST), "", None, {}, TrafficPolicy(outlier=OutlierWish()), MeshDefaults())
    members = [MeshEndpoint("a", HOST, CALLER.locality), MeshEndpoint("b", HOST, FAR)]
    there = ClusterView(cluster, EndpointTable([HOST], members), Caller("there", FAR))
    assert chosen_from(there) == {1}


@given(st.integers(0, 3), st.integers(1, 3), st.integers(0, 5))
def test_without_an_endpoint_that_is_gone_requests_go_where_they_would_if_it_had_never_been(near, far, gone):
    assume(gone < near + far)
    seen, never = view(near, far), view(near - (gone < near), far - (gone >= near))
    seen.forget(gone, 0)
    seen.forget(gone, 0)  # to be told twice changes nothing
    expected = {None if one is None else one + (one >= gone) for one in chosen_from(never)}
    assert chosen_from(seen) == expected


def test_who_is_told_of_one_that_is_gone_keeps_what_it_knew_of_the_others():
    seen = view(near=3, far=0)
    for _ in range(2):
        seen.answered(0, 500, 0)
    assert chosen_from(seen) == {1, 2}
    seen.forget(1, 10)
    assert seen.ejected == {0}
    assert chosen_from(seen) == {2}
    seen.forget(0, 20)
    assert seen.ejected == frozenset()
    assert seen.changes == [(0, 0, True), (20, 0, False)]
    seen.answered(0, 500, 30)  # an answer that was under way
    assert chosen_from(seen) == {2}
    seen.forget(2, 40)
    assert chosen_from(seen) == {None}
