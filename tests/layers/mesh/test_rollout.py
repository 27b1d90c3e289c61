"""Rollouts: a good version is promoted, a bad one goes back, and no more requests saw it than the bound says."""

import ipaddress
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.http_route import Draws, answer
from skyedge.layers.mesh.objects import Mesh, MeshEndpoint, Subset, VirtualService
from skyedge.layers.mesh.rollout import (
    DURATION,
    SUCCESS_RATE,
    TRANSITIONS,
    Analysis,
    Check,
    Exposure,
    Phase,
    Status,
    Strategy,
    measured,
    most_exposed,
    step,
)
from skyedge.layers.mesh.rollout_routes import by_cookie, by_header, by_source_address, by_source_labels, routes_of
from skyedge.layers.mesh.telemetry.golden_signals import by_subset
from skyedge.layers.mesh.traffic import Behaviour, Behaviours, Failing, ServiceTime, simulate
from tests.layers.mesh.traffic.worlds import HOST, mesh_of, poisson

GOOD, BAD = {SUCCESS_RATE: 100.0, DURATION: 20.0}, {SUCCESS_RATE: 90.0, DURATION: 20.0}
CANARY = Analysis(threshold=3)
BLUE_GREEN = Analysis(threshold=3, iterations=4)
AB = Analysis(threshold=3, iterations=4, match=(by_header("x-beta", "yes"),))
ALL = (CANARY, BLUE_GREEN, AB, replace(CANARY, mirror=True), replace(BLUE_GREEN, mirror=True))


def history(analysis, values, **said):
    """Statuses until nothing more happens; ``values`` by the number of the interval, or always the same."""
    statuses = [Status()]
    while not statuses[-1].over and len(statuses) < 100:
        found = values(len(statuses)) if callable(values) else values
        statuses.append(step(analysis, statuses[-1], found, **said))
    return statuses


def test_a_good_canary_is_promoted_step_by_step():
    statuses = history(CANARY, GOOD)
    assert [one.weight for one in statuses] == [0, 0, 10, 20, 30, 40, 50, 50, 0, 0]
    phases = [Phase.INITIALISING, *[Phase.PROGRESSING] * 6, Phase.PROMOTING, Phase.FINALISING, Phase.SUCCEEDED]
    assert [one.phase for one in statuses] == phases


def test_weights_may_be_given_and_promotion_may_go_in_steps():
    analysis = replace(CANARY, step_weights=(1, 5, 60), step_weight_promotion=25)
    assert [one.weight for one in history(analysis, GOOD)] == [0, 0, 1, 5, 60, 60, 35, 10, 0, 0]
    assert Analysis(step_weight=30, max_weight=50).weights == (30, 50)


@pytest.mark.parametrize("analysis", ALL)
def test_a_version_that_fails_every_check_goes_back_at_the_threshold(analysis):
    last = history(analysis, BAD)[-1]
    assert (last.phase, last.failed_checks, last.weight, last.mirrored) == (Phase.FAILED, 3, 0, False)
    assert last.said == "request-success-rate 90 is below 99"


def test_failed_checks_stop_the_advance_and_are_never_forgiven():
    every_other = history(replace(CANARY, threshold=3), lambda number: BAD if number % 2 else GOOD)
    assert every_other[-1].phase is Phase.FAILED
    weights = [one.weight for one in every_other if one.phase is Phase.PROGRESSING]
    assert weights == sorted(weights)
    assert history(replace(CANARY, threshold=50), lambda number: BAD if number % 2 else GOOD)[-1].phase is Phase.SUCCEEDED


def test_nothing_measured_is_a_failed_check():
    assert history(CANARY, {})[-1].said == "no values of request-success-rate; no values of request-duration"
    slow = history(CANARY, {SUCCESS_RATE: 100.0, DURATION: 501.0})[-1]
    assert (slow.phase, slow.said) == (Phase.FAILED, "request-duration 501 is above 500")


def test_blue_and_green_are_switched_after_the_tests_and_looked_at_once_more():
    statuses = history(BLUE_GREEN, GOOD)
    assert [one.weight for one in statuses] == [0, 0, 0, 0, 0, 0, 100, 100, 0, 0]
    mirrored = history(replace(BLUE_GREEN, mirror=True), GOOD)
    assert [one.mirrored for one in mirrored][2:7] == [True, True, True, True, False]


def test_promotion_waits_for_a_word_while_checks_go_on():
    statuses = history(CANARY, GOOD, confirmed=False)
    waiting = statuses[-1]
    assert waiting.phase is Phase.WAITING_PROMOTION
    assert step(CANARY, waiting, GOOD).phase is Phase.PROMOTING
    for _ in range(3):
        waiting = step(CANARY, waiting, BAD, confirmed=False)
    assert waiting.phase is Phase.FAILED


def test_what_is_not_ready_waits_and_what_is_stopped_goes_back():
    assert step(CANARY, Status(), {}, ready=False).phase is Phase.INITIALISING
    under_way = history(CANARY, GOOD)[3]
    assert step(CANARY, under_way, GOOD, aborted=True).weight == 0
    promoted = next(one for one in history(CANARY, GOOD) if one.phase is Phase.PROMOTING)
    assert step(CANARY, promoted, GOOD, aborted=True).phase is Phase.FINALISING


@settings(max_examples=150)
@given(st.sampled_from(ALL), st.integers(1, 4), st.integers(0, 2**40))
def test_whatever_is_measured_the_table_is_kept_and_so_is_the_bound(analysis, threshold, good):
    analysis = replace(analysis, threshold=threshold)
    statuses = history(analysis, lambda number: GOOD if good >> number & 1 else BAD)
    for before, after in itertools.pairwise(statuses):
        reachable = {TRANSITIONS[key] for key in TRANSITIONS if key[0] is before.phase}
        assert after.phase is before.phase or after.phase in reachable
        assert after.phase is not Phase.FAILED or after.weight == 0
    assert statuses[-1].over
    if statuses[-1].phase is Phase.FAILED:
        seen = sum(one.weight / 100 for one in statuses)
        assert seen <= most_exposed(analysis, 99) + 1e-9


@pytest.mark.parametrize("analysis", ALL)
def test_the_bound_is_met_by_the_version_that_it_is_made_for(analysis):
    for good_steps in range(6):
        statuses = history(analysis, lambda number, good=good_steps: GOOD if number < 3 + good else BAD)
        if statuses[-1].phase is Phase.FAILED:
            assert sum(one.weight / 100 for one in statuses) == pytest.approx(most_exposed(analysis, good_steps))


@pytest.mark.parametrize("error_share", [0.0, 0.005, 0.05, 0.5])
def test_over_a_simple_service_the_bad_are_found_and_few_saw_them(error_share):
    draws, status, exposure, requests = np.random.default_rng(7), Status(), Exposure(), 2000
    while not status.over:
        mine = int(draws.binomial(requests, status.weight / 100))
        errors = int(draws.binomial(mine, error_share))
        exposure = exposure.with_interval(status, requests, mine)
        values = {SUCCESS_RATE: 100 * (1 - errors / mine), DURATION: 20.0} if mine else {}
        status = step(CANARY, status, values)
    assert status.phase is (Phase.SUCCEEDED if error_share < 0.01 else Phase.FAILED)
    if status.phase is Phase.FAILED:
        assert exposure.new_version <= 1.1 * requests * most_exposed(CANARY)
        assert exposure.share < 0.1


def version_of(mesh):
    """Half of the endpoints are the new version's."""
    new = range(len(mesh.endpoints) // 2)
    return tuple(
        replace(one, labels={"version": "new" if number in new else "old"}) for number, one in enumerate(mesh.endpoints)
    )


def rolled_out(analysis, new_version):
    """A rollout over the simulated mesh: routes to proxies, requests, golden signals of the new version, a step."""
    subsets = tuple(Subset(name, {"version": label}) for name, label in (("stable", "old"), ("canary", "new")))
    plain = mesh_of(4, subsets=subsets)
    endpoints: tuple[MeshEndpoint, ...] = version_of(plain)
    behaviours = Behaviours(
        Behaviour(ServiceTime(5.0)),
        endpoints={(HOST, one.address): new_version for one in endpoints if one.labels["version"] == "new"},
    )
    status, exposure, interval = Status(), Exposure(), 0
    while not status.over and interval < 30:
        virtual = VirtualService((HOST,), routes_of(analysis, status, HOST))
        mesh = Mesh(plain.services, endpoints, plain.rules, (virtual,))
        calls = simulate(mesh, poisson(400, 400, seed=interval), behaviours, seed=interval).calls
        found = {one.name[1]: one for one in by_subset(calls)}
        new = found.get("canary")
        seen = 0 if new is None or status.mirrored else new.count
        exposure = exposure.with_interval(status, 400, seen)
        status = step(analysis, status, measured(new) if new is not None else {})
        interval += 1
    return status, exposure


def test_over_the_simulated_mesh_a_good_version_is_promoted():
    status, exposure = rolled_out(CANARY, Behaviour(ServiceTime(5.0)))
    assert status.phase is Phase.SUCCEEDED
    assert 0.05 < exposure.share < 0.4


@pytest.mark.parametrize(
    ("analysis", "new_version"),
    [
        (CANARY, Behaviour(ServiceTime(5.0), failing=(Failing(share=0.3),))),
        (CANARY, Behaviour(ServiceTime(900.0))),
        (replace(CANARY, mirror=True), Behaviour(ServiceTime(5.0), failing=(Failing(share=0.3),))),
    ],
)
def test_over_the_simulated_mesh_a_bad_version_goes_back_and_few_saw_it(analysis, new_version):
    status, exposure = rolled_out(analysis, new_version)
    assert status.phase is Phase.FAILED
    # Errors are tried again, so a request may ask the new version more than once.
    assert exposure.new_version <= 2 * 400 * most_exposed(analysis)
    assert (exposure.new_version == 0) is analysis.mirror


def destination(analysis, status, request, chance=0.0):
    routes = routes_of(analysis, status, HOST)
    outcome = answer(routes, request, Draws(chance))
    route = routes[outcome.route]
    return route.destinations[outcome.destination].subset, outcome


def test_an_ab_test_means_whom_it_says_and_nobody_else():
    status = Status(Phase.PROGRESSING, weight=100, steps=1)
    means = {
        "header": (by_header("x-beta", "yes"), {"headers": {"X-Beta": "yes"}}, {"headers": {"X-Beta": "no"}}),
        "cookie": (
            by_cookie("group", "b"),
            {"headers": {"cookie": "id=7; group=b; x=1"}},
            {"headers": {"cookie": "group=bb"}},
        ),
        "labels": (by_source_labels({"app": "web"}), {"source_labels": {"app": "web"}}, {"source_labels": {}}),
        "address": (
            by_source_address("10.1.16.0/20"),
            {"headers": {"x-forwarded-for": "10.1.31.9, 10.0.0.1"}},
            {"headers": {"x-forwarded-for": "10.1.32.9"}},
        ),
    }
    for match, meant, other in means.values():
        analysis = replace(AB, match=(match,))
        assert destination(analysis, status, HttpRequest(HOST, **meant))[0] == "canary"
        assert destination(analysis, status, HttpRequest(HOST, **other))[0] == "stable"
        assert destination(analysis, Status(), HttpRequest(HOST, **meant))[0] == "stable"


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_of_addresses_is_matched_as_one(network, address, bits):
    block = ipaddress.IPv4Network((int(network), bits), strict=False)
    inside = ipaddress.IPv4Address(int(block.network_address) + int(address) % block.num_addresses)
    for one in (address, inside):
        request = HttpRequest(HOST, headers={"x-forwarded-for": str(one)})
        assert by_source_address(str(block)).holds(request) == (one in block)


def test_who_got_the_new_version_keeps_it_if_asked_to():
    analysis = replace(CANARY, session_cookie="trial")
    status = Status(Phase.PROGRESSING, weight=10, steps=1)
    subset, outcome = destination(analysis, status, HttpRequest(HOST), chance=0.95)
    assert subset == "canary"
    cookie = outcome.response_headers["set-cookie"].partition(";")[0]
    again = HttpRequest(HOST, headers={"cookie": cookie})
    assert {destination(analysis, status, again, chance)[0] for chance in np.linspace(0, 0.99, 20)} == {"canary"}
    assert destination(analysis, status, HttpRequest(HOST), chance=0.5)[0] == "stable"
    assert destination(analysis, Status(Phase.FAILED), again)[0] == "stable"


@pytest.mark.parametrize("weight", [0, 10, 50, 100])
def test_routes_split_as_the_weight_says(weight):
    status = Status(Phase.PROGRESSING, weight=weight, steps=1)
    subsets = [destination(CANARY, status, HttpRequest(HOST), chance)[0] for chance in np.arange(0.005, 1, 0.01)]
    assert subsets.count("canary") == weight


def test_strategies_are_told_apart_and_what_cannot_be_is_said():
    assert [one.strategy for one in (CANARY, BLUE_GREEN, AB)] == [Strategy.CANARY, Strategy.BLUE_GREEN, Strategy.AB]
    for wrong, message in (
        ({"threshold": 0}, "at least 1"),
        ({"match": (by_header("a", "b"),)}, "needs iterations"),
        ({"step_weights": (10, 5)}, "must rise"),
        ({"step_weights": (10, 500)}, "at most 100"),
        ({"step_weight": 0}, "must be above zero"),
        ({"iterations": 3, "session_cookie": "a"}, "for a canary"),
        ({"interval_s": 0}, "interval"),
    ):
        with pytest.raises(InputError, match=message):
            Analysis(**wrong)
    with pytest.raises(InputError, match="neither an IPv4 address"):
        by_source_address("10.0.0/99")
    assert Check("x").failure({"x": 1.0}) is None
