"""A rollout under way: what decides is what traffic shows, and routes change without a lost request."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.objects import Mesh, Subset, VirtualService
from skyedge.layers.mesh.rollout import DURATION, SUCCESS_RATE, Analysis, Check, Phase, most_exposed
from skyedge.layers.mesh.rollout_routes import routes_of
from skyedge.layers.mesh.rollout_traffic import Trial, intervals_needed, roll_out
from skyedge.layers.mesh.telemetry.golden_signals import by_subset
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, Failing, ServiceTime
from tests.layers.mesh.traffic.worlds import HOST, mesh_of, poisson

RATE_PER_S = 200
CANARY = Analysis(threshold=2, interval_s=1.0, step_weight=20.0)
BAD = Behaviour(ServiceTime(5.0), failing=(Failing(share=0.3, status=500),))


def tried(analysis, new_version, requests, seed=1):
    subsets = tuple(Subset(name, {"version": name}) for name in ("stable", "canary"))
    plain = mesh_of(4, subsets=subsets)
    endpoints = tuple(
        replace(one, labels={"version": "canary" if number else "stable"}) for number, one in enumerate(plain.endpoints)
    )
    behaviours = Behaviours(
        Behaviour(ServiceTime(5.0)),
        endpoints={(HOST, one.address): new_version for one in endpoints if one.labels["version"] == "canary"},
    )

    def view(status):
        virtual = VirtualService((HOST,), routes_of(analysis, status, HOST))
        seen = Mesh(plain.services, endpoints, plain.rules, (virtual,))
        return lambda caller: seen

    return roll_out(Mesh(plain.services, endpoints), requests, Trial(analysis, HOST, "canary", view), behaviours, seed)


def test_a_good_version_is_promoted_and_no_request_is_lost_when_routes_change():
    course = tried(CANARY, Behaviour(ServiceTime(5.0)), poisson(RATE_PER_S, 3000))
    assert course.status.phase is Phase.SUCCEEDED
    assert course.over_s == intervals_needed(CANARY) * CANARY.interval_s
    assert set(course.traffic.calls.requests.status.tolist()) == {200}
    shares = [one.new_version / one.requests for one in course.intervals]
    assert shares == pytest.approx([one.status.weight / 100 for one in course.intervals], abs=0.12)


@pytest.mark.parametrize("analysis", [CANARY, replace(CANARY, mirror=True), replace(CANARY, iterations=3, mirror=True)])
def test_a_bad_version_goes_back_and_no_more_saw_it_than_the_bound_says(analysis):
    course = tried(analysis, BAD, poisson(RATE_PER_S, 3000))
    assert course.status.phase is Phase.FAILED
    assert course.new_version <= 1.5 * RATE_PER_S * analysis.interval_s * most_exposed(analysis)
    assert (course.new_version == 0) is analysis.mirror
    after = course.traffic.calls.requests.start_us >= round(course.over_s * 1e6)
    assert (course.traffic.calls.requests.status[after] == 200).all()


@settings(max_examples=8)
@given(share=st.floats(0.0, 0.5), mean_ms=st.floats(1.0, 40.0), mirror=st.booleans(), seed=st.integers(0, 99))
def test_what_was_looked_at_is_what_the_golden_signals_say_afterwards(share, mean_ms, mirror, seed):
    behaviour = Behaviour(ServiceTime(mean_ms), failing=(Failing(share=share, status=500),))
    analysis = replace(CANARY, mirror=mirror, checks=(Check(SUCCESS_RATE, 80.0), Check(DURATION, maximum=100.0)))
    course = tried(analysis, behaviour, poisson(RATE_PER_S, 1500, seed), seed)
    for one in course.intervals:
        window = (round(one.start_s * 1e6), round(one.end_s * 1e6))
        new = {signals.name[1]: signals for signals in by_subset(course.traffic.calls, window)}.get("canary")
        if new is None or not new.count:
            assert not one.values
        else:
            assert one.values == pytest.approx({SUCCESS_RATE: 100 * (1 - new.error_share), DURATION: new.p99_ms})


def test_requests_that_end_first_leave_it_where_it_is():
    course = tried(CANARY, BAD, poisson(RATE_PER_S, 250))
    assert course.over_s is None
    assert course.status.phase is Phase.PROGRESSING
    assert len(course.intervals) < intervals_needed(CANARY)


def test_it_is_the_same_twice():
    first, second = (tried(CANARY, BAD, poisson(RATE_PER_S, 1000)) for _ in range(2))
    assert first.intervals == second.intervals
