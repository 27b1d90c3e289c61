"""From geometry to bytes: what a pass can carry.

Calibrated on the X-band flight figures of BUPT-1 (a Raspberry Pi sending through the Tongchuan station): two rates of
35.4 and 70.8 Mbit/s; Eb/N0 medians of 15 dB below 10° of elevation, 20 dB between 10° and 20° and a *flat* 23 dB above,
where the receiver saturates; frame errors of 0.3 to 0.6 % in the good pass and 1.2 % in the poor one; about 500 s of lock
with a 5° mask; 3.0 GB in one pass and 0.17 GB in another of the same nominal link.  A mean of 48.8 Mbit/s over the good
pass means the high rate for 38 % of the time, which is the time above about 25°.

What makes one pass poor and the next one good is not known; that one pass in three is poor, and that a poor one's yield
is log-uniform down to 1/18, are assumptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyedge.profiles import profile_from
from skyedge.streams import stream
from skyedge.time import Instant

BOLTZMANN_DB = -228.599
_RANGES = {
    "frequency_ghz": (0.01, 1000.0),
    "eirp_dbw": (-100.0, 200.0),
    "gain_over_temperature_db_k": (-100.0, 200.0),
    "other_losses_db": (0.0, 200.0),
    "saturation_ebn0_db": (-50.0, 100.0),
    "low_rate_mbps": (1e-4, 1e6),
    "high_rate_mbps": (1e-4, 1e6),
    "high_rate_from_elevation_deg": (-90.0, 90.0),
    "minimum_ebn0_db": (-50.0, 9.99),
    "acquisition_s": (1e-3, 3600.0),
    "uplink_mbps": (1e-6, 1e6),
    "poor_pass_share": (0.0, 1.0),
    "poorest_yield": (1e-6, 1.0),
}


@dataclass(frozen=True)
class LinkProfile:
    """A downlink and the slow uplink beside it."""

    frequency_ghz: float = 8.2
    eirp_dbw: float = 15.0
    gain_over_temperature_db_k: float = 31.0
    other_losses_db: float = 3.0
    saturation_ebn0_db: float = 23.0
    low_rate_mbps: float = 35.4
    high_rate_mbps: float = 70.8
    high_rate_from_elevation_deg: float = 25.0
    minimum_ebn0_db: float = 6.0
    acquisition_s: float = 8.0
    uplink_mbps: float = 0.1
    poor_pass_share: float = 1 / 3
    poorest_yield: float = 1 / 18

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: object = None) -> LinkProfile:
        """A profile from parsed YAML.

        Raises:
            InputError: for an unknown key, or a figure that is none or out of range.
        """
        return profile_from(cls, mapping, _RANGES, what="a link profile", where=where)

    def rate_mbps(self, elevation_deg: ArrayLike) -> NDArray[np.float64]:
        """Channel rate by elevation."""
        high = np.asarray(elevation_deg) >= self.high_rate_from_elevation_deg
        return np.where(high, self.high_rate_mbps, self.low_rate_mbps)

    def ebn0_db(self, range_km: ArrayLike, elevation_deg: ArrayLike) -> NDArray[np.float64]:
        """Energy per bit over noise density after free-space loss, with the receiver's saturation.

        EIRP + G/T − (92.45 + 20 log f_GHz + 20 log d_km) − losses − k − 10 log R  (e.g. Maral & Bousquet 2009, 5.6).
        """
        loss = 92.45 + 20 * np.log10(self.frequency_ghz) + 20 * np.log10(np.asarray(range_km, float))
        carrier = self.eirp_dbw + self.gain_over_temperature_db_k - loss - self.other_losses_db - BOLTZMANN_DB
        return np.minimum(carrier - 10 * np.log10(self.rate_mbps(elevation_deg) * 1e6), self.saturation_ebn0_db)

    def frame_error_rate(self, ebn0_db: ArrayLike) -> NDArray[np.float64]:
        """Share of frames lost: 1.2 % at 10 dB and 0.3 % from 20 dB on as in flight, all of them below the minimum."""
        ebn0 = np.asarray(ebn0_db, float)
        rate = np.interp(ebn0, [self.minimum_ebn0_db, 10.0, 15.0, 20.0], [0.05, 0.012, 0.006, 0.003])
        return np.where(ebn0 < self.minimum_ebn0_db, 1.0, rate)

    def pass_yield(self, seed: int, satellite: str, site: str, rise: Instant) -> float:
        """What this pass delivers of its nominal volume; keyed by the pass itself, so the same in every arm."""
        draw = stream(seed, f"{satellite}>{site}@{rise}", "pass yield").random(2)
        if draw[0] >= self.poor_pass_share:
            return 1.0
        return float(self.poorest_yield ** draw[1])
