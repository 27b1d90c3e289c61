import numpy as np
import pytest

from skyedge.errors import InputError
from skyedge.layers.mesh.http_match import HttpRequest
from skyedge.layers.mesh.locality import Locality
from skyedge.layers.mesh.objects import Mesh
from skyedge.layers.mesh.traffic import (
    Behaviour,
    Behaviours,
    Controls,
    Network,
    ServiceClasses,
    ServiceTime,
    Shape,
    simulate,
)
from skyedge.layers.mesh.traffic.behaviour import Narrow
from skyedge.layers.mesh.traffic.events import Events
from skyedge.layers.mesh.traffic.links import Chain, Link, Links
from skyedge.layers.mesh.traffic.qos import ClassRule
from tests.layers.mesh.traffic.worlds import HOST, at_once, endpoints, poisson, service

CLOUD = Locality("cloud", "a")
TWO = ServiceClasses(("urgent", "bulk"), (ClassRule("urgent", headers={"scene": "hard"}),))
FAR = Mesh((service(),), endpoints(1, locality=CLOUD))


def behaviours(mbps, request_bytes=1_000, response_bytes=0):
    network = Network(
        0, (0, 0, 0, 5_000), handshake_round_trips=0, links_mbps={("eu", "cloud"): mbps, ("cloud", "eu"): mbps}
    )
    work = ServiceTime(0, Shape.CONSTANT)
    return Behaviours(Behaviour(work, 1000, request_bytes=request_bytes, response_bytes=response_bytes), network=network)


def test_messages_cross_one_after_another_and_the_delay_comes_on_top():
    attempts = simulate(FAR, at_once(3), behaviours(8.0, 1_000, 2_000)).calls.attempts
    assert sorted(attempts.arrived_us.tolist()) == [6_000, 7_000, 8_000]
    assert sorted(attempts.end_us.tolist()) == [13_000, 15_000, 17_000]


def test_the_urgent_overtake_those_who_wait_for_the_link():
    events, seen = Events(), []
    link = Link(8.0, TWO, events)
    for name, service_class in (("b1", 1), ("b2", 1), ("u", 0)):
        link.carry(1_000, service_class, 0, lambda what, now: seen.append((what, now)), name, 0)
    events.run_until(10_000)
    assert seen == [("b1", 1_000), ("u", 2_000), ("b2", 3_000)]


def test_waits_for_a_link_are_those_of_cobham():
    # Messages of one size: M/D/1 with two classes at loads of 0.3 and 0.4.
    hard = HttpRequest(HOST, headers={"scene": "hard"})
    requests = [*poisson(300, 9_000, 1, http=hard), *poisson(400, 12_000, 2)]
    attempts = simulate(FAR, requests, behaviours(8.0), controls=Controls(classes=TWO)).calls.attempts
    waits_ms = (attempts.arrived_us - attempts.sent_us - 6_000) / 1000
    seen = [waits_ms[attempts.service_class == one].mean() for one in (0, 1)]
    left_ms = 0.7 / 2
    assert seen == pytest.approx([left_ms / 0.7, left_ms / (0.7 * 0.3)], rel=0.1)


def test_twice_the_rate_brings_every_message_sooner():
    slow, fast = (simulate(FAR, poisson(300, 500), behaviours(rate)).calls.attempts.arrived_us for rate in (4.0, 8.0))
    assert (fast < slow).all()
    assert np.all(np.diff(np.sort(slow)) >= 2_000)


def test_a_link_without_a_rate_is_refused():
    with pytest.raises(InputError, match="above zero"):
        Network(links_mbps={("a", "b"): 0})


def test_a_chain_sends_on_what_has_come_over_and_waits_at_each_link():
    events, seen = Events(), []
    slow, fast = Link(4.0, TWO, events), Link(8.0, TWO, events)
    chain = Chain([(slow, 100), (fast, 7)])
    for name in ("first", "second"):
        chain.carry(1_000, 0, 500, lambda what, now: seen.append((what, now)), name, 0)
    fast.carry(3_000, 0, 0, lambda what, now: seen.append((what, now)), "other", 0)  # until 3,000 µs
    events.run_until(10_000)
    # First: 2,000 + 100, waits until 3,000, + 1,000 + the other 400.  Second: 4,000 + 100 + 1,000 + 400.
    assert seen == [("other", 3_000), ("first", 4_400), ("second", 5_500)]


def test_links_of_one_key_are_one_link():
    events, seen = Events(), []
    links = Links(TWO, events)
    near, far = Narrow(("a", "b"), 8.0, 0), Narrow(("b", "c"), 8.0, 0)
    assert links.over(()) is None
    for places in ((near,), (near, far)):
        links.over(places).carry(1_000, 0, 0, lambda what, now: seen.append((what, now)), len(places), 0)
    events.run_until(10_000)
    assert seen == [(1, 1_000), (2, 3_000)]
