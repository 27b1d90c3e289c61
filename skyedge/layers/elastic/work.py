"""The work of a pool: what was offered, what has not arrived yet, what is done; and by how many, from when on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.errors import InputError
from skyedge.time import FOREVER, SECOND, Instant


@dataclass(frozen=True, eq=False)
class Finished:
    """Items that are done, in the order of completion, columns of one length."""

    item: NDArray[np.int64]
    arrived_us: NDArray[np.int64]
    begun_us: NDArray[np.int64]  # the last time, if an interruption made it begin again
    finished_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.item)


class Work:
    """Items by their number in the order of being offered, as lists, since they are looked at one by one."""

    def __init__(self) -> None:
        self.item: list[int] = []
        self.at: list[Instant] = []
        self.work_us: list[int] = []
        self.begun: list[Instant] = []
        self.ahead: deque[int] = deque()
        """Those that have not arrived, in order of arrival."""
        self._done: list[tuple[int, Instant]] = []

    def offer(self, item: ArrayLike, at_us: ArrayLike, work_s: ArrayLike, not_before: Instant) -> None:
        """Take items that arrive at ``at_us``, or at ``not_before`` if that is later.

        Raises:
            InputError: if columns differ in length, or work is negative or not finite.
        """
        items, at, work = np.asarray(item, np.int64), np.asarray(at_us, np.int64), np.asarray(work_s, np.float64)
        if not items.shape == at.shape == work.shape or items.ndim != 1:
            raise InputError("items, times of arrival and seconds of work must be columns of one length")
        if len(work) and not (np.isfinite(work).all() and work.min() >= 0):
            raise InputError("seconds of work must be finite and not negative")
        first, arrival = len(self.item), np.maximum(at, not_before)
        self.item += items.tolist()
        self.at += arrival.tolist()
        self.work_us += np.rint(work * SECOND).astype(np.int64).tolist()
        self.begun += [FOREVER] * len(items)
        new = (first + np.argsort(arrival, kind="stable")).tolist()
        if self.ahead and new and self.at[new[0]] < self.at[self.ahead[-1]]:
            self.ahead = deque(sorted([*self.ahead, *new], key=lambda number: (self.at[number], number)))
        else:
            self.ahead.extend(new)

    def finish(self, number: int, now: Instant) -> None:
        """An item is done."""
        self._done.append((number, now))

    def take_finished(self) -> Finished:
        """What has been done since the last call."""
        done, self._done = self._done, []
        columns = [(self.item[number], self.at[number], self.begun[number], at) for number, at in done]
        item, arrived, begun, finished = np.array(columns, np.int64).reshape(-1, 4).T
        return Finished(item, arrived, begun, finished)


class SizeLog:
    """How many were ready from each change on."""

    def __init__(self, start: Instant) -> None:
        self._log: list[tuple[Instant, int]] = [(start, 0)]

    def note(self, now: Instant, ready: int) -> None:
        """So many are ready; of several notes at one instant the last counts."""
        if self._log[-1][1] == ready:
            return
        if self._log[-1][0] == now:
            self._log[-1] = (now, ready)
        else:
            self._log.append((now, ready))

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Instants and numbers, both (changes,)."""
        table = np.array(self._log, np.int64)
        return table[:, 0], table[:, 1]
