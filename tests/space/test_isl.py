"""Links between satellites, and snapshots of who can talk to whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.resources import find
from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.contacts import elevation_deg
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.frames import EQUATORIAL_RADIUS_KM
from skyedge.space.isl import LIGHT_KM_S, NEIGHBOURS, lengths_km, lowest_points_km, plus_grid
from skyedge.space.sites import Sites
from skyedge.space.topology import Topology, great_circle_km, positions_km
from skyedge.time import HOUR, MINUTE, parse_utc
from skyedge.yaml_files import read_yaml

START = parse_utc("2023-01-05")


def shell_of(planes, slots, phasing, pattern="delta", inclination_deg=53.0):
    return WalkerShell(planes * slots, planes, phasing, 600.0, inclination_deg, "2023-01-05", pattern)


shells = st.builds(shell_of, st.integers(3, 9), st.integers(3, 9), st.integers(0, 8))


@given(shells, st.sampled_from(NEIGHBOURS))
def test_a_plus_grid_has_two_links_a_satellite_and_every_satellite_four(shell, neighbours):
    links = plus_grid(shell, neighbours)
    assert len(links) == 2 * shell.total
    assert (np.bincount(links.ravel(), minlength=shell.total) == 4).all()
    assert len(np.unique(links, axis=0)) == len(links)
    assert (links[:, 0] < links[:, 1]).all()


@given(shells, st.sampled_from(NEIGHBOURS))
def test_neighbours_are_less_than_a_slot_apart_in_phase_also_over_the_seam(shell, neighbours):
    # In slots from the node on: the place in the orbit that SGP4 is given, and not how links are chosen.
    slots = shell.total // shell.planes
    records = Constellation.walker(shell).records
    place = np.array([record.mo for record in records]) / (2 * np.pi) * slots
    plane = np.arange(shell.total) // slots
    links = plus_grid(shell, neighbours)
    across = links[plane[links[:, 0]] != plane[links[:, 1]]]
    forth = (plane[across[:, 1]] - plane[across[:, 0]]) % shell.planes == 1
    lean = np.where(forth, 1, -1) * (place[across[:, 1]] - place[across[:, 0]])
    expected = shell.phasing / shell.planes if neighbours == "slot" else 0.0
    off = (lean - expected + slots / 2) % slots - slots / 2
    assert np.abs(off).max() < (1e-6 if neighbours == "slot" else 1.0)


def test_a_star_has_no_links_over_its_seam():
    links = plus_grid(shell_of(6, 11, 2, "star", 86.4))
    assert len(links) == 2 * 66 - 11
    assert not ((links[:, 0] < 11) & (links[:, 1] >= 55)).any()


@pytest.mark.parametrize(("planes", "slots"), [(2, 8), (8, 2), (1, 8)])
def test_too_few_planes_or_satellites_make_no_grid(planes, slots):
    with pytest.raises(InputError, match=f"not {planes} of {slots}"):
        plus_grid(shell_of(planes, slots, 0))


def test_an_unknown_kind_of_neighbours_is_named():
    with pytest.raises(InputError, match="slot") as error:
        plus_grid(shell_of(4, 4, 1), "slots")
    assert error.value.nearest == "slot"


def test_links_in_a_plane_are_chords_of_the_orbit():
    shell = shell_of(4, 12, 1)
    ephemeris = Ephemeris.of(Constellation.walker(shell), START, START + HOUR)
    links = plus_grid(shell)
    inside = links[links[:, 0] // 12 == links[:, 1] // 12]
    length = lengths_km(positions_km(ephemeris, np.array([START, START + 10 * MINUTE])), inside)
    chord = 2 * (600 + EQUATORIAL_RADIUS_KM) * np.sin(np.pi / 12)
    np.testing.assert_allclose(length, chord, rtol=0.005)


def test_a_link_passes_lowest_in_its_middle_or_at_its_ends():
    radius = EQUATORIAL_RADIUS_KM + 600
    places = radius * np.array([[1.0, 0, 0], [0, 1.0, 0], [1.1, 0, 0]])
    low = lowest_points_km(places, np.array([[0, 1], [0, 2]]))
    np.testing.assert_allclose(low, [radius / np.sqrt(2) - EQUATORIAL_RADIUS_KM, 600], atol=1e-6)


@pytest.fixture(scope="module")
def kuiper():
    shell = WalkerShell.from_mapping(read_yaml(find("constellations/kuiper-630.yaml", kind="orbit"))["walker"])
    return shell, Ephemeris.of(Constellation.walker(shell), START, START + HOUR)


def cities(*names):
    known = Sites.from_csv(find("sites/cities.csv", kind="orbit"))
    rows = [known.names.index(name) for name in names]
    return Sites(names, known.lat_deg[rows], known.lon_deg[rows], known.height_m[rows])


def test_the_satellites_of_kuiper_are_where_hypatia_has_them(kuiper):
    # Hypatia: every other plane half a slot ahead, the others not; the places as a set are the same.
    shell, ephemeris = kuiper
    records = ephemeris.constellation.records
    place = {(round(np.degrees(r.nodeo), 6), round(np.degrees(r.mo) % 360 / (360 / 68)) % 68) for r in records}
    theirs = {(round(plane * 360 / 34, 6), (2 * slot + plane % 2) % 68) for plane in range(34) for slot in range(34)}
    assert place == theirs
    assert shell.total == len(records) == 1156
    period_min = np.array([2 * np.pi / record.no_kozai for record in records])
    np.testing.assert_allclose(1440 / period_min, 14.80, atol=0.005)  # revolutions a day


def test_the_ground_is_linked_to_what_stands_high_enough_and_to_nothing_else(kuiper):
    shell, ephemeris = kuiper
    sites = cities("Manila", "Singapore", "St Petersburg")
    topology = Topology(ephemeris, plus_grid(shell), sites, min_elevation_deg=30.0)
    times = np.array([START, START + 7 * MINUTE, START + 31 * MINUTE])
    for at, shot in zip(times, topology.snapshots(times), strict=True):
        ground = shot.second >= len(ephemeris)
        assert (~ground).sum() == 2 * len(ephemeris)
        linked = set(zip(shot.first[ground].tolist(), (shot.second[ground] - len(ephemeris)).tolist(), strict=True))
        every = np.arange(len(ephemeris))
        for site in range(len(sites)):
            elevation, range_km = elevation_deg(ephemeris, sites, every, np.full(len(every), site), np.full(len(every), at))
            assert {satellite for satellite, s in linked if s == site} == set(np.flatnonzero(elevation >= 30.0).tolist())
            mine = shot.second == len(ephemeris) + site
            np.testing.assert_allclose(shot.delay_s[mine] * LIGHT_KM_S, range_km[shot.first[mine]], atol=1e-6)


def test_a_longest_range_leaves_out_what_is_farther(kuiper):
    shell, ephemeris = kuiper
    near = Topology(ephemeris, plus_grid(shell)[:0], cities("Manila"), 0.0, longest_range_km=1260.0)
    far = Topology(ephemeris, plus_grid(shell)[:0], cities("Manila"), 0.0)
    (few,), (many,) = near.snapshots(np.array([START])), far.snapshots(np.array([START]))
    assert 0 < len(few) < len(many)
    assert (few.delay_s * LIGHT_KM_S).max() <= 1260.0
    assert len(few) == (many.delay_s * LIGHT_KM_S <= 1260.0).sum()


def test_a_link_that_would_dip_into_the_weather_is_not_there():
    # Three satellites in a plane see one another only through the Earth.
    shell = shell_of(3, 3, 0)
    ephemeris = Ephemeris.of(Constellation.walker(shell), START, START + HOUR)
    (shot,) = Topology(ephemeris, plus_grid(shell), cities("Manila"), 89.0).snapshots(np.array([START]))
    inside = (shot.second < 9) & (shot.first // 3 == shot.second // 3)
    assert not inside.any()


def test_a_great_circle_is_a_little_under_the_distance_on_the_globe():
    manila, dalian, _ = cities("Manila", "Dalian", "Tokyo").positions_km()
    assert great_circle_km(manila, dalian) == great_circle_km(dalian, manila)
    # Along a meridian for 24.31 degrees, nearly, at 111.2 km a degree.
    assert 0.99 * 2704 < great_circle_km(manila, dalian) < 2704
    assert great_circle_km(manila, manila) == 0.0
