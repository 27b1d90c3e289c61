"""A day of an elastic pool, 100,000 items on up to 8,000 instances, as a ratio to a bare first-come-first-served heap.

    python benchmarks/elastic.py

The heap is the least that any pool has to do: it knows who is free when, and no state, bill or autoscaler; a fixed pool
must finish every item when it does.  Beside it a day of bursts that scales from zero to thousands and back, and a burst of
8,000 launches against one launch after the other in plain Python.

Exits with 1 if a bar is missed: finish times equal, at most 15 times the heap, 2 s of CPU for either day, 5 times plain
launches.
"""

from __future__ import annotations

import heapq
import sys
import time

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.elastic import Fixed, PoolProfile, QueueDepth, burst, simulate
from skyedge.layers.elastic.profile import Image, StartUp
from skyedge.time import DAY, HOUR, SECOND

ITEMS, INSTANCES, BURSTS = 100_000, 8_000, 5
HEAP_BAR, CPU_BAR_S, LAUNCH_BAR = 15.0, 2.0, 5.0
Instants = NDArray[np.int64]


def heap_of_servers(at: Instants, work_us: Instants, ready: Instants) -> tuple[Instants, float]:
    """Finish times, and the CPU seconds that they took."""
    began = time.process_time()
    free, finish = ready.tolist(), []
    heapq.heapify(free)
    for arrival, work in zip(at.tolist(), work_us.tolist(), strict=True):
        done = max(arrival, heapq.heappop(free)) + work
        heapq.heappush(free, done)
        finish.append(done)
    return np.array(finish), time.process_time() - began


def plain_launches(start_up: StartUp, image: Image, count: int) -> tuple[int, float]:
    """When the last container runs, without spread, one launch after the other; and the CPU seconds."""
    began = time.process_time()
    interval = SECOND / start_up.launches_per_s
    pull_us = round(image.pulled_bytes() / image.host_bytes_per_s * SECOND)
    share_us = round(image.pulled_bytes() / image.registry_bytes_per_s * SECOND)
    spacing = round(SECOND / start_up.sandboxes_per_s)
    image_at: dict[int, int] = {}
    free: dict[int, int] = {}
    registry = last = 0
    for number in range(count):
        host = number // start_up.instances_per_host
        admitted = max(0, int(np.ceil(interval * number - (start_up.launch_burst - 1) * interval)))
        provisioned = admitted + round(start_up.scheduling_s * SECOND)
        if host not in image_at:
            registry = max(registry, provisioned) + share_us
            image_at[host] = max(registry, provisioned + pull_us)
        turn = max(provisioned, image_at[host], free.get(host, 0))
        free[host] = turn + spacing
        last = max(last, turn + round(start_up.sandbox_s * SECOND))
    return last, time.process_time() - began


def main() -> int:
    draw = np.random.default_rng(7)
    at = np.sort(draw.integers(0, DAY, ITEMS))
    work_us = np.rint(draw.exponential(600, ITEMS) * SECOND).astype(np.int64)
    profile = PoolProfile()
    began = time.process_time()
    fixed = simulate(at, work_us / SECOND, profile, Fixed(INSTANCES), start=0, end=3 * DAY)
    fixed_s = time.process_time() - began
    expected, heap_s = heap_of_servers(at, work_us, fixed.instances.ready_us)
    same = bool((fixed.finished_us == expected).all())

    # Bursts of 20,000 pictures of a minute, two hours apart.
    bursts = np.sort(np.repeat(np.arange(BURSTS) * 2 * HOUR, ITEMS // BURSTS) + draw.integers(0, 30 * SECOND, ITEMS))
    policy = QueueDepth(target_s=150, stabilisation_s=60)
    began = time.process_time()
    elastic = simulate(bursts, np.full(ITEMS, 60.0), profile, policy, start=0, end=DAY)
    elastic_s = time.process_time() - began

    steady = StartUp(spread=0, quota=INSTANCES)
    last, plain_s = plain_launches(steady, profile.image, INSTANCES)
    began = time.process_time()
    for _ in range(20):
        timeline = burst(PoolProfile(start_up=steady), INSTANCES)
    burst_s = (time.process_time() - began) / 20
    same_burst = int(timeline.started_us.max()) == last

    ratio, launch_ratio = fixed_s / heap_s, plain_s / burst_s
    print(f"fixed: {ITEMS:,} items on {INSTANCES:,} instances in {fixed_s:.2f} s, {ratio:.1f} times a bare heap")
    print(
        f"bursts: 0 to {elastic.size.max():,} instances and back {BURSTS} times, {len(elastic.instances):,} launches, "
        f"{elastic_s:.2f} s"
    )
    print(f"a burst of {INSTANCES:,} launches in {1e3 * burst_s:.2f} ms, {launch_ratio:.0f} times plain Python")
    bars = {
        "finish times are those of the heap": same,
        "the last launch is that of plain Python": same_burst,
        f"at most {HEAP_BAR:g} times the heap": ratio <= HEAP_BAR,
        f"at most {CPU_BAR_S:g} s of CPU a day": max(fixed_s, elastic_s) <= CPU_BAR_S,
        f"{LAUNCH_BAR:g} times plain launches": launch_ratio >= LAUNCH_BAR,
    }
    for bar, met in bars.items():
        print(f"{'met    ' if met else 'MISSED '} {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
