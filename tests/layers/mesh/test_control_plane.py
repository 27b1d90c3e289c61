"""A control plane that loses zones: routes stay, changes arrive by the others or wait, and cost what their readers do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from skyedge.errors import InputError
from skyedge.layers.mesh.control_plane import ControlPlane, Link
from skyedge.layers.mesh.http_match import How, HttpMatch, HttpRequest, StringMatch
from skyedge.layers.mesh.http_route import Destination, Draws, HttpRoute, answer

ZONES = ("a", "b", "c")
SERVICES = ("cart", "pay", "stock")


def routes(subset):
    beta = HttpMatch(headers={"beta": StringMatch(How.EXACT, "yes")})
    return (
        HttpRoute((beta,), (Destination("cart", "next"),)),
        HttpRoute((), (Destination("cart", subset),)),
    )


def routed(plane, proxy, service):
    """Where a proxy sends two requests, by what it holds alone."""
    held = plane.held(proxy).get(service)
    if held is None:
        return None
    asked = (HttpRequest("cart"), HttpRequest("cart", headers={"beta": "yes"}))
    outcomes = [answer(held, one, Draws(0.5)) for one in asked]
    return [held[outcome.route].destinations[outcome.destination] for outcome in outcomes]


def small(proxies=6):
    plane = ControlPlane(ZONES)
    plane.change("cart", routes("v1"))
    for number in range(proxies):
        plane.join(f"p{number}", ZONES[number % 3], ["cart", "pay"] if number % 2 else ["cart"])
    return plane


def all_routes(plane, proxies=6):
    return [routed(plane, f"p{number}", "cart") for number in range(proxies)]


@pytest.mark.parametrize("zone", ZONES)
def test_losing_a_zone_changes_no_route_and_tells_nobody_anything(zone):
    plane = small()
    before = all_routes(plane)
    assert plane.lose(zone) == []
    assert all_routes(plane) == before
    assert all(plane.link(f"p{number}")[1] not in ("", zone) for number in range(6))


def test_a_change_made_during_the_loss_arrives_through_the_others():
    plane = small()
    before = all_routes(plane)
    plane.lose("a")
    told = plane.change("cart", routes("v2"))
    assert [push.proxy for push in told] == [f"p{number}" for number in range(6)]
    for (rest, beta), (rest_before, beta_before) in zip(all_routes(plane), before, strict=True):
        assert (rest.subset, rest_before.subset) == ("v2", "v1")
        assert beta == beta_before
    assert plane.outdated() == ()


def test_without_any_zone_routes_stay_and_only_changes_wait():
    plane = small()
    before = all_routes(plane)
    for zone in ZONES:
        plane.lose(zone)
    assert plane.change("cart", routes("v2")) == []
    assert plane.change("cart", routes("v3")) == []
    assert all_routes(plane) == before
    assert plane.outdated() == tuple(f"p{number}" for number in range(6))
    assert plane.join("late", "b", ["cart"]) == []
    assert plane.held("late") == {}
    told = plane.restore("b")
    assert len(told) == 7  # one each: of two changes the last is told
    assert routed(plane, "late", "cart") == routed(plane, "p0", "cart") != before[0]


def test_a_zone_that_is_back_moves_nobody():
    plane = small()
    plane.lose("a")
    found = plane.link("p0")
    assert plane.restore("a") == []
    assert plane.link("p0") == found


def test_who_listened_to_a_lost_zone_is_spread_over_the_others():
    plane = ControlPlane(ZONES)
    for number in range(30):
        plane.join(f"p{number:02d}", "a", ["cart"])
    plane.lose("a")
    zones = [plane.link(f"p{number:02d}")[1] for number in range(30)]
    assert (zones.count("b"), zones.count("c")) == (15, 15)


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_change_costs_as_many_pushes_as_it_has_readers(readers, others):
    plane = ControlPlane(ZONES)
    for number in range(readers):
        plane.join(f"r{number}", "a", ["cart", "pay"])
    for number in range(others):
        plane.join(f"o{number}", "b", ["pay"])
    assert len(plane.change("cart", "x")) == readers
    assert len(plane.change("pay", "y")) == readers + others
    assert plane.change("stock", "z") == []


class Zones(RuleBasedStateMachine):
    """Whatever happens in whatever order, who can be told has been told."""

    def __init__(self):
        super().__init__()
        self.plane, self.wanted, self.up = ControlPlane(ZONES), {}, set(ZONES)
        self.services, self.count = {}, 0

    @rule(zone=st.sampled_from(ZONES), services=st.sets(st.sampled_from(SERVICES)))
    def join(self, zone, services):
        name = f"p{len(self.services)}"
        self.services[name] = services
        self.plane.join(name, zone, sorted(services))

    @rule(service=st.sampled_from(SERVICES), gone=st.booleans())
    def change(self, service, gone):
        self.count += 1
        content = None if gone else f"edition {self.count}"
        told = self.plane.change(service, content)
        self.wanted[service] = content
        readers = sum(service in services for services in self.services.values())
        assert len(told) == (readers if self.up else 0)

    @rule(zone=st.sampled_from(ZONES))
    def lose(self, zone):
        before = {name: dict(self.plane.held(name)) for name in self.services}
        self.plane.lose(zone)
        self.up.discard(zone)
        assert {name: dict(self.plane.held(name)) for name in self.services} == before

    @rule(zone=st.sampled_from(ZONES))
    def restore(self, zone):
        self.plane.restore(zone)
        self.up.add(zone)

    @invariant()
    def all_is_told(self):
        if self.up:
            for name, services in self.services.items():
                wanted = {one: self.wanted[one] for one in services if self.wanted.get(one) is not None}
                assert self.plane.held(name) == wanted
                link, zone = self.plane.link(name)
                assert link is Link.CONNECTED
                assert zone in self.up


TestZones = Zones.TestCase
TestZones.settings = settings(max_examples=40, stateful_step_count=20)


def test_what_cannot_be_is_said():
    with pytest.raises(InputError, match="at least one zone"):
        ControlPlane(())
    with pytest.raises(InputError, match="no zone 'd'"):
        ControlPlane(ZONES).lose("d")
    with pytest.raises(InputError, match="did you mean 'p1'"):
        small(3).held("p11")
    with pytest.raises(InputError, match="already"):
        small(3).join("p1", "a", [])
