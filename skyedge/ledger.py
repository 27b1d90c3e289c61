"""The account of bytes: every byte that crosses a link, by segment, class and what became of it.

Double-entry in spirit.  What is *offered* to a link must end up *delivered*, *waiting*, *expired* or *lost*;
*retransmitted* bytes are overhead and stand apart.  "Waiting" is reported by the queues themselves at the end of
the run and not derived from the other figures, so a byte that a node forgets shows up as an imbalance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from skyedge.errors import LedgerImbalance

Segment = Literal["uplink", "downlink", "isl", "terrestrial"]
TrafficClass = Literal["scene", "result", "model", "control"]
State = Literal["offered", "delivered", "waiting", "expired", "lost", "retransmitted"]

SEGMENTS: tuple[Segment, ...] = get_args(Segment)
CLASSES: tuple[TrafficClass, ...] = get_args(TrafficClass)
STATES: tuple[State, ...] = get_args(State)


class Link(NamedTuple):
    """One direction between two nodes; ``destination`` is "*" for a queue that any station may serve."""

    source: str
    destination: str
    segment: Segment
    traffic: TrafficClass
    hops: int = 1


class Row(NamedTuple):
    """One line of the account."""

    link: Link
    state: State
    size_bytes: int
    objects: int


class Ledger:
    """Sums of bytes and objects by link and state.  Ledgers of several hosts merge by addition."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Link, State], list[int]] = {}

    def post(self, link: Link, state: State, size_bytes: int, objects: int = 1) -> None:
        """Add ``size_bytes`` in ``objects`` objects to ``state`` of ``link``."""
        entry = self._sums.setdefault((link, state), [0, 0])
        entry[0] += size_bytes
        entry[1] += objects

    def merge(self, other: Ledger) -> None:
        """Add every row of ``other``."""
        for row in other.rows():
            self.post(*row)

    def rows(self) -> Iterator[Row]:
        """All rows, sorted, so that two equal ledgers read alike whatever the order they were written in."""
        for (link, state), (size_bytes, objects) in sorted(self._sums.items()):
            yield Row(link, state, size_bytes, objects)

    def total_bytes(self, state: State, *, segment: Segment | None = None, traffic: TrafficClass | None = None) -> int:
        """Bytes in ``state``, over the links of ``segment`` and ``traffic`` (all if None)."""
        return sum(
            row.size_bytes
            for row in self.rows()
            if row.state == state and segment in (None, row.link.segment) and traffic in (None, row.link.traffic)
        )

    def byte_hops(self, state: State, *, segment: Segment) -> int:
        """Bytes in ``state`` times the hops of their link, over the links of ``segment``."""
        return sum(
            row.size_bytes * row.link.hops for row in self.rows() if row.state == state and row.link.segment == segment
        )

    def check_balance(self) -> None:
        """Check offered = delivered + waiting + expired + lost, in bytes and in objects, on every link.

        Raises:
            LedgerImbalance: naming the first link that does not balance.
        """
        links = sorted({link for link, _ in self._sums})
        for link in links:
            for unit, name in ((0, "bytes"), (1, "objects")):
                offered = self._sums.get((link, "offered"), (0, 0))[unit]
                ended: dict[str, int] = {
                    state: self._sums.get((link, state), (0, 0))[unit]
                    for state in ("delivered", "waiting", "expired", "lost")
                }
                if offered != sum(ended.values()):
                    account = " + ".join(f"{amount} {state}" for state, amount in ended.items())
                    raise LedgerImbalance(
                        f"{link.segment} {link.source} -> {link.destination} ({link.traffic}): "
                        f"{offered} {name} offered, but {account}"
                    )
