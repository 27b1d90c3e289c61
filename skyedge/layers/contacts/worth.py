"""What a contact is worth, as a curve that grows with time: bytes × value of a byte, or any weight.

An antenna may be given for a part of a contact, so a single figure for a contact is not enough.  A curve says what has
been gained from the rise up to each instant; a part is the difference of two of its values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Worth:
    """Curves of many contacts; that of contact i is rows ``offsets[i]`` to ``offsets[i + 1]``, at least two of them."""

    offsets: NDArray[np.intp]  # (contacts + 1,)
    times_us: NDArray[np.int64]  # (samples,), rising within a contact
    gained: NDArray[np.float64]  # (samples,), never falling within a contact

    @classmethod
    def even(cls, rise_us: NDArray[np.int64], set_us: NDArray[np.int64], whole: NDArray[np.float64]) -> Worth:
        """Contacts whose worth, ``whole`` (contacts,), grows evenly from rise to set."""
        times = np.stack([rise_us, set_us], axis=1).reshape(-1)
        gained = np.stack([np.zeros(len(whole)), whole], axis=1).reshape(-1)
        return cls(np.arange(0, 2 * len(rise_us) + 1, 2, dtype=np.intp), times, gained)

    def weighed(self, weight: NDArray[np.float64]) -> Worth:
        """The curves times a weight of each contact, (contacts,)."""
        return Worth(self.offsets, self.times_us, self.gained * np.repeat(weight, np.diff(self.offsets)))

    def take(self, rows: NDArray[np.intp]) -> Worth:
        """The curves of some contacts, in that order."""
        length = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.intp)
        samples = np.arange(offsets[-1]) - np.repeat(offsets[:-1], length) + np.repeat(self.offsets[:-1][rows], length)
        return Worth(offsets, self.times_us[samples], self.gained[samples])

    def at(self, contact: NDArray[np.intp], time_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """What ``contact`` has gained up to ``time_us``, both (n,); flat outside of its curve."""
        if not len(contact):
            return np.empty(0)
        first, last = self.offsets[:-1], self.offsets[1:] - 1
        owner = np.repeat(np.arange(len(first)), np.diff(self.offsets))
        start = self.times_us[first]
        span = int((self.times_us[last] - start).max()) + 1
        key = owner * span + (self.times_us - start[owner])
        time = np.clip(time_us, start[contact], self.times_us[last[contact]])
        after = np.searchsorted(key, contact * span + (time - start[contact]), side="right")
        after = np.clip(after, first[contact] + 1, last[contact])
        width = np.maximum(self.times_us[after] - self.times_us[after - 1], 1)
        share = np.clip((time - self.times_us[after - 1]) / width, 0.0, 1.0)
        return np.asarray(self.gained[after - 1] + share * (self.gained[after] - self.gained[after - 1]))
