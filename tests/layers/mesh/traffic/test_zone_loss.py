"""Zones of the control plane are lost under traffic: as long as one is left, no request takes another way."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import Caller, ConnectionLimits, Mesh, TrafficPolicy
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, Call, Controls, Failing, ServiceTime, TimedRequest, flag_text
from skyedge.layers.mesh.traffic.zone_loss import ZoneLoss, differing, zones_lost
from tests.layers.mesh.traffic.worlds import HOST, NO_RETRIES, endpoints, mesh_of, poisson, route_to, service, working

BACK = "back.default.svc.cluster.local"
ZONES = ("z0", "z1", "z2")
LOST_US, GONE_US = 1_000_000, 1_200_000


def caller_in(zone):
    return Caller(f"web-{zone}", Locality("eu", zone), {}, "default")


def lost(*zones, at=(LOST_US, GONE_US)):
    return ZoneLoss(ZONES, zones, lambda caller: caller.locality.zone, *at)


def from_zones(rate_per_s, count, seed=1, zones=("z0", "z1", "z2", "elsewhere")):
    http = HttpRequest(HOST)
    return [
        replace(one, caller=caller_in(zones[at % len(zones)]))
        for at, one in enumerate(poisson(rate_per_s, count, seed, http=http))
    ]


@st.composite
def worlds(draw):
    outlier = draw(st.sampled_from([None, OutlierWish(consecutive_5xx_errors=2, interval_ms=200)]))
    route = route_to(retries=draw(st.sampled_from([None, NO_RETRIES])))
    mesh = mesh_of(draw(st.integers(2, 5)), route=route, policy=TrafficPolicy(outlier=outlier))
    mesh = replace(mesh, services=(service(), service(BACK)), endpoints=mesh.endpoints + endpoints(2, BACK))
    front = Behaviour(ServiceTime(draw(st.floats(1.0, 60.0))), calls=(Call(BACK, 0.5),))
    behaviours = Behaviours(Behaviour(ServiceTime(8.0)), services={HOST: front})
    seed = draw(st.integers(0, 999))
    return mesh, from_zones(draw(st.sampled_from([50, 300])), 600, seed), behaviours, seed


@settings(max_examples=15)
@given(worlds(), st.sets(st.sampled_from(ZONES), min_size=1, max_size=2))
def test_with_one_zone_left_nothing_that_is_routed_changes(world, zones):
    mesh, requests, behaviours, seed = world
    whole = zones_lost(mesh, requests, lost(), behaviours, seed)
    less = zones_lost(mesh, requests, lost(*sorted(zones)), behaviours, seed)
    assert differing(less.traffic.calls, whole.traffic.calls, len(requests)) == 0
    assert less.gone == whole.gone
    assert less.told == whole.told == less.proxies
    assert not less.not_told
    assert not less.searching
    assert set(less.moved) >= {f"web-{zone}" for zone in zones}
    assert not whole.moved
    assert not less.sent_to_gone


@settings(max_examples=10)
@given(worlds())
def test_with_all_zones_lost_requests_go_on_to_an_endpoint_that_has_gone(world):
    mesh, requests, behaviours, seed = world
    whole, none = (zones_lost(mesh, requests, lost(*zones), behaviours, seed) for zones in ((), ZONES))
    assert none.not_told == none.searching == none.proxies
    assert not none.told
    assert none.gone == whole.gone
    assert none.sent_to_gone
    assert not whole.sent_to_gone
    # Until it goes, and where nobody asks it, all is as it was.
    calls, others = none.traffic.calls, whole.traffic.calls
    differ = differing(calls, others, len(requests))
    assert len(none.sent_to_gone) <= differ <= int((calls.requests.end_us[: len(requests)] >= GONE_US).sum())
    assert len(calls.requests) >= len(requests)
    assert (calls.requests.end_us >= calls.requests.start_us).all()


def test_a_proxy_goes_to_another_zone_only_if_its_own_is_lost():
    result = zones_lost(mesh_of(3), from_zones(100, 300), lost("z1"))
    # Who is in none of the zones listens to the one with the fewest, the first by name.
    assert result.moved == ("web-z1",)
    assert zones_lost(mesh_of(3), from_zones(100, 300), lost("z0")).moved == ("web-elsewhere", "web-z0")


def test_the_endpoint_that_was_asked_most_goes_and_who_is_told_asks_the_others():
    weights = (1, 9, 1)
    plain = mesh_of(3)
    mesh = replace(
        plain, endpoints=tuple(replace(one, weight=weight) for one, weight in zip(plain.endpoints, weights, strict=True))
    )
    result = zones_lost(mesh, from_zones(200, 600), lost("z0"))
    assert result.gone.address == "10.0.0.1"
    attempts = result.traffic.calls.attempts
    later = attempts.endpoint[attempts.start_us >= GONE_US]
    assert {result.traffic.calls.endpoints[one].address for one in later} == {"10.0.0.0", "10.0.0.2"}
    assert later.size > 200


def test_who_begins_to_call_only_later_knows_what_it_was_told():
    early, late = (from_zones(100, 300, zones=(zone,)) for zone in ("z0", "z1"))
    requests = [*early, *(replace(one, at_us=one.at_us + GONE_US) for one in late)]
    told, not_told = (zones_lost(mesh_of(2), requests, lost(*zones)) for zones in ((), ZONES))
    assert not told.sent_to_gone
    assert {one for one in not_told.sent_to_gone if one >= 300}


def test_connections_to_an_endpoint_that_has_gone_leave_room_for_others():
    policy = TrafficPolicy(connections=ConnectionLimits(max_connections=2))
    mesh = mesh_of(2, policy=policy, route=route_to(retries=NO_RETRIES))
    http = HttpRequest(HOST)
    at_us = [*range(0, 900_000, 100_000), 2_000_000, 2_000_000]
    requests = [TimedRequest(one, caller_in("z0"), http) for one in at_us]
    calls = zones_lost(mesh, requests, lost(), working(50.0)).traffic.calls
    assert set(calls.attempts.endpoint[:9].tolist()) == {0, 1}  # a connection to each
    # The two at the end need two connections to the one that is left.
    assert (calls.requests.end_us - calls.requests.start_us)[-2:].tolist() == [50_000, 50_000]


def test_what_is_on_the_endpoint_when_it_goes_is_cut_off():
    mesh = mesh_of(2, route=route_to(retries=NO_RETRIES))
    requests = [one for one in from_zones(100, 150) if one.at_us < GONE_US]
    result = zones_lost(mesh, requests, lost(), Behaviours(Behaviour(ServiceTime(400.0))))
    rows, attempts = result.traffic.calls.requests, result.traffic.calls.attempts
    gone = [one.address for one in result.traffic.calls.endpoints].index(result.gone.address)
    struck = (attempts.endpoint == gone) & (attempts.end_us > GONE_US)
    assert struck.sum() > 3
    assert {flag_text(flags) for flags in rows.flags[attempts.request[struck]].tolist()} == {"UC"}
    assert (rows.status[attempts.request[~struck]] == 200).all()


def test_ejections_and_connections_of_endpoints_that_stay_are_kept():
    policy = TrafficPolicy(outlier=OutlierWish(consecutive_5xx_errors=3, interval_ms=10_000, max_ejection_percent=50))
    mesh = mesh_of(4, policy=policy, route=route_to(retries=NO_RETRIES))
    requests = from_zones(300, 900, zones=("z0",))
    bad = {(HOST, "10.0.0.3"): Behaviour(ServiceTime(1.0), failing=(Failing(status=500),))}
    result = zones_lost(mesh, requests, lost(), Behaviours(Behaviour(ServiceTime(1.0)), endpoints=bad))
    failed = result.traffic.calls.requests.status == 500
    assert failed.sum() == 3  # until it was ejected, and never again
    assert (result.traffic.calls.requests.end_us[failed] < LOST_US).all()
    assert [one.out for one in result.traffic.ejections] == [True]


def test_who_does_not_see_the_service_is_not_told_of_its_endpoints():
    mesh, hidden = mesh_of(2), Mesh((service(BACK),))
    controls = Controls(view=lambda caller: hidden if caller.locality.zone == "z2" else mesh)
    result = zones_lost(mesh, from_zones(100, 300), lost(*ZONES), controls=controls)
    assert result.not_told == ("web-elsewhere", "web-z0", "web-z1")
    assert "web-z2" in result.proxies


def test_the_difference_of_two_runs_is_counted_by_request():
    mesh, requests = mesh_of(3), from_zones(100, 200)
    one, same = (zones_lost(mesh, requests, lost()).traffic.calls for _ in range(2))
    assert differing(one, same, 200) == 0
    other = replace(same, requests=replace(same.requests, status=np.where(np.arange(200) < 7, 500, same.requests.status)))
    assert differing(one, other, 200) == 7
    moved = np.where(same.attempts.request == 9, 1 - same.attempts.endpoint, same.attempts.endpoint)
    assert differing(one, replace(same, attempts=replace(same.attempts, endpoint=moved)), 200) == 1


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="no service has two endpoints"):
        zones_lost(mesh_of(1), [], lost())
    with pytest.raises(InputError, match="the control plane has no zone 'z9'"):
        zones_lost(mesh_of(2), [], lost("z9"))
