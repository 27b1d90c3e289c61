"""Proxies of nodes are upgraded under traffic: the patient way loses nothing, and what impatience loses is accounted for."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Abort, Delay, Destination, Mirror
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import Caller, ConnectionLimits, Mesh, MeshEndpoint, TrafficPolicy
from skyedge.layers.mesh.retries import RetryWish
from skyedge.layers.mesh.traffic import (
    Behaviour,
    Behaviours,
    Call,
    Failing,
    Network,
    ServiceTime,
    Shape,
    flag_text,
    simulate,
)
from skyedge.layers.mesh.traffic.calls import NEVER
from skyedge.layers.mesh.traffic.proxy_upgrade import Times, upgraded
from skyedge.layers.mesh.upgrade import GRACEFUL, KILL_AT_ONCE, UpgradePlan
from tests.layers.mesh.traffic.random_worlds import worlds
from tests.layers.mesh.traffic.worlds import HOST, NO_RETRIES, TimedRequest, mesh_of, poisson, route_to, service

BACK = "back.default.svc.cluster.local"
PLACE = Locality("eu", "a")
HTTP = HttpRequest(HOST)
BEGIN_US = 1_000_000
TAKEN_US = BEGIN_US + 2_200_000
"""When the new proxy of the first node has the sockets."""


def caller_on(node, name="web"):
    return Caller(f"{name}-{node}", PLACE, {}, "default", node=node)


def on_nodes(nodes, host=HOST):
    return tuple(MeshEndpoint(f"10.0.{host[0]}.{node}", host, PLACE, node=node) for node in nodes)


def two_nodes(route=None, policy=None, protocol="HTTP"):
    """A caller on ``here``, and one endpoint, on ``there``."""
    plain = mesh_of(route=route or route_to(retries=NO_RETRIES), policy=policy, protocol=protocol)
    return replace(plain, endpoints=on_nodes(["there"]))


def asked(*at_us, node="here"):
    return [TimedRequest(one, caller_on(node), HTTP) for one in at_us]


def taking(ms, network=None):
    return Behaviours(Behaviour(ServiceTime(ms, Shape.CONSTANT)), network=network or Network(0, (1_000,) * 4, {}, 2))


def plan_for(*nodes, **said):
    return UpgradePlan(dict.fromkeys(nodes, "z"), **said)


def ends(result):
    rows = result.traffic.calls.requests
    return [(one, flag_text(flags)) for one, flags in zip(rows.status.tolist(), rows.flags.tolist(), strict=True)]


def columns(traffic):
    calls = traffic.calls
    return [getattr(part, field.name).tolist() for part in (calls.requests, calls.attempts) for field in fields(part)]


@st.composite
def clusters(draw):
    """Nodes with callers and endpoints of a service that calls another; nothing fails by itself."""
    nodes = [f"n{number}" for number in range(draw(st.integers(1, 4)))]
    services = (service(protocol=draw(st.sampled_from(["HTTP", "HTTP2"]))), service(BACK))
    route = route_to(
        retries=draw(st.sampled_from([NO_RETRIES, RetryWish(2, "5xx")])),
        delay=draw(st.sampled_from([None, Delay(0.3, 50.0)])),
        mirrors=draw(st.sampled_from([(), (Mirror(Destination(BACK)),)])),
    )
    mesh = mesh_of(route=route, policy=TrafficPolicy(connections=ConnectionLimits(max_connections=draw(st.integers(1, 50)))))
    mesh = replace(mesh, services=services, endpoints=on_nodes(nodes) + on_nodes(nodes[:2], BACK))
    front = Behaviour(ServiceTime(draw(st.floats(1.0, 300.0))), calls=(Call(BACK, draw(st.sampled_from([0.5, 1.0, 2.0]))),))
    behaviours = Behaviours(Behaviour(ServiceTime(20.0)), services={HOST: front})
    seed, rate = draw(st.integers(0, 999)), draw(st.sampled_from([20, 60, 200]))
    requests = [
        replace(one, caller=caller_on(["", *nodes][at % (len(nodes) + 1)]))
        for at, one in enumerate(poisson(rate, 12 * rate, seed, http=HTTP))
    ]
    return mesh, behaviours, requests, {node: f"z{at % 2}" for at, node in enumerate(nodes)}, seed


@settings(max_examples=25)
@given(clusters(), st.integers(1, 3))
def test_with_patience_no_request_is_lost_whatever_runs(world, at_once):
    mesh, behaviours, requests, zones, seed = world
    result = upgraded(mesh, requests, UpgradePlan(zones, max_unavailable=at_once), BEGIN_US, behaviours, seed)
    assert set(ends(result)) <= {(200, "-"), (200, "DI")}
    assert not result.struck
    assert set(result.ready_us) == set(zones)
    assert (np.diff(sorted(result.ready_us.values())) >= 0).all()
    assert result.done_us < 120e6


@settings(max_examples=25)
@given(clusters(), st.sampled_from([0.0, 0.001, 0.1]), st.booleans())
def test_every_request_ends_once_and_what_fails_met_a_proxy_that_was_gone(world, drain_s, kill):
    mesh, behaviours, requests, zones, seed = world
    how = {"table": KILL_AT_ONCE} if kill else {"drain_s": drain_s}
    result = upgraded(mesh, requests, UpgradePlan(zones, **how), BEGIN_US, behaviours, seed)
    rows, attempts = result.traffic.calls.requests, result.traffic.calls.attempts
    assert set(rows.status.tolist()) <= {200, 500, 503}
    failed = np.flatnonzero(rows.status != 200)
    assert set(rows.root[failed].tolist()) <= result.struck
    assert np.array_equal(np.bincount(attempts.request, minlength=len(rows)), rows.attempts)
    assert (rows.end_us >= rows.start_us).all()
    assert (attempts.end_us >= attempts.start_us).all()
    assert (attempts.end_us <= rows.end_us[attempts.request]).all()
    # Before the first node's turn nothing is known of it.
    assert (rows.status[rows.end_us < BEGIN_US] == 200).all()
    assert set(result.ready_us) == set(zones)


@settings(max_examples=40)
@given(worlds(), st.booleans(), st.sampled_from([0.0, 0.004, 600.0]), st.integers(1, 3), st.sampled_from([0.0, 0.005, 0.03]))
def test_among_limits_ejections_and_failures_every_request_ends_once_too(world, kill, drain_s, at_once, start_s):
    mesh, behaviours, _, _, seed = world
    mesh = replace(mesh, endpoints=tuple(replace(one, node=f"n{at}") for at, one in enumerate(mesh.endpoints)))
    requests = [replace(one, caller=caller_on(["n0", "n1", ""][at % 3])) for at, one in enumerate(poisson(1000, 120, seed))]
    plan = plan_for("n0", "n1", "n2", max_unavailable=at_once, drain_s=drain_s, table=KILL_AT_ONCE if kill else GRACEFUL)
    result = upgraded(mesh, requests, plan, 20_000, behaviours, seed, times=Times(start_s, start_s / 2))
    rows, attempts = result.traffic.calls.requests, result.traffic.calls.attempts
    assert np.array_equal(np.bincount(attempts.request, minlength=len(rows)), rows.attempts)
    assert (rows.end_us >= rows.start_us).all()
    assert (attempts.end_us >= attempts.start_us).all()
    assert (attempts.end_us <= rows.end_us[attempts.request]).all()
    assert set(result.ready_us) == {"n0", "n1", "n2"}


@settings(max_examples=10)
@given(clusters())
def test_who_kills_at_once_loses_requests_under_load(world):
    mesh, behaviours, requests, zones, seed = world
    result = upgraded(mesh, requests, UpgradePlan(zones, table=KILL_AT_ONCE), BEGIN_US, behaviours, seed)
    lost = [status for status, _ in ends(result)[: len(requests)] if status != 200]
    # A caller on each node asks some times a second, and each node is silent for 2.2 s.
    assert lost
    assert len(lost) <= len(result.struck)


def test_the_same_seed_gives_the_same_digits_and_without_a_plan_nothing_happens():
    mesh = replace(two_nodes(), endpoints=on_nodes(["here", "there"]))
    requests = [*asked(*range(0, 6_000_000, 7_000)), *asked(*range(0, 6_000_000, 11_000), node="there")]
    runs = [upgraded(mesh, requests, plan_for("here", "there"), BEGIN_US, taking(50)) for _ in range(2)]
    assert columns(runs[0].traffic) == columns(runs[1].traffic)
    assert runs[0].ready_us == runs[1].ready_us
    plain = upgraded(mesh, requests, None, BEGIN_US, taking(50))
    assert columns(plain.traffic) == columns(simulate(mesh, requests, taking(50)))
    assert (plain.done_us, plain.struck) == (None, frozenset())


def test_a_caller_elsewhere_closes_an_idle_connection_and_leaves_a_busy_one_with_its_answer():
    far = (1_000, 1_500_000, TAKEN_US - 100_000, TAKEN_US + 500_000)
    plain = upgraded(two_nodes(), asked(*far), None, 0, taking(50))
    moved = upgraded(two_nodes(), asked(*far), plan_for("there"), BEGIN_US, taking(50))
    assert (plain.opened, moved.opened) == (1, 2)  # idle when it was asked to leave
    assert moved.ready_us == {"there": TAKEN_US + 1_000}  # the word is at the caller, and it closes the connection
    busy = upgraded(two_nodes(), asked(TAKEN_US - 20_000), plan_for("there"), BEGIN_US, taking(50))
    arrives_us = TAKEN_US - 20_000 + 4_000 + 1_000
    assert ends(busy) == [(200, "-")]
    assert busy.ready_us == {"there": arrives_us + 50_000 + 1_000}


def test_one_connection_that_carries_many_takes_no_more_once_it_is_asked_to_leave():
    requests = asked(*range(TAKEN_US - 40_000, TAKEN_US + 40_000, 10_000))
    result = upgraded(two_nodes(protocol="HTTP2"), requests, plan_for("there"), BEGIN_US, taking(100))
    assert set(ends(result)) == {(200, "-")}
    assert result.opened == 2


@pytest.mark.parametrize(
    ("node", "ends_us"),
    [
        ("there", TAKEN_US + 1_000_000 + 1_000),  # the reset takes the way back
        ("here", TAKEN_US + 1_000_000),  # the caller's own proxy is gone
    ],
)
def test_what_lasts_longer_than_the_drain_is_reset(node, ends_us):
    begun_us = TAKEN_US - 500_000
    patient = upgraded(two_nodes(), asked(begun_us), plan_for(node), BEGIN_US, taking(5_000))
    assert ends(patient) == [(200, "-")]
    hasty = upgraded(two_nodes(), asked(begun_us), plan_for(node, drain_s=1.0), BEGIN_US, taking(5_000))
    assert ends(hasty) == [(503, "UC")]
    assert hasty.traffic.calls.requests.end_us.tolist() == [ends_us]
    assert hasty.struck == {0}
    # The endpoint cannot know.
    assert hasty.traffic.calls.attempts.work_end_us.tolist() == [begun_us + 5_000 + 5_000_000]


def test_what_a_callers_own_proxy_had_is_tried_again_by_nobody_and_what_a_far_one_had_by_its_callers():
    route = route_to(retries=RetryWish(3, "reset,connect-failure", backoff_s=0.001))
    mesh = replace(two_nodes(route), endpoints=on_nodes(["there", "where"]))
    for node, end in (("here", (503, "UC")), ("there", (200, "-"))):
        result = upgraded(mesh, asked(BEGIN_US - 20_000), plan_for(node, table=KILL_AT_ONCE), BEGIN_US, taking(50), seed=3)
        tried = result.traffic.calls.attempts
        assert ends(result) == [end]
        assert len(tried) == (1 if node == "here" else 1 + (tried.status[0] != 200))
        assert (tried.status[0] == 503) == (0 in result.struck)


def test_while_nobody_listens_callers_fail_at_once_and_connections_are_refused():
    every = tuple(range(0, 5_000_000, 100_000))
    silent = [BEGIN_US <= at < TAKEN_US for at in every]
    own = upgraded(two_nodes(), asked(*every), plan_for("here", table=KILL_AT_ONCE), BEGIN_US, taking(10))
    assert ends(own) == [(503, "UF") if one else (200, "-") for one in silent]
    rows = own.traffic.calls.requests
    assert (rows.end_us == rows.start_us)[silent].all()
    assert not rows.attempts[silent].any()
    far = upgraded(two_nodes(), asked(*every), plan_for("there", table=KILL_AT_ONCE), BEGIN_US, taking(10))
    # The one that is sent when the proxy dies goes by a connection that seems to be there.
    assert [end for end, one in zip(ends(far), silent, strict=True) if one] == [(503, "UC")] + [(503, "UF")] * 21
    assert [end for end, one in zip(ends(far), silent, strict=True) if not one] == [(200, "-")] * 28
    assert far.struck == own.struck == set(np.flatnonzero(silent).tolist())


def test_a_connection_in_the_making_is_handed_over_by_the_patient_and_refused_by_who_kills():
    for table, end in ((GRACEFUL, (200, "-")), (KILL_AT_ONCE, (503, "UF"))):
        begins_us = TAKEN_US if table is GRACEFUL else BEGIN_US
        result = upgraded(two_nodes(), asked(begins_us - 1_000), plan_for("there", table=table), BEGIN_US, taking(10))
        assert (ends(result), result.opened) == ([end], 1)


def test_a_drain_shorter_than_the_way_resets_what_is_on_the_way_and_that_never_arrives():
    result = upgraded(two_nodes(), asked(TAKEN_US - 4_500), plan_for("there", drain_s=0.0), BEGIN_US, taking(10))
    assert ends(result) == [(503, "UC")]
    assert result.traffic.calls.attempts.arrived_us.tolist() == [NEVER]
    assert result.traffic.calls.requests.end_us.tolist() == [TAKEN_US + 1_000]


def test_a_request_that_its_proxy_held_back_is_gone_with_it():
    route = route_to(delay=Delay(2.0), retries=NO_RETRIES)
    requests = asked(BEGIN_US - 500_000)
    killed = upgraded(two_nodes(route), requests, plan_for("here", table=KILL_AT_ONCE), BEGIN_US, taking(10))
    assert (ends(killed), len(killed.traffic.calls.attempts)) == ([(503, "UC,DI")], 0)
    assert killed.traffic.calls.requests.end_us.tolist() == [BEGIN_US]
    refused = two_nodes(replace(route, abort=Abort(http_status=555)))
    assert upgraded(refused, requests, plan_for("here", table=KILL_AT_ONCE), BEGIN_US).struck == {0}
    patient = upgraded(two_nodes(route), asked(TAKEN_US - 500_000), plan_for("here"), BEGIN_US, taking(10))
    assert ends(patient) == [(200, "DI")]
    assert patient.done_us == patient.traffic.calls.requests.end_us[0]


def test_an_old_proxy_tries_again_for_what_it_has_and_over_its_own_connections():
    failing = (Failing(0, TAKEN_US + 3_000_000, status=503),)
    behaviours = replace(taking(10), usual=Behaviour(ServiceTime(10, Shape.CONSTANT), failing=failing))
    route = route_to(retries=RetryWish(40, "5xx", backoff_s=0.1))
    result = upgraded(two_nodes(route), asked(TAKEN_US - 500_000), plan_for("here"), BEGIN_US, behaviours)
    assert ends(result) == [(200, "-")]
    assert len(result.traffic.calls.attempts) > 5
    assert result.opened == 1
    assert result.done_us == result.traffic.calls.requests.end_us[0] > TAKEN_US + 3_000_000


def test_an_answer_that_has_left_the_node_is_not_cut_off_any_more():
    # It leaves at 4 + 1 + 10 ms after it was asked for; the proxy dies half a millisecond later.
    for early_us, end in ((15_500, (200, "-")), (14_500, (503, "UC"))):
        result = upgraded(
            two_nodes(), asked(BEGIN_US - early_us), plan_for("there", table=KILL_AT_ONCE), BEGIN_US, taking(10)
        )
        assert ends(result) == [end]


def test_requests_that_an_endpoint_makes_go_by_its_nodes_proxy_too():
    mesh = replace(two_nodes(), services=(service(), service(BACK)))
    mesh = replace(mesh, endpoints=mesh.endpoints + on_nodes(["where"], BACK))
    front = Behaviour(ServiceTime(1, Shape.CONSTANT), calls=(Call(BACK),))
    behaviours = replace(taking(3_000), services={HOST: front})
    for node, drain_s, end in (("there", 60.0, 200), ("there", 0.1, 503), ("where", 0.1, 500)):
        begun = asked(TAKEN_US - 200_000)
        result = upgraded(mesh, begun, plan_for(node, drain_s=drain_s), BEGIN_US, behaviours)
        assert ends(result)[0][0] == end
        assert (result.struck == {0}) is (end != 200)


def test_a_new_proxy_knows_nothing_of_ejections():
    policy = TrafficPolicy(outlier=OutlierWish(consecutive_5xx_errors=3, interval_ms=1000, base_ejection_time_ms=60_000))
    mesh = replace(two_nodes(policy=policy), endpoints=on_nodes(["x", "y", "z"]))
    bad = {(HOST, mesh.endpoints[0].address): Behaviour(ServiceTime(1.0), failing=(Failing(status=500),))}
    behaviours = replace(taking(1.0), endpoints=bad)
    requests = asked(*range(0, 6_000_000, 5_000))
    plain = upgraded(mesh, requests, None, BEGIN_US, behaviours).traffic
    moved = upgraded(mesh, requests, plan_for("here"), BEGIN_US, behaviours).traffic
    assert [one.out for one in moved.ejections[:3]] == [True, False, True]
    assert moved.ejections[0] == plain.ejections[0]
    assert moved.ejections[1].at_us == TAKEN_US
    failed = [int((one.calls.requests.status == 500).sum()) for one in (plain, moved)]
    assert failed[1] > failed[0] == 3


def test_as_many_nodes_as_allowed_are_under_way_and_zone_follows_zone():
    nodes = [f"n{number}" for number in range(6)]
    mesh = Mesh((service(),), on_nodes(nodes))
    zones = {node: "ab"[at % 2] for at, node in enumerate(nodes)}
    one, three = (
        upgraded(mesh, [], UpgradePlan(zones, max_unavailable=most), 0, times=Times(1.0, 0.5)).ready_us for most in (1, 3)
    )
    assert [sorted(one, key=one.get)[at] for at in range(6)] == ["n0", "n2", "n4", "n1", "n3", "n5"]
    assert sorted(one.values()) == [1_500_000 * step for step in range(1, 7)]
    assert sorted(three.values()) == [1_500_000] * 3 + [3_000_000] * 3


def test_times_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="no negative time"):
        Times(start_s=-1)
