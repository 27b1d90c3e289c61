"""Events a second of one in-process host with a handler that does next to nothing, as a ratio to a bare heap loop.

python benchmarks/engine.py
"""

from __future__ import annotations

import heapq
import time

from skyedge.events import After, Effect, Event, Started, Woken
from skyedge.runtime.host import Host
from skyedge.runtime.model_executor import PredictionTables
from skyedge.time import FOREVER, SECOND, Instant

EVENTS = 300_000
NODES = 100


class Ticker:
    """Wakes up once a second."""

    def __init__(self, name: str) -> None:
        self.name = name

    def earliest_send(self) -> Instant:
        """Never."""
        return FOREVER

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        """Ask for the next awakening."""
        return [After(now + SECOND, "tick")] if type(event) in (Woken, Started) else []


BAR = 200_000


def main() -> int:
    nodes = [Ticker(f"node-{number}") for number in range(NODES)]
    ranks = {node.name: rank for rank, node in enumerate(nodes)}
    end = EVENTS // NODES * SECOND
    host = Host(nodes, ranks, PredictionTables({}), 0, end, SECOND)
    began = time.process_time()
    report = host.advance(end)
    ours_s = time.process_time() - began
    heap = [(0, number) for number in range(NODES)]
    began = time.process_time()
    for _ in range(report.events):
        at, number = heapq.heappop(heap)
        heapq.heappush(heap, (at + SECOND, number))
    bare_s = time.process_time() - began
    rate = report.events / ours_s
    print(f"{report.events} events: {rate:,.0f} a second, {ours_s / bare_s:.1f} times a bare heap loop")
    print(f"bar {BAR:,} a second: {'met' if rate >= BAR else 'MISSED'}")
    return 0 if rate >= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
