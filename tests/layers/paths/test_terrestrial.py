"""Paths over the ground are as long as ITU-T Y.1541 has routes, and never quicker than light through fibre."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.layers.paths.terrestrial import FIBRE_KM_S, Place, TerrestrialNetwork, TerrestrialRules, route_km

places = st.builds(Place, st.floats(-89, 89), st.floats(-180, 180))


@pytest.mark.parametrize(("km", "route"), [(0, 0), (400, 600), (1000, 1500), (1100, 1500), (1200, 1500), (4000, 5000)])
def test_a_route_is_longer_than_the_great_circle_by_the_recommendation(km, route):
    assert route_km(km) == route


@pytest.mark.parametrize(("km", "hops"), [(0.0, 2), (500.0, 2), (1000.0, 3), (8000.0, 12)])
def test_hops_grow_with_the_route(km, hops):
    assert TerrestrialRules().path(km).hops == hops


def test_from_frankfurt_to_beijing_light_needs_some_fifty_milliseconds():
    # 7,800 km on the great circle: 9,750 km of fibre, 49 ms, and a millisecond of equipment.
    path = TerrestrialRules().path(Place(50.11, 8.68).km_to(Place(39.91, 116.40)))
    assert path.latency_us / 1000 == pytest.approx(49.8, abs=0.5)


@settings(max_examples=50)
@given(places, places)
def test_a_path_is_the_same_both_ways_and_never_quicker_than_fibre_along_the_great_circle(one, other):
    network = TerrestrialNetwork({"one": one, "other": other})
    there, back = network.path("one", "other"), network.path("other", "one")
    assert there == back
    assert there.latency_us >= one.km_to(other) / FIBRE_KM_S * 1e6
    assert there.hops >= 2


@settings(max_examples=50)
@given(st.floats(0, 20_000), st.floats(0, 20_000))
def test_what_is_farther_is_neither_nearer_nor_quicker(first, second):
    near, far = (TerrestrialRules().path(km) for km in sorted((first, second)))
    assert near.latency_us <= far.latency_us
    assert near.hops <= far.hops
