"""The satellite's downlink queue: what a pass cannot carry waits, in order of worth, until it expires.

Columnar and kept sorted by (priority descending, made earlier, kind, scene), so that a pass is one cumulative sum and
one interpolation along its capacity curve.  An item that a pass ends in the middle of keeps the bytes already sent,
as a file delivery protocol with resumption does (CCSDS CFDP class 2), and goes on in the next pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.events import Items, concatenate, no_items


class DownlinkQueue:
    """Items that wait for a pass.

    Args:
        capacity_bytes: room on the satellite's storage; None for no limit.
    """

    def __init__(self, capacity_bytes: int | None = None) -> None:
        self._capacity_bytes = capacity_bytes
        self._items = no_items()
        self._priority: NDArray[np.float64] = np.empty(0)
        self._expires_at: NDArray[np.int64] = np.empty(0, np.int64)
        self._sent_bytes: NDArray[np.float64] = np.empty(0)

    def __len__(self) -> int:
        return len(self._items)

    @property
    def waiting(self) -> Items:
        """What waits, in the order in which it will be sent."""
        return self._items

    @property
    def waiting_bytes(self) -> int:
        """Full size of what waits."""
        return self._items.total_bytes

    def put(self, items: Items, priority: NDArray[np.float64], expires_at: NDArray[np.int64]) -> Items:
        """Add ``items``; returns what had to go for want of room: the least of all that then wait."""
        self._items = concatenate([self._items, items])
        self._priority = np.concatenate([self._priority, priority])
        self._expires_at = np.concatenate([self._expires_at, expires_at])
        self._sent_bytes = np.concatenate([self._sent_bytes, np.zeros(len(items))])
        # lexsort sorts by its last key first.
        self._keep(np.lexsort((self._items.scene, self._items.kind, self._items.at, -self._priority)))
        if self._capacity_bytes is None or self.waiting_bytes <= self._capacity_bytes:
            return no_items()
        fits = np.cumsum(self._items.size_bytes) <= self._capacity_bytes
        evicted = self._items.take(~fits)
        self._keep(fits)
        return evicted

    def expire(self, now: int) -> Items:
        """Remove and return what is no longer wanted at ``now``."""
        stale = self._expires_at <= now
        if not stale.any():
            return no_items()
        expired = self._items.take(stale)
        self._keep(~stale)
        return expired

    def transmit(self, times_us: NDArray[np.int64], cumulative_bytes: NDArray[np.float64], start: int, end: int) -> Items:
        """Send, in order, what the capacity curve carries between ``start`` and ``end``.

        Args:
            times_us: instants of the curve, increasing, (samples,).
            cumulative_bytes: bytes that the link can carry up to each instant, non-decreasing, (samples,).
            start: begin of the interval.
            end: end of the interval.

        Returns:
            the items completed, ``at`` set to the instant at which the last byte of each was sent.
        """
        if not len(self._items):
            return no_items()
        before, capacity_end = np.interp([start, end], times_us, cumulative_bytes)
        left = self._items.size_bytes - self._sent_bytes
        finish = before + np.cumsum(left)
        # A thousandth of a byte forgives the rounding of a sum that was cut in two.
        done = int(np.searchsorted(finish, capacity_end + 1e-3, side="right"))
        completed = self._items.take(np.arange(done))
        if done < len(self._items):
            begun_at = finish[done - 1] if done else before
            self._sent_bytes[done] += max(0.0, capacity_end - begun_at)
        instants = _when_reached(finish[:done], times_us, cumulative_bytes)
        self._keep(np.arange(done, len(self._items)))
        return completed.moved(np.clip(instants.astype(np.int64), start, end))

    def snapshot(self) -> dict[str, Any]:
        """All that a restart needs, as arrays."""
        return {
            "items": self._items,
            "priority": self._priority,
            "expires_at": self._expires_at,
            "sent_bytes": self._sent_bytes.copy(),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any] | None, capacity_bytes: int | None = None) -> DownlinkQueue:
        """The queue that ``snapshot`` was taken of; an empty one from None."""
        queue = cls(capacity_bytes)
        if snapshot is not None:
            queue._items = snapshot["items"]
            queue._priority = snapshot["priority"]
            queue._expires_at = snapshot["expires_at"]
            queue._sent_bytes = snapshot["sent_bytes"].copy()
        return queue

    def _keep(self, rows: NDArray[Any]) -> None:
        self._items = self._items.take(rows)
        self._priority = self._priority[rows]
        self._expires_at = self._expires_at[rows]
        self._sent_bytes = self._sent_bytes[rows]


def _when_reached(
    target: NDArray[np.float64], times_us: NDArray[np.int64], cumulative_bytes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The first instant at which the curve reaches each ``target``; flat stretches of the curve are skipped."""
    after = np.clip(np.searchsorted(cumulative_bytes, target - 1e-6, side="left"), 1, len(times_us) - 1)
    low, high = cumulative_bytes[after - 1], cumulative_bytes[after]
    part = np.clip((target - low) / np.maximum(high - low, 1e-9), 0.0, 1.0)
    return np.ceil(times_us[after - 1] + part * (times_us[after] - times_us[after - 1]) - 1e-6)
