"""What a computation costs on a device: work in multiply-accumulates becomes seconds and joules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skyedge.profiles import profile_from

_RANGES = {"macs_per_second": (1.0, 1e21), "watts": (1e-6, 1e9), "overhead_s": (0.0, 1e5)}


@dataclass(frozen=True)
class DeviceProfile:
    """A computer, reduced to a sustained rate and a power.

    ``overhead_s`` is what one scene costs besides the network itself: reading, scaling, writing.
    """

    name: str
    macs_per_second: float
    watts: float
    overhead_s: float = 0.0
    source: str = ""

    def seconds(self, macs: float) -> float:
        """Seconds for a scene that needs ``macs`` multiply-accumulates."""
        return macs / self.macs_per_second + self.overhead_s

    def joules(self, macs: float) -> float:
        """Joules for the same: the device draws its full power while it works."""
        return self.seconds(macs) * self.watts

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, where: object = None) -> DeviceProfile:
        """A profile from parsed YAML.

        Raises:
            InputError: for an unknown or missing key, or a figure that is not positive.
        """
        return profile_from(cls, mapping, _RANGES, what="a device profile", where=where)
