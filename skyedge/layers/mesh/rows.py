"""Rows of different lengths in one column, each of which can be changed at the cost of its own length.

A batch wants everything in a few flat columns; a mesh changes one service at a time.  So every row has a place of its own
with some room, a row that outgrows it moves to the end, and the holes that moves leave are closed when they make up half
of the column: on average a change costs as much as what it writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from skyedge.layers.mesh.weights import shares

Kind = TypeVar("Kind", bound=np.generic)
Indices = NDArray[np.intp]
SPARE = 1024
"""So many entries a column has to spare at the least, so that small ones do not grow again and again."""


def grown(column: NDArray[Kind], size: int) -> NDArray[Kind]:
    """A column with room for ``size`` entries: itself, or one that is longer by a half, so that growing is rare."""
    if size <= column.size:
        return column
    longer = np.zeros(size + size // 2 + SPARE, column.dtype)
    longer[: column.size] = column
    return longer


class Rows:
    """Columns that are cut into the same rows.

    Args:
        columns: the type of each column, by its name.

    Attributes:
        start: (rows,), where each row begins in every column; no more than ``count`` of them mean anything.
        size: (rows,), how many entries it has.
        count: how many rows there are.
        columns: the columns by name; entries outside of rows mean nothing.
    """

    def __init__(self, **columns: DTypeLike) -> None:
        self.columns: dict[str, NDArray[Any]] = {name: np.zeros(SPARE, kind) for name, kind in columns.items()}
        self.count = 0
        self.start: Indices = np.zeros(SPARE, np.intp)
        self.size: Indices = np.zeros(SPARE, np.intp)
        self._room: Indices = np.zeros(SPARE, np.intp)
        self._end = 0
        self._holes = 0

    def append(self, **values: ArrayLike) -> int:
        """Add a row; its number."""
        row, self.count = self.count, self.count + 1
        self.start, self.size, self._room = (grown(one, self.count) for one in (self.start, self.size, self._room))
        self.size[row] = self._room[row] = 0
        self.put(row, **values)
        return row

    def put(self, row: int, **values: ArrayLike) -> None:
        """Give a row other entries, for every column equally many."""
        arrays = {name: np.asarray(value, self.columns[name].dtype) for name, value in values.items()}
        size = next(iter(arrays.values())).size
        if size > self._room[row]:
            self._holes += int(self._room[row])
            self._room[row], self.start[row] = size, self._end
            self._end += size
            self.columns = {name: grown(column, self._end) for name, column in self.columns.items()}
        self.size[row] = size
        begin = int(self.start[row])
        for name, array in arrays.items():
            self.columns[name][begin : begin + size] = array
        if self._holes > self._end // 2 + SPARE:
            self._close_holes()

    def row(self, row: int, column: str) -> NDArray[Any]:
        """The entries of a row, to read and to write."""
        begin = int(self.start[row])
        return self.columns[column][begin : begin + int(self.size[row])]

    def _close_holes(self) -> None:
        sizes = self.size[: self.count]
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if self.count else 0
        taken = np.repeat(self.start[: self.count] - (ends - sizes), sizes) + np.arange(total)
        for name, column in self.columns.items():
            column[:total] = column[taken]
            self.columns[name] = column
        self.start[: self.count] = ends - sizes
        self._room[: self.count] = sizes
        self._end, self._holes = total, 0


def reaches(weights: Sequence[float]) -> NDArray[np.float64]:
    """How far each entry reaches in [0, 1): cumulated shares, (entries,), without an end from the last that has any share.

    Raises:
        InputError: as :func:`~skyedge.layers.mesh.weights.shares`.
    """
    share = shares(weights)
    reach = np.cumsum(share)
    reach[int(np.flatnonzero(share)[-1]) :] = np.inf
    return reach


def chosen(start: Indices, reach: NDArray[np.float64], draws: NDArray[np.float64]) -> Indices:
    """The place of the entry that each draw falls on, (n,): the first that reaches beyond it, from the start of its row.

    It goes along the rows in step, which is quick since rows are short: few destinations, few localities.

    Args:
        start: (n,), of each row asked for.
        reach: the column, as :func:`reaches` makes its rows.
        draws: (n,), from [0, 1).
    """
    at = start.copy()
    beyond = reach[at] <= draws
    if np.count_nonzero(beyond) * 4 > at.size:  # at first most go on, and all together is quicker
        at += beyond
        beyond = reach[at] <= draws
    moving = np.flatnonzero(beyond)
    while moving.size:
        at[moving] += 1
        moving = moving[reach[at[moving]] <= draws[moving]]
    return at
