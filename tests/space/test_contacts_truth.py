"""Contacts are those that brute force finds: skyfield's elevation at every second, each crossing halved down.

Low, eccentric and high orbits in one constellation; the whole of a hundred satellites is in benchmarks/contacts.py.
"""

import numpy as np
import pytest

from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.contacts import find_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.sites import Sites
from skyedge.time import HOUR, SECOND, parse_utc

HOURS = 6
START = parse_utc("2023-01-06T08:00:00Z")
PLACES = [("Tongchuan", 34.9, 108.93, 978.0), ("Kiruna", 67.86, 20.96, 400.0), ("Quito", -0.2, -78.5, 2850.0)]
SITES = Sites.from_rows(
    [({"name": name, "lat_deg": lat, "lon_deg": lon, "height_m": height}, None) for name, lat, lon, height in PLACES]
)
LOW = Constellation.walker(WalkerShell(4, 2, 1, 520, 97.5, "2023-01-05"))
MADE = Constellation.from_mapping(
    {
        "epoch": "2023-01-05",
        "satellites": [
            {
                "name": "molniya",
                "altitude_km": 20_184,
                "inclination_deg": 63.4,
                "raan_deg": 40,
                "mean_anomaly_deg": 300,
                "eccentricity": 0.7,
                "argument_of_perigee_deg": 270,
            },
            {
                "name": "transfer",
                "altitude_km": 18_072,
                "inclination_deg": 27,
                "raan_deg": 150,
                "mean_anomaly_deg": 60,
                "eccentricity": 0.73,
                "argument_of_perigee_deg": 178,
            },
            {"name": "gps", "altitude_km": 20_182, "inclination_deg": 55, "raan_deg": 100, "mean_anomaly_deg": 5},
        ],
    }
)
FLEET = Constellation(LOW.names + MADE.names, LOW.records + MADE.records)


def elevations_deg(satellite, site, offset_s):
    """skyfield's own, without its light time or refraction."""
    from skyfield.api import EarthSatellite, load, wgs84

    timescale = load.timescale(builtin=True)
    moments = timescale.utc(2023, 1, 6, 8, 0, offset_s)
    # As in its find_events: precession and nutation cancel between SGP4's frame and the Earth's, and cost most of the time.
    moments.gast = moments.tt * 0.0
    moments.M = moments.MT = np.eye(3)
    body = EarthSatellite.from_satrec(FLEET.records[satellite], timescale)
    _, lat, lon, height = PLACES[site]
    return (body - wgs84.latlon(lat, lon, height)).at(moments).altaz()[0].degrees


def true_passes(satellite, site, mask_deg):
    grid = np.arange(HOURS * 3600 + 1.0)
    above = elevations_deg(satellite, site, grid) > mask_deg
    before = np.flatnonzero(above[1:] != above[:-1])
    low, high, rising = grid[before], grid[before + 1], above[before + 1]
    for _ in range(14):
        middle = (low + high) / 2
        inside = elevations_deg(satellite, site, middle) > mask_deg if len(middle) else np.empty(0, bool)
        low, high = np.where(inside == rising, low, middle), np.where(inside == rising, middle, high)
    edges = [0.0] * bool(above[0]) + high.tolist() + [grid[-1]] * bool(above[-1])
    return np.array(edges[0::2]), np.array(edges[1::2])


@pytest.mark.parametrize("mask_deg", [5.0, 10.0])
def test_contacts_are_those_of_brute_force_to_two_milliseconds(mask_deg):
    end = START + HOURS * HOUR
    contacts = find_contacts(Ephemeris.of(FLEET, START, end), SITES, START, end, mask_deg)
    kinds = set()
    for satellite in range(len(FLEET)):
        for site in range(len(SITES)):
            rises, sets = true_passes(satellite, site, mask_deg)
            mine = contacts.take((contacts.satellite == satellite) & (contacts.site == site))
            assert len(mine) == len(rises)
            # The frames differ by a metre or less, which a satellite takes a fraction of a millisecond to move.
            assert np.abs((mine.rise_us - START) / SECOND - rises).max(initial=0) < 0.002
            assert np.abs((mine.set_us - START) / SECOND - sets).max(initial=0) < 0.002
            if len(mine):
                kinds.add(FLEET.names[satellite])
    assert kinds >= set(MADE.names)
