"""How good and how quick is the best antenna assignment?  And what do greed and first come, first served leave?

python benchmarks/antennas.py

A Walker shell over the twenty sites of ``orbit/sites/world-20.csv``, one antenna each, at 10°: first six hours of more and
more satellites, then a week of a hundred.  Worth is the bytes that the link would carry.  Times are CPU time, and judged as
ratios: the search against making the contact plan that it works on, and its growth against the growth of the problem.

Exits with 1 below a bar: an assignment further than 1 % from its bound, a part in which the time limit struck, time that
grows faster than the number of segments to the power 1.3, or an optimum that is not above both simple policies.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass

import numpy as np

from skyedge.layers.contacts.optimal import OptimalAssignment, optimal
from skyedge.layers.contacts.policy import AntennaRules
from skyedge.layers.contacts.segments import cut
from skyedge.resources import find
from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.contacts import find_contacts
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.link import LinkProfile
from skyedge.space.plan import plan_contacts
from skyedge.space.sites import Sites
from skyedge.time import DAY, HOUR, parse_utc

START = parse_utc("2023-01-06")
GAP_BAR = 0.01
GROWTH_BAR = 1.3
TIME_LIMIT_S = 600.0


@dataclass(frozen=True)
class Measured:
    """One size: how many segments, CPU seconds of the geometry and of the search, and what was found."""

    segments: int
    plan_s: float
    search_s: float
    found: OptimalAssignment


def measure(satellites: int, duration: int) -> Measured:
    sites = Sites.from_csv(find("sites/world-20.csv", kind="orbit"))
    shell = Constellation.walker(WalkerShell(satellites, 10, 1, 520, 97.5, "2023-01-05"))
    began = time.process_time()
    ephemeris = Ephemeris.of(shell, START, START + duration)
    contacts = find_contacts(ephemeris, sites, START, START + duration, 10.0)
    plan_contacts(ephemeris, sites, contacts, shell.names, LinkProfile())
    planned = time.process_time()
    contest = AntennaRules().contest(ephemeris, sites, contacts, LinkProfile())
    asked = time.process_time()
    found = optimal(contest, time_limit_s=TIME_LIMIT_S, relative_gap=1e-4)
    done = time.process_time()
    result = Measured(len(cut(contest)[0]), planned - began, done - asked, found)
    print(
        f"{satellites:5d} satellites, {duration / DAY:4.2f} d: {len(contacts):6d} contacts, {result.segments:7d} segments, "
        f"{found.pieces:5d} parts, {result.search_s:6.1f} s = {result.search_s / result.plan_s:5.1f} × the plan; "
        f"below the bound: optimal {found.gap():.2%}, greedy {found.gap(found.greedy_total):.1%}, "
        f"first come {found.gap(found.first_come_total):.1%}"
        + (f"; time limit struck {found.struck} times" if found.struck else ""),
        flush=True,
    )
    return result


def main() -> int:
    # The first programme pays for loading the solver.
    measure(10, HOUR)
    sizes = [measure(satellites, 6 * HOUR) for satellites in (50, 100, 200)]
    sizes.append(measure(100, 7 * DAY))
    growth = np.polyfit([math.log(size.segments) for size in sizes], [math.log(size.search_s) for size in sizes], 1)[0]
    bars = {
        f"within {GAP_BAR:.0%} of the bound": all(size.found.gap() <= GAP_BAR for size in sizes),
        "no part struck by the time limit": all(size.found.struck == 0 for size in sizes),
        f"time grows as segments to the power {growth:.2f}, at most {GROWTH_BAR}": growth <= GROWTH_BAR,
        "above greed and first come, first served": all(
            size.found.assignment.total > max(size.found.greedy_total, size.found.first_come_total) for size in sizes
        ),
    }
    for words, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'} {words}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
