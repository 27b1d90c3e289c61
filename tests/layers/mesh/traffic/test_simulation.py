"""A simulated request ends as routes, limits, failures and the services behind have it, after the time that this takes."""

from dataclasses import replace

import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.layers.mesh.defaults import OutlierWish
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Abort, Delay, Destination, DirectResponse, HttpRoute, Mirror, Redirect
from skyedge.layers.mesh.objects import ConnectionLimits, Mesh, Subset, TrafficPolicy, VirtualService
from skyedge.layers.mesh.retries import RetryWish
from skyedge.layers.mesh.traffic import (
    Behaviour,
    Behaviours,
    Call,
    Controls,
    Failing,
    Failure,
    Flags,
    Network,
    RateLimit,
    RetryBudget,
    ServiceTime,
    Shape,
    TimedRequest,
    TokenBucket,
    flag_text,
    simulate,
)
from tests.layers.mesh.traffic.worlds import (
    CALLER,
    HOST,
    NO_RETRIES,
    at_once,
    endpoints,
    mesh_of,
    poisson,
    route_to,
    service,
    working,
)

OTHER = "labels.default.svc.cluster.local"
EAGER = RetryWish(3, "5xx")


def ends(traffic):
    """Status and flags of each request."""
    requests = traffic.calls.requests
    return [
        (status, flag_text(flags)) for status, flags in zip(requests.status.tolist(), requests.flags.tolist(), strict=True)
    ]


def sole_end(mesh, behaviours=None, http=None, controls=None):
    (end,) = ends(simulate(mesh, at_once(1, http=http), behaviours or working(), controls=controls))
    return end


def test_a_request_takes_the_way_there_a_hand_shake_the_work_and_the_way_back():
    network = Network(0, (1_000, 0, 0, 0), handshake_round_trips=2)
    requests = [TimedRequest(at_us, CALLER, HttpRequest(HOST)) for at_us in (0, 100_000)]
    seen = simulate(mesh_of(1), requests, working(10.0, network=network)).calls
    assert seen.requests.end_us.tolist() == [4_000 + 2_000 + 10_000, 100_000 + 2_000 + 10_000]
    assert (seen.attempts.arrived_us - seen.attempts.sent_us).tolist() == [1_000, 1_000]


def test_waits_at_one_server_are_those_of_the_textbook():
    # M/M/1 (Erlang): the mean time in the system is 1 / (mu - lambda).
    behaviours = working(10.0, Shape.EXPONENTIAL, concurrency=1)
    requests = simulate(mesh_of(1), poisson(60, 30_000, seed=5), behaviours).calls.requests
    assert np.mean(requests.end_us - requests.start_us) / 1000 == pytest.approx(1000 / (100 - 60), rel=0.06)


@pytest.mark.parametrize(
    ("route", "end"),
    [
        (HttpRoute(direct_response=DirectResponse(418)), (418, "-")),
        (HttpRoute(redirect=Redirect(uri="/there")), (301, "-")),
        (route_to(abort=Abort(http_status=555)), (555, "FI")),
        (route_to(delay=Delay(2.0)), (200, "DI")),
        (route_to(delay=Delay(2.0), abort=Abort(http_status=555)), (555, "FI,DI")),
        (HttpRoute(destinations=(Destination(HOST, "v9"),)), (503, "NC")),
        (route_to(timeout_s=0.005), (504, "UT")),
        (route_to(retries=RetryWish(2, "5xx", per_try_timeout_s=0.005, backoff_s=0.001)), (504, "UT,URX")),
    ],
)
def test_what_routes_do(route, end):
    status, flags = sole_end(mesh_of(1, route=route))
    assert (status, set(flags.split(","))) == (end[0], set(end[1].split(",")))


def test_who_is_not_routed_is_told_so():
    elsewhere = HttpRequest("nowhere.example.com")
    assert sole_end(mesh_of(1), http=elsewhere) == (200, "-")
    closed = replace(mesh_of(1), defaults=replace(Mesh().defaults, allow_any=False))
    assert sole_end(closed, http=elsewhere) == (502, "NR")
    unmatched = Mesh((service(),), endpoints(1), (), (VirtualService((HOST,), ()),))
    assert sole_end(unmatched) == (404, "NR")
    assert sole_end(replace(mesh_of(1), endpoints=())) == (503, "UH")


def test_a_delay_is_put_in_and_does_not_count_for_the_timeout():
    route = route_to(delay=Delay(2.0), timeout_s=1.0)
    seen = simulate(mesh_of(1, route=route), at_once(1), working(10.0)).calls.requests
    assert (seen.status.tolist(), seen.end_us.tolist()) == ([200], [2_010_000])


def test_grpc_callers_get_errors_in_a_header():
    http = HttpRequest(HOST, grpc=True)
    route = route_to(retries=NO_RETRIES)
    failing = working(failing=(Failing(status=503),))
    seen = simulate(mesh_of(1, route=route), at_once(1, http=http), failing).calls.requests
    assert (seen.status.tolist(), seen.grpc_status.tolist()) == ([200], [14])
    late = simulate(mesh_of(1, route=route_to(timeout_s=0.001)), at_once(1, http=http), working()).calls.requests
    assert (late.status.tolist(), late.grpc_status.tolist()) == ([200], [4])
    tried = simulate(mesh_of(1), at_once(1, http=http), failing).calls.requests
    assert tried.attempts.tolist() == [3]  # "unavailable" is among Istio's default conditions


def test_mirrors_get_copies_that_nobody_waits_for():
    route = route_to(mirrors=(Mirror(Destination(OTHER)),))
    mesh = replace(mesh_of(1, route=route), services=(service(), service(OTHER)))
    mesh = replace(mesh, endpoints=mesh.endpoints + endpoints(1, OTHER))
    slow = {OTHER: Behaviour(ServiceTime(500, Shape.CONSTANT), failing=(Failing(status=500),))}
    seen = simulate(mesh, at_once(3), replace(working(10.0), services=slow)).calls
    assert seen.requests.mirror.tolist() == [False] * 3 + [True] * 3
    assert seen.requests.status.tolist() == [200] * 3 + [500] * 3
    assert seen.requests.end_us[:3].max() == 10_000
    assert seen.requests.root.tolist() == [0, 1, 2] * 2


def test_the_pool_refuses_what_is_beyond_connections_and_waiting():
    policy = TrafficPolicy(connections=ConnectionLimits(max_connections=1, max_pending_requests=2))
    far = Network(0, (1_000,) * 4)
    seen = ends(simulate(mesh_of(1, policy=policy), at_once(5), working(network=far)))
    assert seen == [(200, "-")] * 2 + [(503, "UO")] * 3
    http2 = TrafficPolicy(connections=ConnectionLimits(max_requests=3))
    assert (
        ends(simulate(mesh_of(1, policy=http2, protocol="HTTP2"), at_once(5), working(network=far))).count((503, "UO")) == 2
    )


def test_connections_that_cannot_be_opened_fail_and_another_host_is_tried():
    dead = {(HOST, "10.0.0.0"): Behaviour(failing=(Failing(how=Failure.REFUSE),))}
    behaviours = replace(working(), endpoints=dead)
    traffic = simulate(mesh_of(5), poisson(100, 400), behaviours)
    attempts = traffic.calls.attempts
    refused = attempts.endpoint == [one.address for one in traffic.calls.endpoints].index("10.0.0.0")
    # Not all: who refuses at once has the fewest requests in hand, and so draws retries as well.
    assert ends(traffic).count((200, "-")) > 0.95 * 400
    assert set(ends(traffic)) <= {(200, "-"), (503, "UF,URX")}
    assert set(attempts.flags[refused].tolist()) == {Flags.UF.value}
    assert (attempts.arrived_us[refused] < 0).all()
    assert refused.sum() > 50
    far = replace(behaviours, endpoints={}, network=Network(0, (300_000,) * 4))
    hasty = TrafficPolicy(connections=ConnectionLimits(connect_timeout_s=1.0))
    assert sole_end(mesh_of(1, policy=hasty, route=route_to(retries=NO_RETRIES)), far) == (503, "UF")


def test_what_is_on_a_connection_is_cut_off_when_its_endpoint_goes():
    behaviours = working(10.0, failing=(Failing(start_us=5_000, how=Failure.REFUSE),))
    assert sole_end(mesh_of(1, route=route_to(retries=NO_RETRIES)), behaviours) == (503, "UC")


def test_silence_ends_by_a_timeout_or_when_the_endpoint_comes_back_or_with_time():
    def silent(end_us):
        return working(failing=(Failing(0, end_us, how=Failure.SILENT),))

    assert sole_end(mesh_of(1, route=route_to(timeout_s=1.0)), silent(2**62)) == (504, "UT")
    assert sole_end(mesh_of(1, route=route_to(retries=NO_RETRIES)), silent(50_000)) == (503, "UC")
    assert sole_end(mesh_of(1), silent(2**62)) == (0, "DC")


def test_a_full_line_answers_503_and_what_its_caller_gave_up_is_not_worked_on():
    assert ends(simulate(mesh_of(1), at_once(4), working(concurrency=1, queue_limit=1))).count((503, "-")) == 2
    mesh = mesh_of(1, route=route_to(timeout_s=0.015))
    attempts = simulate(mesh, at_once(4), working(10.0, concurrency=1)).calls.attempts
    assert attempts.status.tolist() == [200, 504, 504, 504]
    assert (attempts.work_start_us >= 0).tolist() == [True, True, False, False]


def test_limits_of_rate_answer_429_locally_and_globally():
    bucket = TokenBucket(2, 2, 1_000_000)
    local = Controls(rate_limits={HOST: (RateLimit(bucket, every_proxy=True),)})
    shared = Controls(rate_limits={HOST: (RateLimit(bucket),)})
    requests = [TimedRequest(at, CALLER, HttpRequest(HOST)) for at in range(0, 400_000, 20_000)]
    for controls, admitted in ((local, 4), (shared, 2)):
        traffic = simulate(mesh_of(2), requests, working(), controls=controls)
        assert ends(traffic).count((200, "-")) == admitted
        assert ends(traffic).count((429, "RL")) == 20 - admitted
        assert (traffic.calls.requests.attempts[-1] == 0) == (controls is shared)


def test_who_may_not_call_gets_403():
    controls = Controls(allowed=lambda caller, endpoint, request: caller.labels.get("app") == "admin")
    assert sole_end(mesh_of(1), controls=controls) == (403, "-")


def test_calls_go_on_to_other_services_and_their_errors_come_back():
    mesh = replace(mesh_of(1), services=(service(), service(OTHER)))
    mesh = replace(mesh, endpoints=mesh.endpoints + endpoints(1, OTHER))
    http = HttpRequest(HOST, headers={"user": "x", "other": "y"})
    front = Behaviour(ServiceTime(5, Shape.CONSTANT), calls=(Call(OTHER, 2, headers_kept=("user",)),))
    behaviours = replace(working(10.0), services={HOST: front})
    calls = simulate(mesh, at_once(1, http=http), behaviours).calls
    assert calls.requests.parent.tolist() == [-1, 0, 0]
    assert calls.requests.end_us.tolist() == [15_000] * 3
    assert [calls.callers[one].service for one in calls.requests.caller.tolist()] == ["", HOST, HOST]
    failing = replace(behaviours, services={HOST: front, OTHER: Behaviour(failing=(Failing(status=503),))})
    assert ends(simulate(mesh, at_once(1), failing))[0] == (500, "-")
    half = replace(behaviours, services={HOST: replace(front, calls=(Call(OTHER, 0.5),))})
    assert len(simulate(mesh, at_once(1000), half).calls.requests) == pytest.approx(1500, abs=60)


def test_ejections_keep_requests_from_who_answers_badly():
    policy = TrafficPolicy(outlier=OutlierWish(consecutive_5xx_errors=3, interval_ms=1000, base_ejection_time_ms=5000))
    bad = {(HOST, "10.0.0.1"): Behaviour(ServiceTime(1.0), failing=(Failing(status=500),))}
    traffic = simulate(mesh_of(4, policy=policy), poisson(200, 4000), replace(working(1.0), endpoints=bad))
    assert (traffic.ejections[0].endpoint, traffic.ejections[0].out) == ("10.0.0.1", True)
    assert ends(traffic).count((500, "-")) < 0.02 * 4000
    for out, back in zip(traffic.ejections[::2], traffic.ejections[1::2], strict=False):
        assert out.out
        assert not back.out
        assert back.at_us % 1_000_000 == 0


def test_a_budget_keeps_retries_from_multiplying_an_outage():
    route = route_to(retries=EAGER)
    broken = working(50.0, failing=(Failing(status=503),))
    requests = poisson(400, 2000)
    free = simulate(mesh_of(4, route=route), requests, broken).calls
    kept = simulate(
        mesh_of(4, route=route), requests, broken, controls=Controls(retry_budgets={HOST: RetryBudget(20)})
    ).calls
    plain = TrafficPolicy(connections=ConnectionLimits(max_retries=3))
    three = simulate(mesh_of(4, route=route, policy=plain), requests, broken).calls
    assert len(free.attempts) == 4 * 2000
    assert len(three.attempts) < len(kept.attempts) < 1.5 * 2000
    assert (kept.requests.flags & Flags.UO.value).any()


def test_weights_of_a_route_hold_over_many_requests():
    subsets = tuple(Subset(f"v{number}", {"version": f"v{number}"}) for number in (1, 2))
    route = HttpRoute(destinations=(Destination(HOST, "v1", weight=90), Destination(HOST, "v2", weight=10)))
    members = [replace(one, labels={"version": f"v{1 + at % 2}"}) for at, one in enumerate(endpoints(4))]
    mesh = replace(mesh_of(route=route, subsets=subsets), endpoints=tuple(members))
    calls = simulate(mesh, poisson(1000, 5000), working(1.0)).calls
    share = np.mean(calls.attempts.subset == list(calls.subsets).index("v2"))
    assert share == pytest.approx(0.1, abs=0.015)
    versions = np.array([one.version for one in calls.endpoints])[calls.attempts.endpoint]
    assert (versions == np.array(calls.subsets)[calls.attempts.subset]).all()


def test_what_makes_no_sense_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="before the start"):
        simulate(mesh_of(1), at_once(1, at_us=-1))
    with pytest.raises(InputError, match="two different callers are called 'web'"):
        simulate(mesh_of(1), at_once(1) + at_once(1, caller=replace(CALLER, namespace="other")))
    with pytest.raises(InputError, match=r"did you mean 'scenes\.default"):
        simulate(mesh_of(1), [], Behaviours(services={"scene.default.svc.cluster.local": Behaviour()}))
    with pytest.raises(InputError, match="would never end"):
        simulate(mesh_of(1), [], Behaviours(Behaviour(calls=(Call(HOST),))))
    with pytest.raises(InputError, match="is no service"):
        simulate(mesh_of(1), [], controls=Controls(retry_budgets={"x": RetryBudget()}))
