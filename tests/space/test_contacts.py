"""Contacts agree with skyfield, and the plan hands out no antenna twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyedge.errors import InputError
from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.contacts import elevation_deg, find_contacts, require_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.link import LinkProfile
from skyedge.space.plan import ContactPlan, Outage, assign_antennas, plan_contacts, without_outages
from skyedge.space.sites import Sites
from skyedge.space.tle import check_tle_line
from skyedge.time import DAY, HOUR, MINUTE, SECOND, parse_utc

START = parse_utc("2023-01-06")
SITES = Sites.from_rows(
    [
        ({"name": "Tongchuan", "lat_deg": 34.9, "lon_deg": 108.93, "height_m": 978}, None),
        ({"name": "Kiruna", "lat_deg": 67.86, "lon_deg": 20.96, "height_m": 400}, None),
        ({"name": "Quito", "lat_deg": -0.2, "lon_deg": -78.5, "height_m": 2850}, None),
    ]
)
SHELL = Constellation.walker(WalkerShell(6, 3, 1, 520, 97.5, "2023-01-05"))
ECCENTRIC = Constellation.from_mapping(
    {
        "epoch": "2023-01-05",
        "satellites": [
            {"altitude_km": 20_000, "inclination_deg": 63.4, "raan_deg": 40, "mean_anomaly_deg": 5, "eccentricity": 0.7}
        ],
    }
)
HIGH = Constellation.from_mapping(
    {
        "epoch": "2023-01-05",
        "satellites": [
            {"altitude_km": 20_182, "inclination_deg": 55, "raan_deg": 10, "mean_anomaly_deg": 5, "eccentricity": 0.01},
            {"altitude_km": 35_786, "inclination_deg": 15, "raan_deg": 300, "mean_anomaly_deg": 5},
        ],
    }
)


@pytest.fixture(scope="module")
def day():
    ephemeris = Ephemeris.of(SHELL, START, START + DAY)
    return ephemeris, find_contacts(ephemeris, SITES, START, START + DAY, 10.0)


def skyfield_events(constellation, satellite, site, mask_deg):
    from skyfield.api import EarthSatellite, load, wgs84

    timescale = load.timescale(builtin=True)
    body = EarthSatellite.from_satrec(constellation.records[satellite], timescale)
    place = wgs84.latlon(SITES.lat_deg[site], SITES.lon_deg[site], SITES.height_m[site])
    times, events = body.find_events(place, timescale.utc(2023, 1, 6), timescale.utc(2023, 1, 7), altitude_degrees=mask_deg)
    instants = np.array([round(time.utc_datetime().timestamp() * SECOND) for time in times])
    return instants[events == 0], instants[events == 2]


@pytest.mark.parametrize("site", range(3))
def test_rises_and_sets_are_skyfields(day, site):
    _, contacts = day
    for satellite in range(len(SHELL)):
        rises, sets = skyfield_events(SHELL, satellite, site, 10.0)
        mine = contacts.take((contacts.satellite == satellite) & (contacts.site == site))
        whole_rises = mine.rise_us[mine.rise_us > START]
        whole_sets = mine.set_us[mine.set_us < START + DAY]
        assert len(whole_rises) == len(rises)
        assert len(whole_sets) == len(sets)
        # skyfield's own search stops within about a quarter of a second
        assert np.all(np.abs(whole_rises - rises) < 0.4 * SECOND)
        assert np.all(np.abs(whole_sets - sets) < 0.4 * SECOND)


def test_positions_are_within_twenty_metres_of_skyfields():
    from skyfield.api import EarthSatellite, load
    from skyfield.framelib import itrs

    timescale = load.timescale(builtin=True)
    ephemeris = Ephemeris.of(SHELL, START, START + DAY)
    body = EarthSatellite.from_satrec(SHELL.records[2], timescale)
    seconds = np.arange(0, 86_400, 97)
    truth = body.at(timescale.utc(2023, 1, 6, 0, 0, seconds)).frame_xyz(itrs).km.T
    error_m = 1000 * np.linalg.norm(truth - ephemeris.at(2, START + seconds * SECOND), axis=1)
    assert error_m.max() < 20


def test_interpolation_errs_by_less_than_two_metres():
    for constellation in (SHELL, ECCENTRIC, HIGH):
        ephemeris = Ephemeris.of(constellation, START, START + DAY)
        times = START + np.arange(0, 86_400, 7) * SECOND
        for satellite in range(len(constellation)):
            exact, _ = ephemeris.exactly_at(np.full(len(times), satellite), times)
            error_m = 1000 * np.linalg.norm(exact - ephemeris.at(satellite, times), axis=1)
            assert error_m.max() < 2


def test_the_elevation_at_an_edge_is_the_mask_also_on_an_eccentric_orbit():
    for constellation in (SHELL, ECCENTRIC):
        ephemeris = Ephemeris.of(constellation, START, START + DAY)
        contacts = find_contacts(ephemeris, SITES, START, START + DAY, 10.0)
        inside = (contacts.rise_us > START) & (contacts.set_us < START + DAY)
        edges = contacts.take(inside)
        assert len(edges) > 0
        for at in (edges.rise_us, edges.set_us):
            elevation, _ = elevation_deg(ephemeris, SITES, edges.satellite, edges.site, at)
            assert np.abs(elevation - 10).max() < 1e-4


def test_the_culmination_is_the_highest_point(day):
    ephemeris, contacts = day
    share = np.linspace(0, 1, 40)
    for row in range(len(contacts)):
        times = (contacts.rise_us[row] + share * (contacts.set_us[row] - contacts.rise_us[row])).astype(np.int64)
        many = np.full(len(times), contacts.satellite[row]), np.full(len(times), contacts.site[row])
        elevation, _ = elevation_deg(ephemeris, SITES, *many, times)
        assert elevation.max() <= contacts.max_elevation_deg[row] + 1e-6


def test_a_satellite_that_never_sees_a_site_is_named():
    equatorial = Constellation.walker(WalkerShell(1, 1, 0, 500, 0.1, "2023-01-05"))
    ephemeris = Ephemeris.of(equatorial, START, START + DAY)
    north = Sites.from_rows([({"name": "Kiruna", "lat_deg": 67.9, "lon_deg": 21, "height_m": 0}, None)])
    with pytest.raises(InputError, match="walker-01-01 never sees a site"):
        require_contacts(find_contacts(ephemeris, north, START, START + DAY, 10.0), equatorial.names)


@settings(max_examples=15)
@given(st.integers(1, 2), st.floats(0, 20))
def test_no_antenna_and_no_satellite_talks_twice_at_a_time(antennas, mask_deg):
    ephemeris = Ephemeris.of(SHELL, START, START + 12 * HOUR)
    contacts = find_contacts(ephemeris, SITES, START, START + 12 * HOUR, mask_deg)
    rows, begins = assign_antennas(contacts, len(SHELL), len(SITES), antennas)
    ends = contacts.set_us[rows]
    assert np.all(ends - begins >= MINUTE)
    for column, allowed in ((contacts.satellite, 1), (contacts.site, antennas)):
        for value in np.unique(column[rows]):
            mine = column[rows] == value
            moments = sorted([(t, 1) for t in begins[mine]] + [(t, -1) for t in ends[mine]])
            at_once = np.cumsum([step for _, step in moments])
            assert at_once.max() <= allowed


def test_an_outage_takes_its_contacts_away(day):
    ephemeris, contacts = day
    outage = Outage("Kiruna", START, START + DAY)
    left = without_outages(contacts, SITES, [outage])
    assert 1 not in left.site
    assert set(left.site) == {0, 2} & set(contacts.site)
    plan = plan_contacts(ephemeris, SITES, contacts, SHELL.names, LinkProfile(), outages=[outage])
    assert 1 not in plan.site


def test_a_plan_can_be_printed_and_saved_and_is_the_same_when_it_comes_back(day, tmp_path):
    ephemeris, contacts = day
    plan = plan_contacts(ephemeris, SITES, contacts, SHELL.names, LinkProfile())
    plan.save(tmp_path / "plan.npz")
    again = ContactPlan.load(tmp_path / "plan.npz")
    assert again.digest() == plan.digest()
    assert again.rows() == plan.rows()
    assert len(str(plan).splitlines()) == len(plan) + 1
    (tmp_path / "plan.npz").write_bytes(b"rubbish")
    with pytest.raises(InputError, match="no contact plan"):
        ContactPlan.load(tmp_path / "plan.npz")


def test_a_five_degree_pass_carries_what_flew():
    ephemeris = Ephemeris.of(SHELL, START, START + 4 * DAY)
    contacts = find_contacts(ephemeris, SITES, START, START + 4 * DAY, 5.0)
    plan = plan_contacts(ephemeris, SITES, contacts, SHELL.names, LinkProfile(poor_pass_share=0.0))
    high = plan.max_elevation_deg > 45
    lock_s = (plan.closes_us[high] - plan.opens_us[high]) / SECOND
    volumes_gb = plan.volumes_bytes()[high] / 1e9
    assert 440 < np.median(lock_s) < 620  # flown: about 500 s
    assert 2.0 < np.median(volumes_gb) < 3.6  # flown: 3.0 GB
    assert np.all(np.diff(plan.curve(0)[1]) >= 0)


def test_pass_yields_spread_eighteenfold_and_depend_on_the_pass_alone():
    link = LinkProfile()
    yields = np.array([link.pass_yield(1, "a", "b", rise) for rise in range(2000)])
    assert yields.min() >= 1 / 18
    assert yields.min() < 1 / 15
    assert 0.6 < (yields == 1).mean() < 0.73
    assert link.pass_yield(1, "a", "b", 5) == yields[5]


LINE = "1 44238U 19029D   22257.46316094  .00217935  00000+0  35067-2 0  9992"


@given(st.integers(2, 67), st.sampled_from("0123456789"))
def test_a_changed_digit_is_caught_by_the_checksum(place, digit):
    changed = LINE[:place] + digit + LINE[place + 1 :]
    if not LINE[place].isdigit() or digit == LINE[place]:
        return
    with pytest.raises(InputError, match="checksum"):
        check_tle_line(changed, "file:1")


def test_a_broken_element_file_is_answered_with_file_and_line(tmp_path):
    path = tmp_path / "broken.tle"
    path.write_text("NAME\n" + LINE[:-1] + "7\n")
    with pytest.raises(InputError) as caught:
        Constellation.from_tle(path)
    assert str(caught.value).startswith(f"{path}:2: the checksum is 7")
