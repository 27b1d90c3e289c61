"""Contacts of 100 satellites over 10 sites in a day: time as a ratio to skyfield's find_events, and edge errors.

    python benchmarks/contacts.py

Truth for the edges is the elevation of skyfield's own frames at the edges found here: an elevation error divided by the
elevation rate is a time error.  Both programs run in this process, one after the other.
"""

from __future__ import annotations

import time

import numpy as np
from skyfield.api import EarthSatellite, load, wgs84

from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.contacts import find_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.sites import Sites
from skyedge.time import DAY, SECOND, parse_utc

START = parse_utc("2023-01-06")
PLACES = [
    (78.2, 15.4),
    (67.9, 21),
    (53.3, 13.1),
    (40, 116.4),
    (34.9, 108.9),
    (18.3, 109.3),
    (0, -78),
    (-25.9, 27.7),
    (-53, -71),
    (-72, 2.5),
]
SATELLITES_FOR_SKYFIELD = 10


def main() -> None:
    shell = Constellation.walker(WalkerShell(100, 10, 3, 550, 70, "2023-01-05"))
    rows = [
        ({"name": f"site-{n}", "lat_deg": lat, "lon_deg": lon, "height_m": 100}, None) for n, (lat, lon) in enumerate(PLACES)
    ]
    sites = Sites.from_rows(rows)
    began = time.process_time()
    ephemeris = Ephemeris.of(shell, START, START + DAY)
    contacts = find_contacts(ephemeris, sites, START, START + DAY, 10.0)
    ours_s = time.process_time() - began

    timescale = load.timescale(builtin=True)
    bodies = [EarthSatellite.from_satrec(record, timescale) for record in shell.records[:SATELLITES_FOR_SKYFIELD]]
    tops = [wgs84.latlon(lat, lon, 100) for lat, lon in PLACES]
    day = timescale.utc(2023, 1, 6), timescale.utc(2023, 1, 7)
    began = time.process_time()
    found = sum(int((body.find_events(top, *day, altitude_degrees=10.0)[1] == 0).sum()) for body in bodies for top in tops)
    theirs_s = (time.process_time() - began) * len(shell) / SATELLITES_FOR_SKYFIELD
    mine = contacts.take((contacts.satellite < SATELLITES_FOR_SKYFIELD) & (contacts.rise_us > START))
    errors_ms = []
    for satellite, site, rise in zip(mine.satellite, mine.site, mine.rise_us, strict=True):
        seconds = (rise - START) / SECOND + np.array([0.0, 1.0])
        altitude = (bodies[satellite] - tops[site]).at(timescale.utc(2023, 1, 6, 0, 0, seconds)).altaz()[0].degrees
        errors_ms.append(1000 * (altitude[0] - 10.0) / (altitude[1] - altitude[0]))
    print(f"contacts here {len(contacts)}; of {SATELLITES_FOR_SKYFIELD} satellites {len(mine)} rises, skyfield {found}")
    print(f"time {ours_s:.3f} s; skyfield {theirs_s:.2f} s, scaled to all satellites; ratio {theirs_s / ours_s:.0f}")
    median, high, worst = np.percentile(np.abs(errors_ms), [50, 95, 100])
    print(f"rise error in ms: median {median:.2f}, p95 {high:.2f}, max {worst:.2f}")


if __name__ == "__main__":
    main()
