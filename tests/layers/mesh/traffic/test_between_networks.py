"""Traffic between networks: gateways and lines of edge sites in virtual time, and what is left when a line is down."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh import reach as networks
from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import (
    Balancer,
    Caller,
    DestinationRule,
    HashKey,
    LoadBalancing,
    LocalityWish,
    Mesh,
    MeshEndpoint,
    TrafficPolicy,
)
from skyedge.layers.mesh.reach import Channel, Kind, Reach
from skyedge.layers.mesh.traffic import (
    Behaviour,
    Behaviours,
    Failing,
    Flags,
    Network,
    ServiceTime,
    Shape,
    TimedRequest,
    simulate,
)
from skyedge.layers.mesh.traffic.behaviour import Narrow, one_way_us
from tests.layers.mesh.traffic.worlds import HOST, NO_RETRIES, at_once, service

EU, ASIA = Locality("eu", "a"), Locality("asia", "a")
MB_PER_S = 1e6
SITES = Reach(
    {
        "cloud": networks.Network("cloud", open_to=frozenset({"*"})),
        "far": networks.Network("far", frozenset({"*"}), gateway_delay_ms=0.5),
        "farm": networks.Network("farm", outwards_only=True, channel=Channel("cloud", True, 30.0, MB_PER_S)),
        "port": networks.Network("port", outwards_only=True, channel=Channel("cloud", True, 10.0, 4 * MB_PER_S)),
    }
)
NO_FARM = SITES.with_lines_down(["farm"])


def somebody(network, name="web", locality=EU):
    return Caller(name, locality, {}, "default", network)


def answering(network, address="10.0.0.0", locality=EU, host=HOST):
    return MeshEndpoint(address, host, locality, network=network)


def between(reach=SITES, distance_us=(0, 0, 0, 0), **said):
    return Network(0, distance_us, handshake_round_trips=0, reach=reach, **said)


def behaving(network, request_bytes=0, response_bytes=0):
    work = ServiceTime(0, Shape.CONSTANT)
    return Behaviours(Behaviour(work, 1000, request_bytes=request_bytes, response_bytes=response_bytes), network=network)


def mesh(*endpoints, policy=None):
    rules = (DestinationRule(HOST, policy),) if policy is not None else ()
    hosts = {one.service for one in endpoints} | {HOST}
    quiet = replace(Mesh(()).defaults, retries=NO_RETRIES)
    return Mesh(tuple(service(host) for host in sorted(hosts)), endpoints, rules, defaults=quiet)


def attempts_of(endpoint, requests, behaviours):
    return simulate(mesh(endpoint), requests, behaviours).calls.attempts


def test_a_channel_comes_on_top_of_the_distance():
    network = between(distance_us=(0, 0, 0, 20_000))
    assert network.leg(somebody("cloud"), answering("farm")).delay_us == 30_000
    assert network.leg(somebody("cloud", locality=ASIA), answering("farm")).delay_us == 50_000
    assert network.leg(somebody("cloud", locality=ASIA), answering("cloud")).delay_us == 20_000
    assert network.leg(somebody("cloud"), answering("far")).delay_us == 500
    assert network.leg(somebody("farm"), answering("far")).delay_us == 30_500


def test_a_leg_names_the_line_by_site_and_direction_and_its_rate_in_mbps():
    inwards, outwards = (Narrow(("line of", "farm", end), 8.0, 30_000) for end in ("in", "out"))
    leg = between().leg(somebody("cloud"), answering("farm"))
    assert (leg.out, leg.back) == ((inwards,), (outwards,))
    leg = between().leg(somebody("farm"), answering("port"))
    assert [place.key[1:] for place in leg.out] == [("farm", "out"), ("port", "in")]
    assert [place.key[1:] for place in leg.back] == [("port", "out"), ("farm", "in")]
    assert between().leg(somebody("cloud"), answering("far")).out == ()


def test_a_link_between_regions_is_crossed_between_the_two_lines():
    network = between(links_mbps={("eu", "asia"): 100.0})
    leg = network.leg(somebody("farm"), answering("port", locality=ASIA))
    assert [place.key for place in leg.out] == [("line of", "farm", "out"), ("eu", "asia"), ("line of", "port", "in")]
    assert len(leg.back) == 2


places = st.tuples(st.sampled_from(sorted(SITES.networks)), st.sampled_from([EU, ASIA]))


@given(places, places)
def test_answers_cross_in_turn_what_requests_crossed_but_in_the_other_direction(here, there):
    network = between(distance_us=(0, 0, 0, 20_000))
    caller, endpoint = somebody(here[0], locality=here[1]), answering(there[0], locality=there[1])
    leg = network.leg(caller, endpoint)
    turned = {"in": "out", "out": "in"}
    assert [(site, turned[end]) for _, site, end in (one.key for one in leg.out)] == [
        (site, end) for _, site, end in (one.key for one in reversed(leg.back))
    ]
    assert leg.delay_us >= one_way_us(network, caller, endpoint) + sum(one.delay_us for one in leg.out)
    if here[0] == there[0]:
        assert leg == replace(network, reach=None).leg(caller, endpoint)


def test_callers_of_one_site_share_its_line():
    one, other = somebody("cloud"), somebody("far", "other")
    requests = [*at_once(1, caller=one), *at_once(1, caller=other)]
    attempts = attempts_of(answering("farm"), requests, behaving(between(), request_bytes=10_000))
    assert attempts.arrived_us.tolist() == [40_000, 50_000]  # 10 kB at 1 MB/s: 10 ms each


def test_the_two_directions_of_a_line_do_not_wait_for_each_other():
    inside, outside = answering("farm"), answering("cloud", host="db.default.svc.cluster.local")
    to_edge = at_once(3, caller=somebody("cloud"))
    to_cloud = at_once(3, caller=somebody("farm", "sensor"), http=HttpRequest(outside.service))
    behaviours = behaving(between(), request_bytes=10_000)
    alone = [simulate(mesh(inside, outside), some, behaviours).calls.attempts.arrived_us for some in (to_edge, to_cloud)]
    both = simulate(mesh(inside, outside), [*to_edge, *to_cloud], behaviours).calls.attempts.arrived_us
    assert sorted(both.tolist()) == sorted(alone[0].tolist() + alone[1].tolist())
    assert alone[0].tolist() == [40_000, 50_000, 60_000]


def test_from_edge_to_edge_a_message_is_sent_over_both_lines_one_after_the_other():
    behaviours = behaving(between(), request_bytes=20_000, response_bytes=40_000)
    attempts = attempts_of(answering("port"), at_once(2, caller=somebody("farm")), behaviours)
    # 20 ms to be sent and 30 ms of way, then 5 and 10 ms; the second waits for the slower line only.
    assert attempts.arrived_us.tolist() == [65_000, 85_000]
    # Back: 10 ms to be sent and 10 ms of way, then 40 and 30.
    assert attempts.end_us.tolist() == [155_000, 195_000]


def test_while_a_line_is_down_the_site_serves_itself_and_the_cloud_itself():
    inside, outside = answering("farm"), answering("cloud", "10.0.0.1", host="db.default.svc.cluster.local")
    within_site = at_once(2, caller=somebody("farm", "sensor"))
    within_cloud = at_once(2, caller=somebody("cloud"), http=HttpRequest(outside.service))
    over = [
        *at_once(2, caller=somebody("cloud")),
        *at_once(1, caller=somebody("farm", "sensor"), http=HttpRequest(outside.service)),
    ]
    calls = simulate(mesh(inside, outside), [*within_site, *within_cloud, *over], behaving(between(NO_FARM))).calls
    assert calls.requests.status.tolist() == [200] * 4 + [503] * 3
    assert calls.requests.flags.tolist()[4:] == [Flags.UH.value] * 3
    assert calls.requests.attempts.tolist() == [1] * 4 + [0] * 3
    assert (calls.requests.end_us[4:] == calls.requests.start_us[4:]).all()


def test_another_endpoint_serves_while_a_line_is_down():
    service_of_two = mesh(answering("farm", "10.0.0.0"), answering("port", "10.0.0.1"))
    requests = at_once(20, caller=somebody("cloud"))
    asked = simulate(service_of_two, requests, behaving(between())).calls
    assert {asked.endpoints[one].address for one in asked.attempts.endpoint.tolist()} == {"10.0.0.0", "10.0.0.1"}
    cut = simulate(service_of_two, requests, behaving(between(NO_FARM))).calls
    assert {cut.endpoints[one].address for one in cut.attempts.endpoint.tolist()} == {"10.0.0.1"}
    assert (cut.requests.status == 200).all()


def test_the_next_priority_serves_while_a_line_is_down():
    failover = LoadBalancing(locality=LocalityWish(True, failover=(("eu", "asia"),)))
    policy = TrafficPolicy(load_balancing=failover, outlier=OutlierWish())
    near, next_best = answering("farm", "10.0.0.0", EU), answering("cloud", "10.0.0.1", ASIA)
    requests = at_once(10, caller=somebody("cloud", locality=EU))
    for reach, address in ((SITES, "10.0.0.0"), (NO_FARM, "10.0.0.1")):
        calls = simulate(mesh(near, next_best, policy=policy), requests, behaving(between(reach))).calls
        assert {calls.endpoints[one].address for one in calls.attempts.endpoint.tolist()} == {address}


FAILOVER = LoadBalancing(locality=LocalityWish(True, failover=(("eu", "asia"),)))
BY_KEY = LoadBalancing(Balancer.RING_HASH, HashKey(header="user"))
POLICIES = (
    TrafficPolicy(),
    TrafficPolicy(load_balancing=FAILOVER, outlier=OutlierWish(consecutive_5xx_errors=2)),
    TrafficPolicy(load_balancing=BY_KEY),
    TrafficPolicy(load_balancing=LoadBalancing(Balancer.ROUND_ROBIN), outlier=OutlierWish(consecutive_5xx_errors=1)),
)


@settings(max_examples=40)
@given(st.lists(places, min_size=1, max_size=6), places, st.sampled_from(POLICIES), st.sampled_from(sorted(SITES.networks)))
def test_who_cannot_be_reached_is_as_one_who_is_not_there(there, here, policy, failing):
    """To a caller, whatever the balancer, and with ejections and panic: digit for digit."""
    everybody = [answering(network, f"10.0.0.{at}", place) for at, (network, place) in enumerate(there)]
    caller = somebody(here[0], locality=here[1])
    reached = [one for one in everybody if NO_FARM.way(caller.network, one.network).kind is not Kind.NONE]
    bad = Behaviour(ServiceTime(1), failing=(Failing(share=0.5),))
    poor = {(HOST, one.address): bad for one in everybody if one.network == failing}
    requests = [
        TimedRequest(number * 1_000, caller, HttpRequest(HOST, headers={"user": str(number % 7)})) for number in range(60)
    ]

    def course(endpoints):
        known = {key: one for key, one in poor.items() if key[1] in {endpoint.address for endpoint in endpoints}}
        behaviours = replace(behaving(between(NO_FARM), 1_000, 1_000), endpoints=known)
        calls = simulate(mesh(*endpoints, policy=policy), requests, behaviours, seed=1).calls
        named = [calls.endpoints[one].address for one in calls.attempts.endpoint.tolist()]
        return calls.requests.status.tolist(), calls.requests.end_us.tolist(), named

    assert course(everybody) == course(reached)


def test_one_network_of_all_is_as_none():
    endpoints = (answering("cloud"), answering("cloud", "10.0.0.1", ASIA))
    requests = [TimedRequest(number * 100, somebody("cloud"), HttpRequest(HOST)) for number in range(50)]
    ends = [
        simulate(
            mesh(*endpoints), requests, behaving(between(reach, (0, 0, 0, 20_000)), 1_000)
        ).calls.requests.end_us.tolist()
        for reach in (SITES, None)
    ]
    assert ends[0] == ends[1]


def test_a_network_that_there_is_not_is_said():
    with pytest.raises(InputError, match="did you mean 'port'"):
        simulate(mesh(answering("prot")), at_once(1, caller=somebody("cloud")), behaving(between()))
    with pytest.raises(InputError, match="the channel of farm is down"):
        between(NO_FARM).leg(somebody("cloud"), answering("farm"))
