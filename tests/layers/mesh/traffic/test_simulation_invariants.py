"""Whatever the mesh: every request ends once, no limit is broken, and the same seed gives the same digits."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.mesh.objects import ConnectionLimits, DestinationRule, TrafficPolicy
from skyedge.layers.mesh.traffic import Flags, Shape, simulate
from tests.layers.mesh.traffic.random_worlds import worlds
from tests.layers.mesh.traffic.worlds import HOST, mesh_of, poisson, working


def overlaps(start_us, end_us):
    times = sorted([(at, 1) for at in start_us.tolist()] + [(at, -1) for at in end_us.tolist()])
    now = most = 0
    for _, step in times:
        now += step
        most = max(most, now)
    return most


@settings(max_examples=60)
@given(worlds(), st.sampled_from([200, 2000]))
def test_every_request_ends_once_and_no_limit_is_broken(world, rate):
    mesh, behaviours, limits, wish, seed = world
    traffic = simulate(mesh, poisson(rate, 120, seed), behaviours, seed)
    requests, attempts = traffic.calls.requests, traffic.calls.attempts
    assert len(requests) == 120
    assert (requests.end_us >= requests.start_us).all()
    assert np.array_equal(np.bincount(attempts.request, minlength=120), requests.attempts)
    most = 2 if wish is None else max(wish.attempts, 0)
    assert (requests.attempts <= 1 + most).all()
    assert ((requests.status > 0) | (requests.flags & Flags.DC.value > 0)).all()
    # Attempts of one request follow one another, within its life.
    assert (attempts.start_us >= requests.start_us[attempts.request]).all()
    assert (attempts.end_us <= requests.end_us[attempts.request]).all()
    assert (attempts.end_us >= attempts.start_us).all()
    sent = attempts.sent_us >= 0
    # A connection may be freed and taken again in the same microsecond, so ends count before starts.
    longer = sent & (attempts.end_us > attempts.sent_us)
    assert overlaps(attempts.sent_us[longer], attempts.end_us[longer]) <= limits.max_requests
    retry = attempts.retry > 0
    assert (
        overlaps(
            attempts.start_us[retry & (attempts.end_us > attempts.start_us)],
            attempts.end_us[retry & (attempts.end_us > attempts.start_us)],
        )
        <= limits.max_retries
    )
    for number, endpoint in enumerate(traffic.calls.endpoints):
        worked = (attempts.endpoint == number) & (attempts.work_end_us > attempts.work_start_us)
        concurrency = behaviours.of(HOST, endpoint.address).concurrency
        assert overlaps(attempts.work_start_us[worked], attempts.work_end_us[worked]) <= concurrency
    out_since = {}
    for ejection in traffic.ejections:
        if ejection.out:
            out_since[ejection.endpoint] = ejection.at_us
            continue
        number = [one.address for one in traffic.calls.endpoints].index(ejection.endpoint)
        asked = attempts.start_us[(attempts.endpoint == number) & ~attempts.panic]
        assert not ((asked > out_since[ejection.endpoint]) & (asked < ejection.at_us)).any()


def columns(traffic):
    calls = traffic.calls
    return [getattr(part, field.name).tolist() for part in (calls.requests, calls.attempts) for field in fields(part)]


@settings(max_examples=15)
@given(worlds())
def test_the_same_seed_gives_the_same_digits_whatever_the_order_of_the_mesh(world):
    mesh, behaviours, _, _, seed = world
    requests = poisson(1000, 60, seed)
    turned = replace(mesh, endpoints=mesh.endpoints[::-1], rules=(*mesh.rules, DestinationRule("x.y.z")))
    first, second = (simulate(one, requests, behaviours, seed) for one in (mesh, turned))
    assert columns(first) == columns(second)
    assert first.ejections == second.ejections


def test_twice_the_limit_never_refuses_more():
    def refused(limit, seed):
        policy = TrafficPolicy(connections=ConnectionLimits(max_connections=limit, max_pending_requests=limit))
        mesh = mesh_of(1, policy=policy)
        requests = simulate(mesh, poisson(900, 1500, seed), working(8.0, Shape.EXPONENTIAL), seed).calls.requests
        return int((requests.flags & Flags.UO.value > 0).sum())

    counts = np.array([[refused(limit, seed) for limit in (2, 4, 8, 16)] for seed in range(4)])
    assert (np.diff(counts, axis=1) <= 0).all()
    assert (counts[:, 0] > counts[:, -1]).all()
