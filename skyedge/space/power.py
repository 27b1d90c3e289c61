"""Solar input, battery and what may be spent: the energy side of a satellite.

Between two events nothing changes but sunlight, so the battery moves analytically from one event to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyedge.profiles import profile_from
from skyedge.time import SECOND, Instant

JOULES_PER_WH = 3600.0
_RANGES = {
    "panel_w": (1e-3, 1e6),
    "battery_wh": (1e-3, 1e6),
    "baseline_w": (0.0, 1e6),
    "transmit_w": (0.0, 1e6),
    "minimum_charge": (0.0, 0.99),
    "compute_share": (0.0, 1.0),
}


@dataclass(frozen=True)
class PowerProfile:
    """What a spacecraft harvests, stores and uses.

    Defaults follow BUPT-1 (a 12U CubeSat, 196 orbits of telemetry): about 28.9 Wh used an orbit of 94 minutes, 80.9 %
    of it by neither payload nor radio, so a constant 14.9 W; the panel is sized so that the nominal orbit closes, since
    the recorded harvest falls short of the recorded use.  Battery size and reserve are assumptions for that class.
    """

    panel_w: float = 32.0
    battery_wh: float = 80.0
    baseline_w: float = 14.9
    transmit_w: float = 22.0
    minimum_charge: float = 0.35
    compute_share: float = 0.23
    """Share of the mean harvest that the on-board computer may use: BUPT-1's payload took 23 % when it was on."""

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: object = None) -> PowerProfile:
        """A profile from parsed YAML.

        Raises:
            InputError: for an unknown key, or a figure that is none or out of range.
        """
        return profile_from(cls, mapping, _RANGES, what="a power profile", where=where)


class Battery:
    """The charge of one satellite, and the allowance of its computer.

    Args:
        profile: of the spacecraft.
        times_us: instants of the sunlight curve, (samples,).
        sunlit_s: seconds of full sun up to each, (samples,).
    """

    def __init__(self, profile: PowerProfile, times_us: NDArray[np.int64], sunlit_s: NDArray[np.float64]) -> None:
        self._profile = profile
        # As floats, exact below 2⁵³: np.interp would convert the whole curve at each call.
        self._times = times_us.astype(np.float64)
        self._sunlit = sunlit_s
        self._now: Instant = int(times_us[0])
        self._capacity_j = profile.battery_wh * JOULES_PER_WH
        self._charge_j = self._capacity_j * 0.9
        self.harvested_j = 0.0
        self.spilled_j = 0.0
        self.baseline_j = 0.0
        day_s = max(1.0, (times_us[-1] - times_us[0]) / SECOND)
        self._allowance_w = profile.compute_share * profile.panel_w * float(sunlit_s[-1] - sunlit_s[0]) / day_s
        self._allowance_cap_j = self._allowance_w * 5640.0  # an orbit's worth
        self._allowance_j = self._allowance_cap_j

    @property
    def charge(self) -> float:
        """Share of the capacity, 0 to 1."""
        return self._charge_j / self._capacity_j

    def advance(self, now: Instant) -> None:
        """Let time pass to ``now``: sunlight in, baseline out."""
        if now <= self._now:
            return
        seconds = (now - self._now) / SECOND
        before, after = np.interp([self._now, now], self._times, self._sunlit)
        harvested = float(after - before) * self._profile.panel_w
        baseline = self._profile.baseline_w * seconds
        self._now = now
        self.harvested_j += harvested
        self.baseline_j += baseline
        charge = self._charge_j + harvested - baseline
        self.spilled_j += max(0.0, charge - self._capacity_j)
        self._charge_j = min(max(charge, 0.0), self._capacity_j)
        self._allowance_j = min(self._allowance_cap_j, self._allowance_j + self._allowance_w * seconds)

    def may_compute(self, joules: float) -> bool:
        """Does the duty cycle allow it, and does the charge stay above the reserve?"""
        reserve = self._profile.minimum_charge * self._capacity_j
        # A job dearer than a whole orbit's allowance may start once that much has been saved up.
        allowed = min(joules, self._allowance_cap_j) <= self._allowance_j
        return allowed and self._charge_j - joules >= reserve

    def may_transmit(self) -> bool:
        """Is the charge above half of the reserve?  The radio goes on where the computer has to stop."""
        return 0.0 < self._charge_j >= self._profile.minimum_charge / 2 * self._capacity_j

    def spend(self, joules: float, *, compute: bool = False) -> None:
        """Take ``joules`` out; of the computer's allowance too if ``compute``."""
        self._charge_j = max(0.0, self._charge_j - joules)
        if compute:
            self._allowance_j -= joules
