"""Chance by the piece: numbers of a seeded stream one at a time, drawn in blocks because NumPy's single draws are slow.

The size of a block changes no number, so what is drawn depends on the stream and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from skyedge.layers.mesh.traffic.behaviour import ServiceTime

FIRST_BLOCK, LARGEST_BLOCK = 32, 4096

Number = TypeVar("Number", int, float)


class Drawn(Generic[Number]):
    """Call it for the next number.

    Args:
        block: gives so many numbers.
    """

    __slots__ = ("_block", "_left", "_size")

    def __init__(self, block: Callable[[int], list[Number]]) -> None:
        self._block: Callable[[int], list[Number]] = block
        self._left: list[Number] = []
        self._size = FIRST_BLOCK

    def __call__(self) -> Number:
        if not self._left:
            self._left = self._block(self._size)
            self._left.reverse()
            self._size = min(2 * self._size, LARGEST_BLOCK)
        return self._left.pop()


def uniform(generator: np.random.Generator) -> Drawn[float]:
    """Numbers from [0, 1)."""
    return Drawn(lambda count: generator.random(count).tolist())


def times_us(generator: np.random.Generator, distribution: ServiceTime) -> Drawn[int]:
    """Times of service, µs."""

    def block(count: int) -> list[int]:
        drawn: NDArray[np.int64] = distribution.sample_us(generator, count)
        return drawn.tolist()

    return Drawn(block)
