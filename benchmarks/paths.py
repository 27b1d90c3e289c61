"""Paths through 1,584 satellites for a day in steps of 15 s: shortest delay, and earliest delivery with storage.

    python benchmarks/paths.py

The shell is `orbit/constellations/walker-1584.yaml` with its +Grid, the ground are the 20 gateways of
`orbit/sites/world-20.csv` at 25° and more, some of which lie too far north or south.  "Shortest" is the delay from every
satellite to the gateway that it reaches soonest, and then to each of them.  With storage the day is looked at twice: with
all links, and without those between satellites, where everything waits for a pass.

Exits with 1 if a bar is missed: shortest delay in 60 s, earliest delivery in 120 s of CPU time.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from skyedge.layers.paths import delays_to_each, delays_to_nearest, earliest_delivery
from skyedge.resources import find
from skyedge.space.constellation import Constellation, WalkerShell
from skyedge.space.ephemeris import Ephemeris
from skyedge.space.isl import plus_grid
from skyedge.space.sites import Sites
from skyedge.space.topology import Topology
from skyedge.time import DAY, SECOND, parse_utc
from skyedge.yaml_files import read_yaml

START = parse_utc("2023-01-06")
STEP_S = 15
SHORTEST_BAR_S = 60.0
STORAGE_BAR_S = 120.0


def main() -> int:
    began = time.process_time()
    shell = WalkerShell(**read_yaml(find("constellations/walker-1584.yaml", kind="orbit"))["walker"])
    sites = Sites.from_csv(find("sites/world-20.csv", kind="orbit"))
    ephemeris = Ephemeris.of(Constellation.walker(shell), START, START + DAY)
    topology = Topology(ephemeris, plus_grid(shell), sites)
    times = np.arange(START, START + DAY, STEP_S * SECOND)
    sinks = len(ephemeris) + np.arange(len(sites))
    satellites = slice(0, len(ephemeris))

    delay_s = np.array([delays_to_nearest(shot, sinks)[satellites] for shot in topology.snapshots(times)])
    shortest_s = time.process_time() - began
    print(f"{len(times)} steps, {len(ephemeris)} satellites, {len(sites)} gateways")
    print(
        f"shortest delay from every satellite: {shortest_s:.1f} s CPU (bar {SHORTEST_BAR_S:g}); median "
        f"{np.median(delay_s) * 1e3:.1f} ms, p95 {np.quantile(delay_s, 0.95) * 1e3:.1f} ms, "
        f"unreached {np.isinf(delay_s).mean():.2%}"
    )

    began = time.process_time()
    farthest_s, reached = 0.0, np.zeros(len(sites), np.int64)
    for shot in topology.snapshots(times):
        each = delays_to_each(shot, sinks)[:, satellites]
        up = np.isfinite(each)
        farthest_s, reached = max(farthest_s, float(each[up].max(initial=0.0))), reached + up.any(axis=1)
    each_s = time.process_time() - began
    print(
        f"to each gateway: {each_s:.1f} s CPU (bar {SHORTEST_BAR_S:g}); at most {farthest_s * 1e3:.1f} ms, "
        f"{(reached > 0).sum()} of {len(sites)} gateways reached"
    )

    ok = max(shortest_s, each_s) < SHORTEST_BAR_S
    for name, links in (("with +Grid", topology.links), ("without links between satellites", topology.links[:0])):
        began = time.process_time()
        ground = replace(topology, links=links)
        arrival_s = earliest_delivery(ground.snapshots(times[::-1]), sinks)[:, satellites]
        took_s = time.process_time() - began
        known = arrival_s[np.isfinite(arrival_s)]
        print(
            f"earliest delivery, {name}: {took_s:.1f} s CPU (bar {STORAGE_BAR_S:g}); "
            f"median {np.median(known):.3f} s, p95 {np.quantile(known, 0.95):.3f} s"
        )
        ok &= took_s < STORAGE_BAR_S
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
