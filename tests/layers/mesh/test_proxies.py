"""What proxies cost: published figures come back out, sums agree with one pod at a time, and more load never costs less."""

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.call_pattern import MeshShape, draw_pattern
from skyedge.layers.mesh.proxies import (
    FIGURES,
    NODE_ENVOY,
    SIDECAR,
    SOURCES,
    WAYPOINT,
    ZTUNNEL,
    LogNormal,
    ProxyFigures,
    new_connections_per_s,
)
from skyedge.layers.mesh.proxy_bill import Architecture, Conditions, Proxies, make_bill
from skyedge.layers.mesh.waiting import chance_to_wait, mean_wait_s, waits_s

SMALL = MeshShape(pods=600, pods_per_node=10, services=30, called_services=3, sampled_calls=4000)
PUBLISHED = Proxies(SIDECAR, ZTUNNEL, WAYPOINT, NODE_ENVOY)


def pattern(seed=0, shape=SMALL):
    return draw_pattern(shape, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(20))
def test_a_service_that_nobody_calls_is_part_of_the_mesh(seed):
    found = pattern(seed, replace(SMALL, pods=40, services=20, called_services=1, services_per_waypoint=3))
    assert found.waypoint_rps.size == 7
    assert found.waypoint_rps.sum() == pytest.approx(40)


def test_every_figure_says_where_it_comes_from():
    named = {f"{kind}.{part.name}" for kind in FIGURES for part in fields(ProxyFigures)}
    assert named == set(SOURCES)


@pytest.mark.parametrize("kind", [SIDECAR, ZTUNNEL])
def test_two_hops_together_add_what_was_published_of_both(kind):
    draws = np.random.default_rng(1).standard_normal((200_000, 2))
    p90, p99 = np.quantile(kind.hop.at(draws).sum(axis=1), [0.9, 0.99])
    assert p90 == pytest.approx(kind.pair_p90_ms, rel=0.01)
    assert p99 == pytest.approx(kind.pair_p99_ms, rel=0.01)


def test_percentiles_that_fall_are_refused():
    with pytest.raises(InputError, match="must be above zero and rise"):
        LogNormal.of_percentiles(2.0, 1.0)


def test_erlang_c_agrees_with_tables():
    # M/M/1: the utilisation itself; M/M/2 with a load of 1: 1/3; M/M/10 with a load of 8: 0.409 (any table of Erlang C).
    assert chance_to_wait([0.5, 0.5, 0.8], [1, 2, 10]).tolist() == pytest.approx([0.5, 1 / 3, 0.409], abs=5e-4)


@given(st.floats(0.01, 0.95), st.floats(0, 3))
def test_one_worker_waits_as_pollaczek_and_khinchine_say(busy, variation):
    assert mean_wait_s(busy, 1, 0.001, variation) == pytest.approx(busy * 0.001 * (1 + variation**2) / 2 / (1 - busy))


def test_drawn_waits_have_the_mean_of_the_formula():
    draws = np.random.default_rng(2).random(200_000)
    assert waits_s(0.8, 2, 0.001, draws).mean() == pytest.approx(float(mean_wait_s(0.8, 2, 0.001)), rel=0.02)


def test_a_connection_is_opened_when_the_last_call_is_too_long_ago():
    arrivals = np.cumsum(np.random.default_rng(3).exponential(1 / 0.01, 100_000))
    opened = (np.diff(arrivals) > 60).sum() / arrivals[-1]
    assert new_connections_per_s([0.01], [1], 60, math.inf) == pytest.approx(opened, rel=0.02)


def test_the_bill_of_sidecars_is_that_of_each_pod():
    drawn = pattern()
    bill = make_bill(drawn, Architecture.SIDECAR, PUBLISHED, Conditions(rps_per_pod=10))
    requests = 2 * drawn.pods * 10 * 0.20 / 1000  # each call passes the caller's and the callee's
    idle = drawn.pods * SIDECAR.idle_cores
    assert bill.cores - bill.handshake_cores == pytest.approx(requests + idle)


def test_pairs_make_as_many_calls_as_pods_send():
    drawn = pattern()
    for pairs in (drawn.pod_pairs, drawn.waypoint_pairs):
        assert (pairs.rate_rps * pairs.pairs).sum() == pytest.approx(drawn.pods)
    between = (drawn.node_pairs.rate_rps * drawn.node_pairs.pairs).sum()
    assert between == pytest.approx(drawn.pods * (1 - drawn.chance_local), rel=1e-6)
    assert drawn.same_node.mean() == pytest.approx(drawn.chance_local, abs=0.01)


@settings(max_examples=30)
@given(st.sampled_from(Architecture), st.floats(0.1, 300), st.floats(1.01, 3))
def test_more_load_never_costs_or_waits_less(architecture, load, factor):
    drawn = pattern()
    little, much = (make_bill(drawn, architecture, PUBLISHED, Conditions(rps_per_pod=x)) for x in (load, load * factor))
    assert much.cores - much.handshake_cores > little.cores - little.handshake_cores
    assert much.carried <= little.carried + 1e-12
    if architecture is not Architecture.NODE_L4_WAYPOINT:  # waypoints grow in number
        assert (much.added_ms >= little.added_ms - 1e-9).all()


def test_calls_within_a_node_pass_its_proxy_once():
    drawn = pattern()
    away, home = (
        make_bill(drawn, Architecture.NODE_L7, PUBLISHED, Conditions(rps_per_pod=1, same_node_share=share))
        for share in (0, 1)
    )
    assert home.cores < away.cores
    assert np.median(home.added_ms) == pytest.approx(np.median(away.added_ms) / 2, rel=0.1)
    assert home.handshakes_per_s == 0


def test_without_http_rules_waypoints_cost_nothing():
    drawn = pattern()
    none = Conditions(l7_share=0.0)
    plain, with_none = (
        make_bill(drawn, one, PUBLISHED, none) for one in (Architecture.NODE_L4, Architecture.NODE_L4_WAYPOINT)
    )
    assert with_none.cores == plain.cores
    assert (with_none.added_ms == plain.added_ms).all()


def test_what_cannot_be_carried_is_shed_and_said():
    drawn = pattern()
    few = replace(PUBLISHED, node_envoy=replace(NODE_ENVOY, workers=1))
    shares = [make_bill(drawn, Architecture.NODE_L7, few, Conditions(rps_per_pod=x)).carried for x in (1, 500, 1000, 2000)]
    assert shares[0] == 1.0
    assert all(more > less for more, less in itertools.pairwise(shares))
    assert shares[3] == pytest.approx(shares[2] / 2, rel=0.1)  # far beyond, twice the load is half the share


def test_a_mesh_too_small_for_its_services_is_refused():
    with pytest.raises(InputError, match="need at least as many pods"):
        pattern(shape=replace(SMALL, pods=10))
    with pytest.raises(InputError, match="cannot call 3 others"):
        pattern(shape=replace(SMALL, services=3))
