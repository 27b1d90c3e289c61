"""xxHash64 (Collet, 2012; the specification of XXH64): the hash by which ring and Maglev tables place hosts.

Written out because a table must come out the same as a proxy's, and no hash of the standard library is this one.
"""

from __future__ import annotations

import struct

MASK = (1 << 64) - 1
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P4, P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def xxhash64(data: bytes | str, seed: int = 0) -> int:
    """The hash, from 0 to 2**64 - 1; text is taken as UTF-8."""
    data = data.encode() if isinstance(data, str) else data
    length, at = len(data), 0
    if length >= 32:
        lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed & MASK, (seed - P1) & MASK]
        for stripe in struct.iter_unpack("<4Q", data[: length - length % 32]):
            lanes = [_round(lane, word) for lane, word in zip(lanes, stripe, strict=True)]
        at = length - length % 32
        turns = zip(lanes, (1, 7, 12, 18), strict=True)
        state = sum(_rotated(lane, by) for lane, by in turns) & MASK
        for lane in lanes:
            state = ((state ^ _round(0, lane)) * P1 + P4) & MASK
    else:
        state = (seed + P5) & MASK
    state = (state + length) & MASK
    while at + 8 <= length:
        state ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        state = (_rotated(state, 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= length:
        state ^= int.from_bytes(data[at : at + 4], "little") * P1 & MASK
        state = (_rotated(state, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        state ^= byte * P5 & MASK
        state = _rotated(state, 11) * P1 & MASK
    state = (state ^ state >> 33) * P2 & MASK
    state = (state ^ state >> 29) * P3 & MASK
    return state ^ state >> 32


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & MASK


def _round(state: int, word: int) -> int:
    return _rotated((state + word * P2) & MASK, 31) * P1 & MASK
