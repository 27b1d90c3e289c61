"""Seeded random streams, one for each (seed, entity, purpose), never shared.

A stream that two entities share makes the draws of one depend on how often the other drew, and so on how the
nodes were hosted.  Here every stream is derived from its three keys by a hash that is the same on every
machine; adding an entity or a purpose never moves the draws of another.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, entity: str, purpose: str) -> np.random.Generator:
    """A PCG64 generator that depends on the three keys and on nothing else."""
    key = hashlib.blake2b(f"{seed}\x1f{entity}\x1f{purpose}".encode(), digest_size=32).digest()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(np.frombuffer(key, np.uint32).tolist())))
