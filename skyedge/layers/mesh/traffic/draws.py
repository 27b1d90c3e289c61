"""Chance by the piece: numbers of a seeded stream one at a time, drawn in blocks because NumPy's single draws are slow.

The size of a block changes no number, so what is drawn depends on the stream and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from skyedge.layers.mesh.traffic.behaviour import ServiceTime

FIRST_BLOCK, LARGEST_BLOCK = 32, 4096

Number = TypeVar("Number", int, float)


def uniform(generator: np.random.Generator) -> Callable[[], float]:
    """Gives the next number from [0, 1) at every call."""
    return _one_by_one(lambda count: list(generator.random(count).tolist())).__next__


def times_us(generator: np.random.Generator, distribution: ServiceTime) -> Callable[[], int]:
    """Gives the next time of service, µs, at every call."""
    return _one_by_one(lambda count: list(distribution.sample_us(generator, count).tolist())).__next__


def _one_by_one(block: Callable[[int], list[Number]]) -> Iterator[Number]:
    size = FIRST_BLOCK
    while True:
        yield from block(size)
        size = min(2 * size, LARGEST_BLOCK)
